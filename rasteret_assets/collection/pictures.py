"""Small pictures of a Collection: where its records lie, and what an area looks like.

Arrays in, PNG bytes out; no files and no network.
"""

import io
import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import rasterio.features
import shapely
from affine import Affine
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from rasterio.enums import MergeAlg

Footprints = NDArray[np.object_]
"""Shapely geometries in longitude and latitude; None where there is none."""
Box = tuple[float, float, float, float]
"""xmin, ymin, xmax, ymax: degrees on a map, pixels on a picture."""

_INK: Final = (38, 50, 56)
_FAINT: Final = (176, 190, 197)
_PAPER: Final = (255, 255, 255)
_GROUND: Final = (244, 246, 246)
_RAMP: Final = np.array(
    [[198, 219, 239], [107, 174, 214], [33, 113, 181], [84, 39, 143], [63, 0, 60]], np.float64
)
"""Few records to many; grows darker all along, so it reads in grey too."""
_COLOURS: Final = ("red", "green", "blue")
_HATCH: Final = ((222, 226, 228), (236, 239, 240))
_MARGIN: Final = 46
_TITLE: Final = 34
_KEY: Final = 40
_EXACT: Final = 5_000
"""Footprints drawn by their outline; of more, only boxes are counted."""
_OUTLINED: Final = 400
_METRES_PER_DEGREE: Final = 111_320.0


def footprint_map(footprints: Footprints, *, title: str = "", width: int = 720) -> bytes:
    """Return a map of how many records cover each place, as PNG.

    With graticule, scale bar and a key of the counts. `width` is in pixels; the height
    follows from the extent.
    """
    shapes = footprints[~(shapely.is_missing(footprints) | shapely.is_empty(footprints))]
    bounds = shapely.total_bounds(shapes) if len(shapes) else np.array([-180, -90, 180, 90])
    across = width - 2 * _MARGIN
    extent, down = _framed(bounds, across)
    picture = Image.new("RGB", (width, _TITLE + down + _MARGIN + _KEY), _PAPER)
    frame = (_MARGIN, _TITLE, _MARGIN + across, _TITLE + down)
    counts = _counts(shapes, extent, (down, across))
    picture.paste(_painted(counts), frame[:2])
    draw = ImageDraw.Draw(picture)
    if len(shapes) <= _OUTLINED:
        _outline(draw, shapes, extent, frame)
    _graticule(draw, extent, frame)
    metres = (extent[3] - extent[1]) * _METRES_PER_DEGREE / down
    _scale_bar(draw, (frame[0] + 10, frame[3] - 12), metres, across)
    _text(draw, (frame[0], 9), title, 16)
    _count_key(draw, frame, int(counts.max()), f"{len(shapes):,} records")
    return _png(picture, 128)


