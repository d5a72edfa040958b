"""Places on a Hilbert curve over the world, so that near records come to lie near."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

ORDER: Final = 16
"""Bits of each axis: a cell is 0.0055 degrees of longitude wide."""

_CELLS: Final = 1 << ORDER
_NONE: Final = np.uint32(0)
_ONE: Final = np.uint32(1)
_MIRROR: Final = np.uint32(_CELLS - 1)


def hilbert(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.uint32]:
    """Return how far along the curve each point lies.

    Parameters
    ----------
    lon, lat
        Degrees; what lies outside -180 to 180 and -90 to 90 counts as on the edge.

    Notes
    -----
    It starts at (-180, -90) and ends at
    (180, -90). All rows advance together, one bit of both axes at a time.

    Examples
    --------
    >>> hilbert(np.array([-180.0, 180.0]), np.array([-90.0, -90.0]))
    array([         0, 4294967295], dtype=uint32)
    """
    x = _cell(lon, -180.0, 360.0)
    y = _cell(lat, -90.0, 180.0)
    distance: NDArray[np.uint32] = np.zeros(x.shape, np.uint32)
    for bit in range(ORDER - 1, -1, -1):
        right = (x >> np.uint32(bit)) & _ONE
        lower = (~y >> np.uint32(bit)) & _ONE
        distance = (distance << np.uint32(2)) | ((np.uint32(3) * right) ^ lower ^ _ONE)
        # Lower quadrants hold the curve turned; the lower right one also mirrored.
        # Zero less one is all bits: a mask.
        mirror = (_NONE - (lower & right)) & _MIRROR
        turn = (x ^ y) & (_NONE - lower)
        x, y = x ^ turn ^ mirror, y ^ turn ^ mirror
    return distance


def _cell(degrees: NDArray[np.float64], least: float, extent: float) -> NDArray[np.uint32]:
    cells = np.floor((degrees - least) / extent * _CELLS)
    return np.clip(cells, 0, _CELLS - 1).astype(np.uint32)
