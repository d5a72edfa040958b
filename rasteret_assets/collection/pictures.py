"""Small maps of where records lie. Geometries in, PNG bytes out."""

import math
from typing import Final

import numpy as np
import rasterio.features
import shapely
from affine import Affine
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from rasterio.enums import MergeAlg

from rasteret_assets.collection.pens import (
    FAINT,
    PAPER,
    TITLE,
    png,
    round_number,
    scale_bar,
    write,
)

Footprints = NDArray[np.object_]
"""Shapely geometries in longitude and latitude; None where there is none."""
Box = tuple[float, float, float, float]
"""xmin, ymin, xmax, ymax: degrees on a map, pixels on a picture."""

_GROUND: Final = (244, 246, 246)
_RAMP: Final = np.array(
    [[198, 219, 239], [107, 174, 214], [33, 113, 181], [84, 39, 143], [63, 0, 60]], np.float64
)
"""Few records to many; grows darker all along, so it reads in grey too."""
_MARGIN: Final = 46
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
    picture = Image.new("RGB", (width, TITLE + down + _MARGIN + _KEY), PAPER)
    frame = (_MARGIN, TITLE, _MARGIN + across, TITLE + down)
    counts = _counts(shapes, extent, (down, across))
    picture.paste(_painted(counts), frame[:2])
    draw = ImageDraw.Draw(picture)
    if len(shapes) <= _OUTLINED:
        _outline(draw, shapes, extent, frame)
    _graticule(draw, extent, frame)
    metres = (extent[3] - extent[1]) * _METRES_PER_DEGREE / down
    scale_bar(draw, (frame[0] + 10, frame[3] - 12), metres, across)
    write(draw, (frame[0], 9), title, 16)
    _count_key(draw, frame, int(counts.max()), f"{len(shapes):,} records")
    return png(picture, 128)


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
    draw.rectangle(frame, outline=FAINT)
    step = round_number((extent[2] - extent[0]) / 4)
    for x in _multiples(extent[0], extent[2], step):
        at, _ = _place(x, extent[1], extent, frame)
        draw.line((at, frame[1], at, frame[3]), fill=FAINT)
        write(draw, (at, frame[3] + 4), _degrees(x, step, "EW"), 11, anchor="ma")
    step = round_number((extent[3] - extent[1]) / 4)
    for y in _multiples(extent[1], extent[3], step):
        _, at = _place(extent[0], y, extent, frame)
        draw.line((frame[0], at, frame[2], at), fill=FAINT)
        write(draw, (frame[0] - 4, at), _degrees(y, step, "NS"), 11, anchor="rm")


def _multiples(start: float, stop: float, step: float) -> list[float]:
    return [n * step for n in range(math.ceil(start / step), math.floor(stop / step) + 1)]


def _degrees(value: float, step: float, sides: str) -> str:
    """Return a coordinate as readers of maps expect it: 77.5°E, 12°S, 0°."""
    places = max(0, -math.floor(math.log10(step)))
    side = "" if round(value, places) == 0 else sides[value < 0]
    return f"{abs(value):.{places}f}°{side}"


def _count_key(draw: ImageDraw.ImageDraw, frame: Box, most: int, said: str) -> None:
    """Draw the ramp with the fewest and the most records a place has."""
    top, width = frame[3] + 30, 160
    left = int(frame[2]) - width - 30
    for column in range(width):
        colour = _ramp(np.array(column / width)).astype(int)
        draw.line((left + column, top, left + column, top + 12), fill=tuple(colour.tolist()))
    write(draw, (left - 6, top + 6), "covered by 1", 11, anchor="rm")
    write(draw, (left + width + 6, top + 6), f"{most:,}", 11, anchor="lm")
    write(draw, (frame[0], top + 6), said, 12, anchor="lm")
