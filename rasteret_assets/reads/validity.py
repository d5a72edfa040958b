"""Which pixels are valid: by mask, nodata or alpha, in GDAL's order."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
"""True where valid."""

_NEAR: Final = np.float32(2 * np.finfo(np.float32).eps)


def valid_pixels(
    values: NDArray[Any], *, mask: Mask | None, nodata: float | None, alpha: NDArray[Any] | None
) -> Mask | None:
    """Return which pixels are valid; None where all are.

    As for GDAL's dataset mask, the file's mask decides if there is one, else nodata, else
    alpha; beyond that, what is not a number is never valid.

    Parameters
    ----------
    values, mask, alpha
        Arrays of one shape.
    nodata
        Never matches where `values` cannot hold it.
    """
    valid = mask
    if valid is None and nodata is not None:
        valid = _differs(values, nodata)
    elif valid is None and alpha is not None:
        valid = alpha != 0
    if values.dtype.kind in "fc":
        numbers = ~np.isnan(values)
        valid = numbers if valid is None else valid & numbers
    return None if valid is None or valid.all() else valid


def holds(dtype: np.dtype[Any], value: float) -> bool:
    """Return whether `dtype` has this very value.

    Examples
    --------
    >>> holds(np.dtype("u1"), -9999.0), holds(np.dtype("i2"), 1.5), holds(np.dtype("i2"), 7.0)
    (False, False, True)
    """
    if dtype.kind not in "iu":
        return True
    info = np.iinfo(dtype)
    return value == value // 1 and int(info.min) <= value <= int(info.max)


def _differs(values: NDArray[Any], nodata: float) -> Mask | None:
    if not holds(values.dtype, nodata) or np.isnan(nodata):
        return None  # nan is found with the other pixels that are no numbers
    if values.dtype.kind == "c":
        values = values.real  # which is what GDAL compares
    wanted = values.dtype.type(nodata)
    found: Mask = values != wanted
    if values.dtype.kind == "f":
        # As GDAL's ARE_REAL_EQUAL: nodata is text in the file, with fewer digits than the pixels
        # have. Float32's epsilon counts for doubles too, and what overflows is near.
        with np.errstate(over="ignore", invalid="ignore"):
            found &= ~(np.abs(values - wanted) < np.abs(values + wanted) * _NEAR)
    return found
