"""Where on earth an image lies: its transform, or its ground control points; its CRS."""

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import cycle
from operator import add
from struct import calcsize, unpack
from typing import Final

from rasteret_assets.errors import ProblemCode, TiffError
from rasteret_assets.tiff import tags
from rasteret_assets.tiff.crs import Place, place_of
from rasteret_assets.tiff.images import Value

_DOUBLES: Final = (tags.MODEL_PIXEL_SCALE, tags.MODEL_TIEPOINT, tags.MODEL_TRANSFORMATION)
_TIEPOINT: Final = 6
_REMEMBERED_BYTES: Final = 8 << 10
"""Of GeoKeys, as the cache's keys hold them; thousands of them are kept."""
_MATRIX: Final = 16
_NOWHERE: Final = Place(None, pixel_is_point=False, vertical_unit=None, notes=())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Georeference:
    """Where a file's image lies. Files of the same tags share one object."""

    transform: tuple[float, ...] | None
    """Scale x, origin x, scale y, origin y of pixel corners; or, if rotated, the six numbers
    a, b, c, d, e, f of x = a col + b row + c, y = d col + e row + f."""
    pixel_scale: tuple[float, ...] | None
    tiepoint: tuple[float, ...] | None
    """The first one, as in the file: i, j, k, x, y, z."""
    gcps: tuple[float, ...] | None
    """i, j, k, x, y, z of every ground control point, i and j counted from pixel corners."""
    crs: str | None
    pixel_is_point: bool
    vertical_unit: str | None
    """Unit of heights, which is the bands' unless they have one of their own."""
    notes: tuple[str, ...]


@lru_cache(maxsize=4096)
def georeference_of(byte_order: str, values: tuple[Value, ...]) -> Georeference:
    """Return where an image lies that has these tags.

    Order and signs are GDAL's: pixel scale and tiepoint, else the matrix, else control points;
    a negative vertical scale means north-up as well.

    Raises
    ------
    TiffError
        `corrupt`, if text stands where numbers belong.
    """
    given = {value.tag: value for value in values}
    place = _place(byte_order, given)
    scale, tiepoints, matrix = (_doubles(byte_order, given.get(tag)) for tag in _DOUBLES)
    notes = list(place.notes)
    usable = len(scale) > 1 and scale[0] != 0 and scale[1] != 0
    affine = None
    if usable and len(tiepoints) >= _TIEPOINT:
        affine = _from_scale(scale, tiepoints)
    elif usable:
        notes.append("pixel scale without a tiepoint: the place is unknown")
    elif len(matrix) == _MATRIX:
        affine = (matrix[0], matrix[1], matrix[3], matrix[4], matrix[5], matrix[7])
    points = () if usable or affine else tiepoints[: len(tiepoints) // _TIEPOINT * _TIEPOINT]
    if not all(map(math.isfinite, points)):
        notes.append("ground control points that are not finite")
        points = ()
    shift = 0.5 if place.pixel_is_point else 0.0
    if affine is not None and not _sound(affine):
        notes.append(f"transform {affine} cannot be inverted")
        affine = None
    return Georeference(
        transform=None if affine is None else _short(affine, shift),
        pixel_scale=scale if affine is not None and usable else None,
        tiepoint=tiepoints[:_TIEPOINT] if affine is not None and usable else None,
        gcps=_shifted(points, shift) if points else None,
        crs=place.crs,
        pixel_is_point=place.pixel_is_point,
        vertical_unit=place.vertical_unit,
        notes=tuple(notes),
    )


def _place(byte_order: str, given: dict[int, Value]) -> Place:
    directory = given.get(tags.GEO_KEY_DIRECTORY)
    if directory is None:
        return _NOWHERE
    if directory.code != "H":
        detail = f"GeoKeyDirectory is of type {directory.code}, not SHORT"
        raise TiffError(ProblemCode.CORRUPT, detail)
    doubles = given.get(tags.GEO_DOUBLE_PARAMS)
    text = given.get(tags.GEO_ASCII_PARAMS)
    parts = (
        directory.data,
        doubles.data if doubles is not None and doubles.code == "d" else b"",
        text.data if text is not None else b"",
    )
    make = place_of if sum(map(len, parts)) <= _REMEMBERED_BYTES else place_of.__wrapped__
    return make(byte_order, *parts)


def _doubles(byte_order: str, value: Value | None) -> tuple[float, ...]:
    if value is None:
        return ()
    if value.code not in "BHIQbhiqfd":
        detail = f"tag {value.tag} is of type {value.code}, not numbers"
        raise TiffError(ProblemCode.CORRUPT, detail)
    count = len(value.data) // calcsize(byte_order + value.code)
    return tuple(map(float, unpack(f"{byte_order}{count}{value.code}", value.data)))


def _from_scale(scale: tuple[float, ...], tiepoint: tuple[float, ...]) -> tuple[float, ...]:
    column, row, _, x, y, _ = tiepoint[:_TIEPOINT]
    scale_x, scale_y = scale[0], -abs(scale[1])
    return (scale_x, 0.0, x - column * scale_x, 0.0, scale_y, y - row * scale_y)


def _sound(affine: tuple[float, ...]) -> bool:
    a, b, _, d, e, _ = affine
    return all(map(math.isfinite, affine)) and a * e - b * d != 0


def _short(affine: tuple[float, ...], shift: float) -> tuple[float, ...]:
    """Return four numbers, or six if rotated, with the origin at the corner of a pixel."""
    a, b, c, d, e, f = affine
    x, y = c - shift * (a + b), f - shift * (d + e)
    return (a, x, e, y) if b == d == 0 else (a, b, x, d, e, y)


def _shifted(points: tuple[float, ...], shift: float) -> tuple[float, ...]:
    """Return control points with `shift` added to i and j."""
    shifts = cycle((shift, shift, 0.0, 0.0, 0.0, 0.0))
    return tuple(map(add, points, shifts))
