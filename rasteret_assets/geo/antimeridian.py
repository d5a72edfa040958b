"""Footprints that cross the antimeridian, cut in two there (RFC 7946, section 3.1.9)."""

import numpy as np
import shapely
from numpy.typing import NDArray

_HALF_TURN = 180.0


def cut_crossing(
    geometries: NDArray[np.object_], crossing: NDArray[np.bool_]
) -> NDArray[np.object_]:
    """Return `geometries`, those marked as `crossing` cut into parts on both sides of ±180.

    A ring that runs from 179 to -179 the short way says in plain coordinates that it runs
    around the world. Whether it does cannot be seen from the ring: the caller has to know.
    A geometry already within one side, or that cannot be cut, stays as it is.
    """
    rows = np.flatnonzero(crossing)
    if not len(rows):
        return geometries
    turned = shapely.transform(geometries[rows], _eastward)
    sound = np.where(shapely.is_valid(turned), turned, shapely.make_valid(turned))
    near = shapely.intersection(sound, shapely.box(0, -90, _HALF_TURN, 90))
    far = shapely.intersection(sound, shapely.box(_HALF_TURN, -90, 2 * _HALF_TURN, 90))
    both = shapely.union(near, shapely.transform(far, _westward))
    done = ~shapely.is_empty(near) & ~shapely.is_empty(far)
    result = geometries.copy()
    result[rows[done]] = both[done]
    return result


def is_wide(geometries: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Return which single geometries span more than half the world's longitudes."""
    bounds = shapely.bounds(geometries)
    wide = bounds[:, 2] - bounds[:, 0] > _HALF_TURN
    return np.asarray(wide & (shapely.get_num_geometries(geometries) == 1))


def _eastward(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return points + np.where(points[:, :1] < 0, (360.0, 0.0), (0.0, 0.0))


def _westward(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return points - (360.0, 0.0)
