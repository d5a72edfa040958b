"""The EPSG code of a CRS that is spelled out.

PROJ's own search takes a quarter of a second for each definition that has no code, which an archive
of scenes in projections of their own cannot afford. Here all codes are laid out once by the numbers
in their definitions, in one or two seconds; PROJ then compares the few that share them.
"""

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from pyproj.crs import CRS
from pyproj.database import query_crs_info
from pyproj.enums import PJType

_DIGITS: Final = 9
"""Significant ones of a parameter in radians, metres or parts; writers round differently."""

Key = frozenset[float]
"""Numbers of a definition, without those that change nothing."""


def epsg_of(crs: CRS) -> int | None:
    """Return the code of the EPSG CRS that does what `crs` does, or None if there is none.

    Names, and the order of axes, may differ: an image has x and y, whatever they are called.
    Deprecated codes are not given. Where several do the same, one whose axes are as those of
    `crs` comes first, then the lowest.
    """
    key = _key(crs)
    if key is None:
        return None
    kind = PJType.PROJECTED_CRS if crs.is_projected else PJType.GEOGRAPHIC_2D_CRS
    candidates = _codes(kind).get(key, ())
    found = [(CRS.from_epsg(code), code) for code in candidates]
    alike = [code for one, code in found if _same(one, crs)]
    if not alike:
        turned = _with_x_first(crs)
        alike = [code for one, code in found if _same(_with_x_first(one), turned)]
    return min(alike, default=None)


def _same(one: CRS, two: CRS) -> bool:
    return one.equals(two, ignore_axis_order=True)  # of the geographic CRSs beneath


@lru_cache(maxsize=2)
def _codes(kind: PJType) -> dict[Key, tuple[int, ...]]:
    """Return all codes of one kind of CRS by their keys."""
    found: dict[Key, tuple[int, ...]] = {}
    for info in query_crs_info(auth_name="EPSG", pj_types=[kind]):
        code = int(info.code)
        if (key := _key(CRS.from_epsg(code))) is not None:
            found[key] = (*found.get(key, ()), code)
    return found


def _key(crs: CRS) -> Key | None:
    """Return the numbers that two definitions must share to do the same."""
    return frozenset(_numbers(crs)) if crs.is_projected or crs.is_geographic else None


def _numbers(crs: CRS) -> Iterator[float]:
    """Yield the parameters of a projection, or the axes of a geographic CRS's ellipsoid."""
    operation = crs.coordinate_operation
    if crs.is_projected and operation is not None:
        for parameter in operation.params:
            value = parameter.value
            if isinstance(value, int | float) and value not in (0, 1):
                yield _rounded(value * parameter.unit_conversion_factor)
    elif crs.ellipsoid is not None:
        yield _rounded(crs.ellipsoid.semi_major_metre)
        yield _rounded(crs.ellipsoid.semi_minor_metre)


def _with_x_first(crs: CRS) -> CRS:
    """Return `crs` with its axis to the east before that to the north."""
    if [axis.direction for axis in crs.axis_info] != ["north", "east"]:
        return crs
    described = crs.to_json_dict()
    described["coordinate_system"]["axis"].reverse()
    return CRS.from_json_dict(described)


def _rounded(value: float) -> float:
    if not value or not math.isfinite(value):
        return value
    return round(value, _DIGITS - 1 - math.floor(math.log10(abs(value))))
