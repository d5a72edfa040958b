"""Which pixels are valid: by mask, nodata or alpha, in GDAL's order."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
"""True where valid."""


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
    wanted = values.dtype.type(nodata) if values.dtype.kind != "c" else nodata
    found: Mask = values != wanted
    return found
