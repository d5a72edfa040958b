"""GeoParquet's `geo` metadata: what a source says of its geometry, what a Collection says."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from rasteret_assets.errors import TableError

GEO_KEY: Final = b"geo"
EXTENSION_NAME: Final = b"ARROW:extension:name"
EXTENSION_METADATA: Final = b"ARROW:extension:metadata"

_WKB_NAMES: Final = (
    "Geometry",
    "Point",
    "LineString",
    "Polygon",
    "MultiPoint",
    "MultiLineString",
    "MultiPolygon",
    "GeometryCollection",
)
_WKB_SUFFIXES: Final = ("", " Z", " M", " ZM")
"""By thousands of the type code (OGC 06-103r4, section 8.2.3)."""

GeoMetadata = Mapping[str, object]
"""The parsed value of the `geo` key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GeometryForm:
    """How a geometry column is written."""

    encoding: str | None
    """`wkb`, `wkt`, `point` … `multipolygon`, in lower case; None if nothing says so."""
    crs: str | None
    """PROJJSON or another text PROJ reads; None means longitude and latitude."""


def parse_geo(text: str | None, source: str) -> GeoMetadata | None:
    """Return what `text`, a Parquet footer's `geo` key, says; None where there is none.

    Raises
    ------
    TableError
        If it is not a JSON object: its CRS would be guesswork.
    """
    if text is None:
        return None
    try:
        value = json.loads(text)
    except ValueError as error:
        msg = f"{source}: the 'geo' key of the footer is not JSON: {error}"
        raise TableError(msg) from error
    if not isinstance(value, dict):
        msg = f"{source}: the 'geo' key of the footer is a {type(value).__name__}, not an object"
        raise TableError(msg)
    return value


def with_logical_types(
    text: str | None, columns: Mapping[str, str], footer: Mapping[bytes, bytes]
) -> str | None:
    """Return the `geo` key, with what only the Parquet types of columns say added to it.

    GeoParquet 2.0 writes geometry as Parquet's GEOMETRY, whose CRS may be all there is.

    Parameters
    ----------
    text
        The footer's `geo` key; None where there is none. One that is no JSON is given back.
    columns
        Names of GEOMETRY and GEOGRAPHY columns, and their CRS as Parquet has it: empty for
        OGC:CRS84, PROJJSON, `projjson:` and a key of the footer, `srid:` and a number, or any
        other text.
    footer
        Key-value metadata of the file.
    """
    try:
        said = {} if text is None else json.loads(text)
    except ValueError:
        return text
    known = said.get("columns", {}) if isinstance(said, dict) else None
    if not columns or not isinstance(known, dict):
        return text
    told = {
        name: {"encoding": "WKB", **({"crs": _spelled_out(crs, footer)} if crs else {})}
        for name, crs in columns.items()
    }
    for name, column in known.items():
        told[name] = {**told.get(name, {}), **column} if isinstance(column, dict) else column
    return json.dumps({**said, "columns": told}, sort_keys=True)


def _spelled_out(crs: str, footer: Mapping[bytes, bytes]) -> str:
    """Return a CRS of Parquet's as a text that PROJ reads (Parquet, logical types, GEOMETRY)."""
    kind, colon, rest = crs.partition(":")
    if colon and kind == "projjson":
        return footer.get(rest.encode(), b"").decode() or crs
    return f"EPSG:{rest}" if colon and kind == "srid" and rest.isdigit() else crs


def storage_of(field: pa.Field) -> pa.DataType:
    """Return the type of the field's values, whether its extension type is registered or not."""
    extension = isinstance(field.type, pa.BaseExtensionType)
    return field.type.storage_type if extension else field.type


def extension_of(field: pa.Field) -> tuple[str, str]:
    """Return name and metadata of the field's extension type, empty if it has none.

    Arrow hides both in the field's metadata where no such type is registered, so that the
    same file reads either way, depending on what else the process has imported.
    """
    if isinstance(field.type, pa.BaseExtensionType):
        metadata = field.type.__arrow_ext_serialize__()
        return field.type.extension_name, metadata.decode()
    found = field.metadata or {}
    return found.get(EXTENSION_NAME, b"").decode(), found.get(EXTENSION_METADATA, b"").decode()


def geometry_form(field: pa.Field, geo: GeoMetadata | None) -> GeometryForm:
    """Return how the column `field` is written.

    The `geo` key decides; where it says nothing of the column (or there is none: GeoParquet
    2.0 allows that), the field's extension type does. A CRS that is absent means OGC:CRS84;
    one that is null is unknown, and taken to be OGC:CRS84 too: were it anything projected,
    the range of its numbers would give it away row by row.
    """
    name, serialized = extension_of(field)
    encoding = name.removeprefix("geoarrow.").removeprefix("ogc.").lower() or None
    columns = (geo or {}).get("columns")
    column = columns.get(field.name) if isinstance(columns, dict) else None
    if isinstance(column, dict):
        return GeometryForm(
            encoding=str(column.get("encoding", encoding or "")).lower() or None,
            crs=_text(column.get("crs")),
        )
    if name and serialized:
        try:
            described = json.loads(serialized)
        except ValueError:  # older writers put other things here; the name still holds
            described = None
        if isinstance(described, dict):
            return GeometryForm(encoding=encoding, crs=_text(described.get("crs")))
    return GeometryForm(encoding=encoding, crs=None)


def _text(crs: object) -> str | None:
    if crs is None or isinstance(crs, str):
        return _spelled_out(crs, {}) if crs else None
    return json.dumps(crs, sort_keys=True)


def geo_metadata(
    geometry_types: Collection[str], bounds: tuple[float, float, float, float] | None
) -> dict[bytes, bytes]:
    """Return the `geo` key of a Collection's files (GeoParquet 1.1.0).

    Parameters
    ----------
    geometry_types
        Those that occur, as GeoParquet spells them (`MultiPolygon`, `Polygon Z`); empty means
        unknown.
    bounds
        Left, bottom, right, top of all records, in degrees.

    Notes
    -----
    No `crs` member: absent means OGC:CRS84 (GeoParquet 1.1, "crs").
    """
    corners = ("xmin", "ymin", "xmax", "ymax")
    column: dict[str, object] = {
        "encoding": "WKB",
        "geometry_types": sorted(geometry_types),
        "covering": {"bbox": {corner: ["bbox", corner] for corner in corners}},
    }
    if bounds is not None:
        column["bbox"] = list(bounds)
    value = {
        "version": "1.1.0",
        "primary_column": "geometry",
        "columns": {"geometry": column},
    }
    return {GEO_KEY: json.dumps(value).encode()}


def wkb_types(column: pa.ChunkedArray) -> set[str]:
    """Return the geometry types of little-endian ISO WKB, as GeoParquet spells them."""
    codes = pc.unique(pc.binary_slice(column.drop_null(), 1, 5))
    numbers = [int.from_bytes(code.as_py(), "little") for code in codes]  # few: one a type
    return {_WKB_NAMES[number % 1000] + _WKB_SUFFIXES[number // 1000] for number in numbers}
