"""Bounding boxes in longitude and latitude, as RFC 7946 has them.

A box whose western edge is greater than its eastern one crosses the antimeridian (RFC 7946,
section 5.2).
"""

from typing import Final

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from rasteret_assets.contract.columns import BBOX

Bounds = NDArray[np.float64]
"""Rows of xmin, ymin, xmax, ymax, in degrees."""

TOLERANCE: Final = 1e-6
"""Degrees (0.1 m) by which a vertex may miss, or pass, the edge of the world."""

_HALF_WORLD: Final = 180.0


def lonlat_bounds(geometries: NDArray[np.object_]) -> Bounds:
    """Return the box of each geometry, nan where there is none, within the world's edges.

    A geometry cut at the antimeridian, with a part on either side of it, gets the box that
    crosses it where that one is narrower, and narrower than half the world: so a filter can
    tell crossing boxes by the signs of their edges. Others, however wide, get xmin < xmax: a
    polygon from -180 to 180 is the whole world.
    """
    bounds = np.asarray(shapely.bounds(geometries), np.float64)
    touches = (bounds[:, 0] <= -180 + TOLERANCE) & (bounds[:, 2] >= 180 - TOLERANCE)
    cut = np.flatnonzero(touches & (shapely.get_num_geometries(geometries) > 1))
    if len(cut):
        bounds[cut] = _crossing(geometries[cut], bounds[cut])
    return np.clip(bounds, (-180, -90, -180, -90), (180, 90, 180, 90))


def _crossing(geometries: NDArray[np.object_], bounds: Bounds) -> Bounds:
    """Return the narrower of the plain box and the one across the antimeridian."""
    parts, row = shapely.get_parts(geometries, return_index=True)
    extents = np.asarray(shapely.bounds(parts), np.float64)
    west, east = extents[:, 0], extents[:, 2]
    turn = np.where(west + east < 0, 360.0, 0.0)  # western parts, seen from the eastern side
    left = np.full(len(bounds), np.inf)
    right = np.full(len(bounds), -np.inf)
    np.fmin.at(left, row, west + turn)
    np.fmax.at(right, row, east + turn)
    width = right - left
    narrower = (width < bounds[:, 2] - bounds[:, 0]) & (width < _HALF_WORLD)
    found = bounds.copy()
    found[narrower, 0] = left[narrower]
    found[narrower, 2] = right[narrower] - 360
    return found


def centres(bounds: Bounds) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return longitude and latitude of the middle of each box.

    Examples
    --------
    >>> centres(np.array([[170.0, 0.0, -170.0, 10.0]]))
    (array([-180.]), array([5.]))
    """
    west, south, east, north = bounds.T
    lon = np.where(west > east, (west + east + 360) / 2, (west + east) / 2)
    return (lon + 180) % 360 - 180, (south + north) / 2


def bbox_column(bounds: Bounds) -> pa.StructArray:
    """Return the boxes as a `bbox` column, null where a box is nan."""
    members = [pa.array(column) for column in bounds.T]
    missing = pa.array(np.isnan(bounds[:, 0]))
    return pa.StructArray.from_arrays(members, fields=list(BBOX), mask=missing)


def total_bounds(bounds: Bounds) -> tuple[float, float, float, float] | None:
    """Return one box around all, None if there is none; all longitudes if any crosses."""
    known = bounds[~np.isnan(bounds[:, 0])]
    if not len(known):
        return None
    west, south, east, north = known.T
    if np.any(west > east):
        return -180.0, float(south.min()), 180.0, float(north.max())
    return float(west.min()), float(south.min()), float(east.max()), float(north.max())