def quicklook(
    values: NDArray[np.number],
    valid: NDArray[np.bool_],
    *,
    title: str = "",
    bands: Sequence[str] = (),
    together: bool = False,
    metres_per_pixel: float | None = None,
    width: int = 640,
) -> bytes:
    """Return a picture of pixels stretched from their 2nd to their 98th percentile, as PNG.

    Parameters
    ----------
    values
        (band, y, x): one band is drawn in grey, three as red, green and blue.
    valid
        (y, x) or (band, y, x), True where there is data; a pixel is drawn where all bands
        have some, and hatched elsewhere.
    bands
        What the bands are called, in the order of `values`.
    together
        Whether all bands share one stretch, which keeps true colours true.
    metres_per_pixel
        Adds a scale bar.
    width
        Of the pixels drawn at most; smaller arrays are enlarged by whole factors.

    Raises
    ------
    ValueError
        If there are neither one nor three bands.
    """
    if len(values) not in {1, 3}:
        msg = f"a picture needs one band or three, not {len(values)}"
        raise ValueError(msg)
    seen = np.asarray(valid.reshape(-1, *values.shape[1:]).all(axis=0))
    layers = [values] * len(values) if together else [values[i : i + 1] for i in range(len(values))]
    limits = [_limits(layer[:, seen]) for layer in layers]
    levels = [_levels(band, *pair) for band, pair in zip(values, limits, strict=True)]
    colours = np.stack(levels * (3 // len(levels)), axis=-1)
    rows, columns = np.indices(seen.shape)
    hatch = np.array(_HATCH, np.uint8)[((rows + columns) // 4) % 2]
    drawn = _sized(Image.fromarray(np.where(seen[..., None], colours, hatch)), width)
    below = _TITLE + drawn.height + 6
    height = below + 15 * len(levels) + 30
    picture = Image.new("RGB", (max(drawn.width, 300) + 24, height), _PAPER)
    picture.paste(drawn, (12, _TITLE))
    draw = ImageDraw.Draw(picture)
    _text(draw, (12, 9), title, 16)
    names = bands or [f"band {number}" for number in range(1, len(levels) + 1)]
    roles = _COLOURS if len(levels) == len(_COLOURS) else ("grey",)
    for line, (role, name, (low, high)) in enumerate(zip(roles, names, limits, strict=True)):
        _text(draw, (12, below + 15 * line), f"{role}: {name}, {low:.4g} to {high:.4g}", 11)
    if metres_per_pixel is not None:
        metres = metres_per_pixel * seen.shape[1] / drawn.width
        _scale_bar(draw, (12, height - 10), metres, drawn.width)
    if not seen.all():
        left = picture.width - 12 - 96
        draw.rectangle((left, height - 22, left + 14, height - 8), _HATCH[0], _FAINT)
        _text(draw, (left + 20, height - 21), f"no data {1 - seen.mean():.0%}", 11)
    return _png(picture, 192)


def _limits(data: NDArray[np.number]) -> tuple[float, float]:
    """Return the 2nd and 98th percentile, nan where there is no data."""
    if not data.size:
        return math.nan, math.nan
    low, high = np.nanpercentile(data, (2, 98))
    return float(low), float(high)


def _levels(band: NDArray[np.number], low: float, high: float) -> NDArray[np.uint8]:
    """Return the band as 0 at `low` to 255 at `high`."""
    share = (band.astype(np.float64) - low) / ((high - low) or 1)
    return np.nan_to_num(np.clip(share * 255, 0, 255)).astype(np.uint8)


def _sized(image: Image.Image, width: int) -> Image.Image:
    """Return `image` no wider than `width`, enlarged by a whole factor if much smaller."""
    if image.width > width:
        height = max(1, round(image.height * width / image.width))
        return image.resize((width, height), Image.Resampling.BOX)
    factor = max(1, width // image.width)
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)


def _framed(bounds: NDArray[np.float64], across: int) -> tuple[Box, int]:
    """Return the degrees a map of `bounds` shows, `across` pixels wide, and its height in pixels.

    There is room around, and a degree is as long to the north as to the east in the middle of
    the map, as far as the world has room for that.
    """
    xmin, ymin, xmax, ymax = (float(value) for value in bounds)
    room = max(0.08 * max(xmax - xmin, ymax - ymin), 0.005)
    wide, high = xmax - xmin + 2 * room, ymax - ymin + 2 * room
    squeeze = max(0.2, math.cos(math.radians((ymin + ymax) / 2)))
    down = min(max(round(across * high / (wide * squeeze)), across * 2 // 5), across)
    wide, high = (
        max(wide, high / squeeze * across / down),
        max(high, wide * squeeze * down / across),
    )
    x, y = (xmin + xmax) / 2, (ymin + ymax) / 2
    west, east = max(x - wide / 2, -180.0), min(x + wide / 2, 180.0)
    south, north = max(y - high / 2, -90.0), min(y + high / 2, 90.0)
    return (west, south, east, north), down


def _counts(shapes: Footprints, extent: Box, size: tuple[int, int]) -> NDArray[np.int32]:
    """Return how many of `shapes` cover each pixel, as (y, x)."""
    if not len(shapes):
        return np.zeros(size, np.int32)
    if len(shapes) <= _EXACT:
        west, south, east, north = extent
        across, down = (east - west) / size[1], (south - north) / size[0]
        return rasterio.features.rasterize(
            shapes,
            out_shape=size,
            transform=Affine(across, 0, west, 0, down, north),
            merge_alg=MergeAlg.add,
            all_touched=True,
            dtype="int32",
        )
    # Each box adds 1 at two of its corners and takes it away at the others; the running sums
    # along both axes are then the counts, whatever the number of boxes.
    left, bottom, right, top = shapely.bounds(shapes).T
    columns = [_pixel(value, extent[0], extent[2], size[1]) for value in (left, right)]
    rows = [_pixel(value, extent[3], extent[1], size[0]) for value in (top, bottom)]
    corners = np.zeros((size[0] + 1, size[1] + 1), np.int32)
    for row, row_sign in ((rows[0], 1), (rows[1] + 1, -1)):
        for column, column_sign in ((columns[0], 1), (columns[1] + 1, -1)):
            np.add.at(corners, (row, column), row_sign * column_sign)
    return corners.cumsum(axis=0).cumsum(axis=1)[:-1, :-1]


def _pixel(values: NDArray[np.float64], start: float, stop: float, size: int) -> NDArray[np.int64]:
    return np.clip((values - start) / (stop - start) * size, 0, size - 1).astype(np.int64)


def _painted(counts: NDArray[np.int32]) -> Image.Image:
    """Return the counts as colours; the ramp is logarithmic, as overlaps are."""
    most = max(int(counts.max()), 1)
    share = np.log1p(np.maximum(counts - 1, 0)) / (math.log1p(most - 1) or 1)
    colours = _ramp(share)
    colours[counts == 0] = _GROUND
    return Image.fromarray(colours.astype(np.uint8))


def _ramp(share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the colours of shares 0 to 1, as (..., 3)."""
    stops = np.linspace(0, 1, len(_RAMP))
    return np.stack([np.interp(share, stops, _RAMP[:, channel]) for channel in range(3)], axis=-1)


def _outline(draw: ImageDraw.ImageDraw, shapes: Footprints, extent: Box, frame: Box) -> None:
    for line in shapely.get_parts(shapely.boundary(shapes)):
        points = shapely.get_coordinates(line)
        places = [_place(x, y, extent, frame) for x, y in points]
        draw.line(places, fill=(255, 255, 255), width=1)


def _place(x: float, y: float, extent: Box, frame: Box) -> tuple[float, float]:
    """Return where on the picture a longitude and latitude lie."""
    return (
        frame[0] + (x - extent[0]) / (extent[2] - extent[0]) * (frame[2] - frame[0]),
        frame[3] - (y - extent[1]) / (extent[3] - extent[1]) * (frame[3] - frame[1]),
    )


def _graticule(draw: ImageDraw.ImageDraw, extent: Box, frame: Box) -> None:
    draw.rectangle(frame, outline=_FAINT)
    step = _round_number((extent[2] - extent[0]) / 4)
    for x in _multiples(extent[0], extent[2], step):
        at, _ = _place(x, extent[1], extent, frame)
        draw.line((at, frame[1], at, frame[3]), fill=_FAINT)
        _text(draw, (at, frame[3] + 4), _degrees(x, step, "EW"), 11, anchor="ma")
    step = _round_number((extent[3] - extent[1]) / 4)
    for y in _multiples(extent[1], extent[3], step):
        _, at = _place(extent[0], y, extent, frame)
        draw.line((frame[0], at, frame[2], at), fill=_FAINT)
        _text(draw, (frame[0] - 4, at), _degrees(y, step, "NS"), 11, anchor="rm")


def _round_number(value: float) -> float:
    """Return the largest of 1, 2, 5 times a power of ten that is at most `value`."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (5, 2, 1) if factor * power <= value)


def _multiples(start: float, stop: float, step: float) -> list[float]:
    return [n * step for n in range(math.ceil(start / step), math.floor(stop / step) + 1)]


def _degrees(value: float, step: float, sides: str) -> str:
    """Return a coordinate as readers of maps expect it: 77.5°E, 12°S, 0°."""
    places = max(0, -math.floor(math.log10(step)))
    side = "" if round(value, places) == 0 else sides[value < 0]
    return f"{abs(value):.{places}f}°{side}"


def _scale_bar(
    draw: ImageDraw.ImageDraw, at: tuple[float, float], metres_per_pixel: float, across: int
) -> None:
    metres = _round_number(metres_per_pixel * across / 4)
    length = metres / metres_per_pixel
    x, y = at
    draw.line((x, y - 4, x, y, x + length, y, x + length, y - 4), fill=_INK, width=2)
    said = f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m"  # noqa: PLR2004 (m in km)
    _text(draw, (x + length + 6, y + 2), said, 11, anchor="ls")


def _count_key(draw: ImageDraw.ImageDraw, frame: Box, most: int, said: str) -> None:
    """Draw the ramp with the fewest and the most records a place has."""
    top, width = frame[3] + 30, 160
    left = int(frame[2]) - width - 30
    for column in range(width):
        colour = _ramp(np.array(column / width)).astype(int)
        draw.line((left + column, top, left + column, top + 12), fill=tuple(colour.tolist()))
    _text(draw, (left - 6, top + 6), "covered by 1", 11, anchor="rm")
    _text(draw, (left + width + 6, top + 6), f"{most:,}", 11, anchor="lm")
    _text(draw, (frame[0], top + 6), said, 12, anchor="lm")


def _text(
    draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, size: int, anchor: str = "la"
) -> None:
    text = text.replace(" ", "  ")  # the built-in font's own space is hardly seen
    draw.text(at, text, fill=_INK, font=ImageFont.load_default(size), anchor=anchor)


def _png(picture: Image.Image, colours: int) -> bytes:
    """Return PNG bytes of at most so many colours: a quarter of the size, hardly seen."""
    buffer = io.BytesIO()
    picture.quantize(colours, Image.Quantize.MEDIANCUT).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
