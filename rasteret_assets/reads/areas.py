"""What a caller may name as an area, and the one form it takes here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol, runtime_checkable

import numpy as np
import pyproj
import shapely
from shapely.geometry import shape

from rasteret_assets.errors import ReadError
from rasteret_assets.geo.crs import LONLAT, transform_geometries
from rasteret_assets.geo.grid import Bounds
from rasteret_assets.reads.geometry_columns import (
    ArrowArray,
    ArrowStream,
    Geometries,
    arrow_geometries,
)

BOX_NUMBERS: Final = 4
_BOX_STEPS: Final = 21
"""Straight pieces each edge of a box is cut into before it is brought to another CRS, as
GDAL does; its edges are curves there."""


@runtime_checkable
class GeoFrame(Protocol):
    """A GeoDataFrame or GeoSeries."""

    crs: object

    @property
    def geometry(self) -> "SupportsToNumpy":
        """Its geometries."""
        ...


class SupportsToNumpy(Protocol):
    """A GeoSeries, as far as it is used here."""

    def to_numpy(self) -> Geometries:
        """Return shapely geometries."""
        ...


@runtime_checkable
class HasGeoInterface(Protocol):
    """What many libraries' geometries have: a GeoJSON object."""

    @property
    def __geo_interface__(self) -> Mapping[str, object]:
        """The object."""
        ...


