"""Geometries of Arrow data: which column they are, and what its field says of them.

Where no extension type is registered, its name and CRS are in the field alone; an array or a
type without its field has lost them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rasteret_assets.errors import ReadError, TableError
from rasteret_assets.geo.footprints import footprints, is_geometry
from rasteret_assets.geo.geoparquet import (
    GEO_KEY,
    GeoMetadata,
    extension_of,
    geometry_form,
    parse_geo,
    storage_of,
)

Geometries = NDArray[np.object_]
"""shapely geometries."""


@runtime_checkable
class ArrowStream(Protocol):
    """Chunked columns of any Arrow library."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return a stream of chunks."""
        ...


@runtime_checkable
class ArrowArray(Protocol):
    """Columns of any Arrow library."""

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        """Return schema and array."""
        ...


@runtime_checkable
class ArrowSchema(Protocol):
    """A field of any Arrow library, or what has one."""

    def __arrow_c_schema__(self) -> object:
        """Return the field."""
        ...


@dataclass(frozen=True, slots=True)
class _Field:
    """A field that came with an array."""

    capsule: object

    def __arrow_c_schema__(self) -> object:
        return self.capsule


def arrow_geometries(value: ArrowStream | ArrowArray) -> tuple[Geometries, bool]:
    """Return geometries, None where a value is none, and whether they name their CRS.

    Those that do are in longitude and latitude now. Of a table, the geometries are those of
    its `geometry_column`.

    Raises
    ------
    ReadError
        If there are none that can be read.
    """
    field, chunks = _column(value)
    geo = geo_of(field)
    if pa.types.is_struct(field.type) and not extension_of(field)[0]:
        columns = list(field.type)
        if (name := geometry_column(columns, geo)) is not None:
            at = field.type.get_field_index(name)
            field, chunks = columns[at], [chunk.field(at) for chunk in chunks]
    if not is_geometry(field):
        msg = f"Arrow data of {field.type} has no geometries; name the column of a table geometry"
        raise ReadError(msg)
    try:
        form = geometry_form(field, geo)
        kind = storage_of(field)
        decoded = [footprints(_storage(chunk).cast(kind), form).geometries for chunk in chunks]
    except (TableError, pa.ArrowInvalid) as error:
        msg = f"Arrow data of {field.type} holds no geometries that can be read: {error}"
        raise ReadError(msg) from error
    return np.concatenate([np.empty(0, object), *decoded]), form.crs is not None


def geometry_column(fields: Iterable[pa.Field], geo: GeoMetadata | None) -> str | None:
    """Return which column of a table has its geometries; None if there is none.

    That is `geometry`, else what GeoParquet's metadata calls the primary one, else the first
    of a GeoArrow type.
    """
    found = {field.name: extension_of(field)[0] for field in fields}
    primary = (geo or {}).get("primary_column")
    named = [name for name in ("geometry", primary) if isinstance(name, str) and name in found]
    typed = [name for name, kind in found.items() if kind.startswith(("geoarrow.", "ogc."))]
    return next(iter(named + typed), None)


def geo_of(said: pa.Field | pa.Schema) -> GeoMetadata | None:
    """Return what GeoParquet's metadata says, where a table read from a file still has it."""
    text = (said.metadata or {}).get(GEO_KEY)
    return parse_geo(None if text is None else text.decode(), "the table")


def _column(value: ArrowStream | ArrowArray) -> tuple[pa.Field, list[pa.Array]]:
    """Return a column, or a table as a column of structs, with its field."""
    if isinstance(value, ArrowArray):
        return pa.field(_Field(value.__arrow_c_array__()[0])), [pa.array(value)]
    if isinstance(value, pa.Table | pa.RecordBatchReader):
        schema = value.schema
        field = pa.field("", pa.struct(list(schema)), metadata=schema.metadata)
        return field, pa.chunked_array(value).chunks
    column = pa.chunked_array(value)
    said = pa.field(value) if isinstance(value, ArrowSchema) else pa.field("", column.type)
    return said, column.chunks


def _storage(chunk: pa.Array) -> pa.Array:
    return chunk.storage if isinstance(chunk, pa.ExtensionArray) else chunk
