"""By how much resampling reduces pixels, reckoned once for all parts of a result."""

from typing import Final

import numpy as np
from rasterio.warp import transform

from rasteret_assets.geo.grid import Grid

_STEPS: Final = 21
"""Points along each edge, as in GDAL's ComputeSourceWindow."""
_NEARLY_WHOLE: Final = 0.05

Scale = tuple[float, float]
"""Pixels of the result per pixel of the source, across and down."""


def warp_scale(source: Grid, target: Grid) -> Scale:
    """Return the scale at which GDAL would warp all of `target`.

    GDAL sizes its kernels by the window that it happens to warp, so neighbouring windows would
    not fit together. With the scale of the whole result they do.

    Notes
    -----
    As GDALWarpKernel has it: the target's pixels by those of the source that its edges span,
    a whole number of source pixels to one being taken for exact where it nearly is.
    """
    along = np.linspace(0.0, 1.0, _STEPS)
    low, high = np.zeros(_STEPS), np.ones(_STEPS)
    cols = np.concatenate([along, along, low, high]) * target.width
    rows = np.concatenate([low, high, along, along]) * target.height
    a, b, c, d, e, f = target.transform
    x, y = transform(target.crs, source.crs, a * cols + b * rows + c, d * cols + e * rows + f)
    across, down = source.pixels_of(np.asarray(x), np.asarray(y))
    return (
        _scale(target.width, across[np.isfinite(across)], source.width),
        _scale(target.height, down[np.isfinite(down)], source.height),
    )


def _scale(pixels: int, places: np.ndarray, length: int) -> float:
    """Return the scale along one axis.

    Parameters
    ----------
    places
        Of the target's edges, in the source's pixels.
    length
        Of the source.
    """
    if not len(places):
        return 1.0
    first, last = float(places.min()), float(places.max())
    spanned = min(length - max(0, int(first)), last - first)
    if spanned <= pixels:
        return 1.0
    reduced = spanned / pixels
    whole = int(reduced + 0.5)
    return 1 / whole if abs(reduced - whole) < _NEARLY_WHOLE else 1 / reduced