AreaLike = (
    tuple[float, float, float, float]
    | shapely.Geometry
    | bytes
    | Mapping[str, object]
    | GeoFrame
    | HasGeoInterface
    | ArrowStream
    | ArrowArray
    | Sequence[object]
)
"""A box (left, bottom, right, top), Shapely geometries, WKB, GeoJSON objects, Arrow or GeoArrow
arrays or tables, a GeoDataFrame or GeoSeries; or a sequence of such geometries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """Geometries to read, together."""

    crs: str
    geometries: Geometries
    """shapely geometries, none missing, none empty."""
    clips: bool
    """Whether pixels outside are left out; not so for boxes, which mean all they touch."""

    @property
    def crosses(self) -> bool:
        """Whether it is a box across the antimeridian, kept as its two halves."""
        return not self.clips and len(self.geometries) > 1

    @property
    def bounds(self) -> Bounds:
        """The box around all."""
        left, bottom, right, top = shapely.total_bounds(self.geometries).tolist()
        return left, bottom, right, top

    def to(self, crs: str) -> "Area":
        """Return the area in another CRS; edges of geometries stay straight.

        Raises
        ------
        ReadError
            If part of it has no place there, or there is no way at all.
        """
        if crs == self.crs or (transformer := _transformer(self.crs, crs)) is None:
            return Area(crs=crs, geometries=self.geometries, clips=self.clips)
        geometries = self.geometries
        if not self.clips:
            sides = shapely.bounds(geometries)
            longest = np.maximum(sides[:, 2] - sides[:, 0], sides[:, 3] - sides[:, 1])
            if (longest > 0).all():  # GEOS refuses points
                geometries = shapely.segmentize(geometries, longest / _BOX_STEPS)
        moved = transform_geometries(geometries, transformer)
        if not np.isfinite(shapely.total_bounds(moved)).all():
            msg = f"part of the area {self.bounds} has no place in {crs[:80]}; ask for less of it"
            raise ReadError(msg)
        return Area(crs=crs, geometries=moved, clips=self.clips)


@lru_cache(maxsize=256)
def _transformer(source: str, target: str) -> pyproj.Transformer | None:
    one, two = pyproj.CRS.from_user_input(source), pyproj.CRS.from_user_input(target)
    if one.to_2d().equals(two.to_2d(), ignore_axis_order=True):
        return None
    try:
        return pyproj.Transformer.from_crs(one.to_2d(), two.to_2d(), always_xy=True)
    except pyproj.exceptions.ProjError as error:
        msg = f"PROJ knows no way from {one.name} to {two.name}; give the area in the files' CRS"
        raise ReadError(msg) from error


def checked_crs(crs: object) -> str:
    """Return a CRS as text that PROJ reads, short where an authority has a code for it.

    Raises
    ------
    ReadError
        If PROJ does not understand it.
    """
    try:
        found = pyproj.CRS.from_user_input(crs)
    except pyproj.exceptions.CRSError as error:
        msg = f"{str(crs)[:80]!r} is no CRS; name one as 'EPSG:32632' or by its WKT"
        raise ReadError(msg) from error
    authority = found.to_authority(min_confidence=100)
    return ":".join(authority) if authority else str(found.to_wkt())


def area_of(geometries: AreaLike, geometry_crs: object) -> Area:
    """Return the area that a caller means.

    Parameters
    ----------
    geometry_crs
        CRS of the coordinates, x before y whatever it says; GeoDataFrames and GeoArrow data
        that name theirs keep it. A box in longitude and latitude may cross the antimeridian
        by left > right.

    Raises
    ------
    ReadError
        If there is no geometry, or a value is none.
    """
    crs = checked_crs(geometry_crs)
    if _is_box(geometries):
        return _box(geometries, crs)  # type: ignore[arg-type]  # four numbers, as just checked
    found, named = _geometries(geometries, crs)
    if not len(found):
        msg = "geometries is empty; give at least one, or a box (left, bottom, right, top)"
        raise ReadError(msg)
    unusable = np.flatnonzero(shapely.is_missing(found) | shapely.is_empty(found))
    if len(unusable):
        msg = f"geometry {unusable[0]} is missing, empty or no geometry ({len(unusable)} such)"
        raise ReadError(msg)
    return Area(crs=named, geometries=shapely.force_2d(found), clips=True)


def _is_box(value: object) -> bool:
    return (
        isinstance(value, list | tuple | np.ndarray)
        and len(value) == BOX_NUMBERS
        and all(isinstance(one, int | float | np.number) for one in value)
    )


def _box(numbers: Sequence[float], crs: str) -> Area:
    left, bottom, right, top = (float(number) for number in numbers)
    halves = [(left, bottom, right, top)]
    if left > right and pyproj.CRS.from_user_input(crs).is_geographic:
        halves = [(left, bottom, 180.0, top), (-180.0, bottom, right, top)]
    sound = all(west <= east for west, _, east, _ in halves) and bottom <= top
    if not sound or not np.isfinite(halves).all():
        msg = f"box {tuple(numbers)} is not left, bottom, right, top"
        raise ReadError(msg)
    geometries = np.array([shapely.box(*half) for half in halves], object)
    return Area(crs=crs, geometries=geometries, clips=False)


def _geometries(value: object, crs: str) -> tuple[Geometries, str]:
    """Return shapely geometries, None where a value is none, and their CRS."""
    if isinstance(value, shapely.Geometry | bytes | Mapping):
        return _each([value]), crs
    if isinstance(value, ArrowStream | ArrowArray) and not hasattr(value, "geometry"):
        found, names_crs = arrow_geometries(value)
        return found, LONLAT if names_crs else crs
    if hasattr(value, "geometry") and isinstance(value, GeoFrame):
        named = crs if value.crs is None else checked_crs(value.crs)
        return np.asarray(value.geometry.to_numpy(), object), named
    if isinstance(value, HasGeoInterface):
        return _each([value.__geo_interface__]), crs
    if isinstance(value, Sequence | np.ndarray) and not isinstance(value, str):
        return _each(list(value)), crs
    msg = f"a {type(value).__name__} is no area; give a box, geometries, WKB or GeoJSON"
    raise ReadError(msg)


def _each(values: Sequence[object]) -> Geometries:
    found: list[object] = []
    for value in values:
        if isinstance(value, Mapping) and value.get("type") == "FeatureCollection":
            found.extend(_each(value["features"]))
        else:
            found.append(_one(value))
    geometries = np.empty(len(found), object)
    geometries[:] = found
    return geometries


def _one(value: object) -> shapely.Geometry | None:
    if isinstance(value, shapely.Geometry) or value is None:
        return value
    if isinstance(value, bytes):
        return shapely.from_wkb(value, on_invalid="ignore")
    if isinstance(value, HasGeoInterface) and not isinstance(value, Mapping):
        value = value.__geo_interface__
    if isinstance(value, Mapping):
        inner = value.get("geometry") if value.get("type") == "Feature" else value
        try:
            return None if inner is None else shape(dict(inner))
        except (shapely.GEOSException, KeyError, TypeError, ValueError, AttributeError) as error:
            msg = f"{str(value)[:80]} is no GeoJSON geometry"
            raise ReadError(msg) from error
    msg = f"a {type(value).__name__} is no geometry; give Shapely, WKB or GeoJSON"
    raise ReadError(msg)
