"""One schema for tables that grew apart: which it is, and how a table is brought to it."""

import json
from collections.abc import Iterable
from functools import reduce
from typing import Final

import pyarrow as pa

from rasteret_assets.contract.kinds import is_binary, is_list, is_number, is_text
from rasteret_assets.errors import TableError

_SIGNED: Final = {8: pa.int16(), 16: pa.int32(), 32: pa.int64()}
"""The signed type that holds an unsigned one of so many bits."""

_UNITS: Final = ("s", "ms", "us", "ns")


def unify(schemas: Iterable[pa.Schema]) -> pa.Schema:
    """Return the schema that has every column of `schemas`, in order of first appearance.

    Structs get every field that any of them has; numbers widen (to double where whole and
    broken ones meet), timestamps take the finer unit, text the plainer layout, null-typed
    columns the type they have elsewhere. Types with nothing in common, such as text here and
    numbers there, become string. Metadata is that of the first schema that has any.
    """
    distinct = list({schema.serialize().to_pybytes(): schema for schema in schemas}.values())
    if not distinct:
        return pa.schema([])
    merged = reduce(_merge_structs, (pa.struct(list(schema)) for schema in distinct))
    metadata = next((schema.metadata for schema in distinct if schema.metadata), None)
    return pa.schema(list(merged), metadata=metadata)


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return `table` with exactly the columns, types and metadata of `schema`.

    Columns and struct fields that `table` lacks are null; columns that `schema` lacks are left
    out. Nested values whose column is text in `schema` become JSON.

    Raises
    ------
    TableError
        If a value does not fit its column's type.
    """
    if table.schema.equals(schema, check_metadata=True):
        return table
    columns = [_column(table, field) for field in schema]
    if not columns:  # with metadata put on last, Arrow would forget how many rows there are
        return table.replace_schema_metadata(schema.metadata).select([])
    return pa.table(columns, schema=schema)


def json_text(value: object) -> str | None:
    """Return `value` as JSON; text stays as it is, and null stays null."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=_json_value)


def _json_value(value: object) -> str:
    """Return what JSON has no form for: bytes in hexadecimal, times as ISO 8601."""
    return value.hex() if isinstance(value, bytes) else str(value)


def _merge_structs(left: pa.StructType, right: pa.StructType) -> pa.StructType:
    if left.equals(right):
        return left
    members = {field.name: field for field in left}
    for field in right:
        known = members.get(field.name)
        members[field.name] = field if known is None else _merge_fields(known, field)
    given = {field.name for field in right} & {field.name for field in left}
    return pa.struct(
        [field if field.name in given else field.with_nullable(True) for field in members.values()]  # noqa: FBT003  # pyarrow's signature
    )


def _merge_fields(left: pa.Field, right: pa.Field) -> pa.Field:
    merged = left.with_type(_merge(left.type, right.type))
    return merged.with_nullable(left.nullable or right.nullable)


def _merge(left: pa.DataType, right: pa.DataType) -> pa.DataType:
    if left.equals(right):
        return left
    left, right = _storage_of(left), _storage_of(right)
    if pa.types.is_null(left) or pa.types.is_null(right):
        return right if pa.types.is_null(left) else left
    if pa.types.is_struct(left) and pa.types.is_struct(right):
        return _merge_structs(left, right)
    if is_list(left) and is_list(right):
        large = any(pa.types.is_large_list(kind) for kind in (left, right))
        make = pa.large_list if large else pa.list_
        return make(_merge(left.value_type, right.value_type))
    if pa.types.is_map(left) and pa.types.is_map(right):
        keys = _merge(left.key_type, right.key_type)
        return pa.map_(keys, _merge(left.item_type, right.item_type))
    return _merge_plain(left, right)


