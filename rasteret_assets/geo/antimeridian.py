"""Footprints that reach over the edges of the world, cut there (RFC 7946, section 3.1.9)."""

from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray

_TURN: Final = 360.0
_AREA: Final = 2
"""Dimensions of a polygon."""


def cut_crossing(
    geometries: NDArray[np.object_], crossing: NDArray[np.bool_]
) -> NDArray[np.object_]:
    """Return `geometries`, those marked as `crossing` cut into parts on both sides of ±180.

    A ring that runs from 179 to -179 the short way says in plain coordinates that it runs
    around the world. Whether it does cannot be seen from the ring: the caller has to know.
    """
    turned = geometries.copy()
    turned[crossing] = shapely.transform(geometries[crossing], _eastward)
    return cut_overhang(turned, crossing)


def cut_overhang(geometries: NDArray[np.object_], beyond: NDArray[np.bool_]) -> NDArray[np.object_]:
    """Return `geometries`, those marked as `beyond` brought within ±180 and ±90.

    What lies beyond ±180 is moved by a turn, and is a part of its own; what lies beyond a
    pole is cut off. Global grids registered by pixel centres reach over by half a pixel.
    """
    rows = np.flatnonzero(beyond)
    if not len(rows):
        return geometries
    given = geometries[rows]
    sound = np.where(shapely.is_valid(given), given, shapely.make_valid(given))
    found = _within(sound, 0.0)
    for turn in (_TURN, -_TURN):
        found = shapely.union(found, _within(sound, turn))
    result = geometries.copy()
    result[rows] = found
    return result


def is_wide(geometries: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Return which geometries of one part span more than half the world's longitudes."""
    west, _, east, _ = shapely.bounds(geometries).T
    wide = east > west + _TURN / 2
    return np.asarray(wide & (shapely.get_num_geometries(geometries) == 1))


def _within(geometries: NDArray[np.object_], turn: float) -> NDArray[np.object_]:
    """Return what lies in the world `turn` degrees east of this one, moved into this one."""
    world = shapely.box(turn - _TURN / 2, -90, turn + _TURN / 2, 90)
    part = shapely.intersection(geometries, world)
    # An area that touches the edge shares lines with the world next to it; they are no area.
    area = shapely.get_dimensions(geometries) == _AREA
    part = np.where(area & ~_is_area(part), shapely.buffer(part, 0), part)
    return np.asarray(shapely.transform(part, lambda points: points - (turn, 0.0)))


def _is_area(geometries: NDArray[np.object_]) -> NDArray[np.bool_]:
    kinds = (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON)
    return np.isin(shapely.get_type_id(geometries), kinds)


def _eastward(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return points + np.where(points[:, :1] < 0, (_TURN, 0.0), (0.0, 0.0))
