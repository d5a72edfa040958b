"""Small pictures of pixels: what an area looks like. Arrays in, PNG bytes out."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from rasteret_assets.collection.pens import FAINT, PAPER, TITLE, png, scale_bar, write

_COLOURS: Final = ("red", "green", "blue")
_HATCH: Final = ((222, 226, 228), (236, 239, 240))


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
    below = TITLE + drawn.height + 6
    height = below + 15 * len(levels) + 30
    picture = Image.new("RGB", (max(drawn.width, 300) + 24, height), PAPER)
    picture.paste(drawn, (12, TITLE))
    draw = ImageDraw.Draw(picture)
    write(draw, (12, 9), title, 16)
    names = bands or [f"band {number}" for number in range(1, len(levels) + 1)]
    roles = _COLOURS if len(levels) == len(_COLOURS) else ("grey",)
    for line, (role, name, (low, high)) in enumerate(zip(roles, names, limits, strict=True)):
        write(draw, (12, below + 15 * line), f"{role}: {name}, {low:.4g} to {high:.4g}", 11)
    if metres_per_pixel is not None:
        metres = metres_per_pixel * seen.shape[1] / drawn.width
        scale_bar(draw, (12, height - 10), metres, drawn.width)
    if not seen.all():
        left = picture.width - 12 - 96
        draw.rectangle((left, height - 22, left + 14, height - 8), _HATCH[0], FAINT)
        write(draw, (left + 20, height - 21), f"no data {1 - seen.mean():.0%}", 11)
    return png(picture, 192)


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