def _merge_plain(left: pa.DataType, right: pa.DataType) -> pa.DataType:
    both = (left, right)
    if all(is_number(kind) for kind in both):
        return _merge_numbers(left, right)
    if all(is_text(kind) for kind in both):
        return pa.large_string() if pa.large_string() in both else pa.string()
    if all(is_binary(kind) for kind in both):
        return pa.large_binary() if pa.large_binary() in both else pa.binary()
    if all(pa.types.is_timestamp(kind) for kind in both) and left.tz == right.tz:
        return pa.timestamp(max(left.unit, right.unit, key=_UNITS.index), left.tz)
    return pa.string()


def _merge_numbers(left: pa.DataType, right: pa.DataType) -> pa.DataType:
    if pa.types.is_floating(left) or pa.types.is_floating(right):
        return pa.float32() if {left, right} == {pa.float16(), pa.float32()} else pa.float64()
    if pa.types.is_signed_integer(left) == pa.types.is_signed_integer(right):
        return max(left, right, key=lambda kind: kind.bit_width)
    signed, unsigned = (left, right) if pa.types.is_signed_integer(left) else (right, left)
    # uint64 with a signed one: int64, as nothing wider is whole; a value beyond is an error.
    holding = _SIGNED.get(unsigned.bit_width, pa.int64())
    return max(signed, holding, key=lambda kind: kind.bit_width)


def _storage_of(kind: pa.DataType) -> pa.DataType:
    """Return what an extension type's values are; other types as they are."""
    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind


def _column(table: pa.Table, field: pa.Field) -> pa.ChunkedArray | pa.Array:
    at = table.schema.get_field_index(field.name)
    if at < 0:
        return pa.nulls(table.num_rows, field.type)
    column = table.column(at)
    if column.type.equals(field.type):
        return column
    if isinstance(column.type, pa.BaseExtensionType):
        storage = [chunk.storage for chunk in column.chunks]
        column = pa.chunked_array(storage, column.type.storage_type)
    try:
        if not _needs_json(column.type, field.type):
            return column.cast(field.type)
        return pa.chunked_array([_rewrite(one, field.type) for one in column.chunks], field.type)
    except pa.ArrowException as error:
        msg = f"column {field.name}: {column.type} does not fit into {field.type}: {error}"
        raise TableError(msg) from error


def _needs_json(source: pa.DataType, target: pa.DataType) -> bool:
    """Return whether somewhere within, a value that Arrow cannot cast has to become text."""
    if pa.types.is_null(source):
        return False
    if is_text(target):
        return bool(pa.types.is_nested(source)) or is_binary(source)
    if pa.types.is_struct(source) and pa.types.is_struct(target):
        given = {field.name: field.type for field in source}
        return any(_needs_json(given[one.name], one.type) for one in target if one.name in given)
    if is_list(source) and is_list(target):
        return _needs_json(source.value_type, target.value_type)
    if pa.types.is_map(source) and pa.types.is_map(target):
        return _needs_json(source.item_type, target.item_type)
    return False


def _rewrite(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return `array` as `kind`, nested values that become text as JSON."""
    if not _needs_json(array.type, kind):
        return array.cast(kind)
    if pa.types.is_struct(kind) and pa.types.is_struct(array.type):
        given = {field.name: array.field(place) for place, field in enumerate(array.type)}
        members = [
            _rewrite(given[one.name], one.type)
            if one.name in given
            else pa.nulls(len(array), one.type)
            for one in kind
        ]
        return pa.StructArray.from_arrays(members, fields=list(kind), mask=array.is_null())
    # Values one by one, but of this one member alone: no kernel writes nested values as text.
    return pa.array([_textual(value, kind) for value in array.to_pylist()], kind)


def _textual(value: object, kind: pa.DataType) -> object:
    """Return a Python value with what is text in `kind` as JSON text."""
    if value is None:
        return None
    if is_text(kind):
        return json_text(value)
    if pa.types.is_struct(kind) and isinstance(value, dict):
        return {one.name: _textual(value.get(one.name), one.type) for one in kind}
    if is_list(kind) and isinstance(value, list):
        return [_textual(one, kind.value_type) for one in value]
    if pa.types.is_map(kind) and isinstance(value, list):
        return [(key, _textual(item, kind.item_type)) for key, item in value]
    return value
