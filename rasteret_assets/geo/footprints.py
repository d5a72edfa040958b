"""Geometry columns of every form, as shapely geometries in longitude and latitude."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray

from rasteret_assets.contract.kinds import is_binary, is_text
from rasteret_assets.geo.antimeridian import cut_crossing, cut_overhang, is_wide
from rasteret_assets.geo.bounds import TOLERANCE
from rasteret_assets.geo.crs import to_lonlat, transform_geometries
from rasteret_assets.geo.geoparquet import GeometryForm, storage_of
from rasteret_assets.geo.native import from_native, native_depth

_MOST_LON: Final = 361.0
_MOST_LAT: Final = 91.0
"""Degrees; half a pixel of a coarse global grid over a full turn, and over the pole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprints:
    """A geometry column in longitude and latitude. All arrays have a value for each row."""

    geometries: NDArray[np.object_]
    """shapely geometries; None where `missing` or where it cannot be decoded."""
    missing: NDArray[np.bool_]
    """Null, or empty."""
    undecodable: NDArray[np.bool_]
    """There is a value, but it is no geometry."""
    unfinite: NDArray[np.bool_]
    """Some coordinate is nan or infinite, or has no place in longitude and latitude."""
    outside: NDArray[np.bool_]
    """Some coordinate is no longitude, even if counted further than ±180, or no latitude."""

    @property
    def sound(self) -> NDArray[np.bool_]:
        """Rows whose geometry can be used."""
        return ~(self.missing | self.undecodable | self.unfinite | self.outside)


def is_geometry(field: pa.Field) -> bool:
    """Return whether `footprints` can read a column of this type."""
    kind = storage_of(field)
    return pa.types.is_null(kind) or is_text(kind) or is_binary(kind) or native_depth(kind) >= 0


def footprints(column: pa.Array, form: GeometryForm) -> Footprints:
    """Return the geometries of `column`.

    Parameters
    ----------
    column
        WKB, WKT, GeoJSON or hexadecimal WKB as text, GeoArrow's nested lists, or null: the
        storage of its extension type, where it has one.
    form
        What the table's metadata says of it. Coordinates of another CRS are transformed,
        and cut at ±180 where that makes them span more than half the world.

    Notes
    -----
    What reaches beyond ±180, as longitudes from 0 to 360 do, is brought back into the world
    and cut at ±180 (RFC 7946, section 3.1.9). What reaches beyond a pole by up to a degree
    is cut off: grids registered by pixel centres do so.

    Raises
    ------
    TableError
        If the CRS is not understood.
    """
    with np.errstate(invalid="ignore"):  # nan in a geometry is looked for below
        geometries = _decode(column, form.encoding)
    empty = shapely.is_empty(geometries)
    null = pc.is_null(column).to_numpy(zero_copy_only=False)
    unknown = shapely.is_missing(geometries)
    transformer = None if form.crs is None else to_lonlat(form.crs)
    if transformer is not None:
        geometries = transform_geometries(geometries, transformer)
    unfinite = _unfinite(geometries)
    if transformer is not None:
        geometries = cut_crossing(geometries, is_wide(geometries) & ~unfinite)
    bounds = shapely.bounds(geometries)
    on_earth = (np.abs(bounds) <= (_MOST_LON, _MOST_LAT, _MOST_LON, _MOST_LAT)).all(axis=1)
    edge = np.array((180, 90, 180, 90)) + TOLERANCE
    beyond = on_earth & ~unfinite & (np.abs(bounds) > edge).any(axis=1)
    geometries = cut_overhang(geometries, beyond)
    missing = null | empty
    return Footprints(
        geometries=geometries,
        missing=missing,
        undecodable=unknown & ~null,
        unfinite=unfinite,
        outside=~on_earth & ~missing & ~unknown & ~unfinite,
    )


def wkb(geometries: NDArray[np.object_]) -> pa.Array:
    """Return the geometries as little-endian ISO WKB (Arrow binary), null where None."""
    encoded = shapely.to_wkb(geometries, byte_order=1, flavor="iso")
    return pa.array(encoded, pa.binary(), from_pandas=True)


def _decode(column: pa.Array, encoding: str | None) -> NDArray[np.object_]:
    kind = column.type
    if pa.types.is_null(kind):
        return np.full(len(column), None, object)
    if is_binary(kind):
        values = column.cast(pa.large_binary()).to_numpy(zero_copy_only=False)
        return np.asarray(shapely.from_wkb(values, on_invalid="ignore"))
    if is_text(kind):
        return _from_text(column.cast(pa.large_string()))
    return from_native(column, encoding)


def _from_text(column: pa.Array) -> NDArray[np.object_]:
    """Return geometries of GeoJSON (begins with a brace), hexadecimal WKB, or (E)WKT."""
    text = pc.utf8_trim_whitespace(column)
    text = pc.replace_substring_regex(text, r"^(?i)SRID=\d+;\s*", "")
    json = pc.fill_null(pc.starts_with(text, "{"), fill_value=False)
    json = json.to_numpy(zero_copy_only=False)
    hexadecimal = pc.fill_null(pc.match_substring_regex(text, "^[0-9A-Fa-f]+$"), fill_value=False)
    hexadecimal = hexadecimal.to_numpy(zero_copy_only=False)
    values = text.to_numpy(zero_copy_only=False)
    found = np.full(len(values), None, object)
    found[json] = shapely.from_geojson(values[json], on_invalid="ignore")
    found[hexadecimal] = shapely.from_wkb(values[hexadecimal], on_invalid="ignore")
    rest = ~(json | hexadecimal)
    found[rest] = shapely.from_wkt(values[rest], on_invalid="ignore")
    return found


def _unfinite(geometries: NDArray[np.object_]) -> NDArray[np.bool_]:
    points, row = shapely.get_coordinates(geometries, return_index=True)
    found = np.zeros(len(geometries), np.bool_)
    found[row[~np.isfinite(points).all(axis=1)]] = True
    return found
