"""One schema for fragments whose tables differ."""

from collections.abc import Iterable
from functools import reduce
from typing import Final

import pyarrow as pa

from rasteret_assets.stages.ids import is_text
from rasteret_assets.stages.json_values import json_text

_SIGNED_BITS: Final = {8: pa.int16(), 16: pa.int32(), 32: pa.int64()}
"""The signed type that holds an unsigned one of so many bits."""

_UNITS: Final = ("s", "ms", "us", "ns")


def unify(schemas: Iterable[pa.Schema]) -> pa.Schema:
    """Return the schema that tables of all `schemas` can be brought to by `conform`.

    Fields come in the order they are first met, struct members likewise. Numbers widen (to
    double where whole and broken ones meet), timestamps take the finer unit, null takes any
    type. Types that have nothing in common become string: their values as JSON text where
    they are nested. Metadata is that of the first schema; every field is nullable.
    """
    parts = list(schemas)
    merged = reduce(_merge_structs, (pa.struct([_open(one) for one in part]) for part in parts))
    first = {field.name: field.metadata for part in reversed(parts) for field in part}
    fields = [field.with_metadata(first[field.name]) for field in merged]
    return pa.schema(fields, metadata=parts[0].metadata)


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return `table` with the columns of `schema`, in its order; what is missing is null.

    Raises
    ------
    ValueError
        If `schema` lacks a column of `table`, or its types do not hold the values: it was
        not made by `unify` from this table's schema among others.
    """
    if unknown := [name for name in table.schema.names if name not in schema.names]:
        msg = f"columns {unknown} are not in the schema to conform to"
        raise ValueError(msg)
    arrays = []
    for field in schema:
        if field.name in table.schema.names:
            arrays.append(_cast(table[field.name], field.type))
        else:
            arrays.append(pa.nulls(table.num_rows, field.type))
    return pa.table(arrays, schema=schema)


def _open(field: pa.Field) -> pa.Field:
    return pa.field(field.name, field.type)


def _merge_structs(left: pa.StructType, right: pa.StructType) -> pa.StructType:
    if left == right:
        return left
    members = {field.name: field.type for field in left}
    for field in right:
        known = members.get(field.name)
        members[field.name] = field.type if known is None else _merge(known, field.type)
    return pa.struct([pa.field(name, kind) for name, kind in members.items()])


def _merge(left: pa.DataType, right: pa.DataType) -> pa.DataType:
    if left == right:
        return left
    if pa.types.is_null(left) or pa.types.is_null(right):
        return right if pa.types.is_null(left) else left
    if pa.types.is_struct(left) and pa.types.is_struct(right):
        return _merge_structs(left, right)
    if _is_list(left) and _is_list(right):
        large = any(pa.types.is_large_list(kind) for kind in (left, right))
        make = pa.large_list if large else pa.list_
        return make(_merge(left.value_type, right.value_type))
    if pa.types.is_map(left) and pa.types.is_map(right):
        return pa.map_(
            _merge(left.key_type, right.key_type), _merge(left.item_type, right.item_type)
        )
    return _merge_scalars(left, right)


def _merge_scalars(left: pa.DataType, right: pa.DataType) -> pa.DataType:
    both = (left, right)
    if all(is_text(kind) for kind in both):
        large = any(pa.types.is_large_string(kind) for kind in both)
        return pa.large_string() if large else pa.string()
    if all(_is_binary(kind) for kind in both):
        large = any(pa.types.is_large_binary(kind) for kind in both)
        return pa.large_binary() if large else pa.binary()
    if all(_is_number(kind) for kind in both):
        return _merge_numbers(left, right)
    if all(pa.types.is_timestamp(kind) for kind in both) and left.tz == right.tz:
        return pa.timestamp(max(left.unit, right.unit, key=_UNITS.index), left.tz)
    return pa.string()


def _merge_numbers(left: pa.DataType, right: pa.DataType) -> pa.DataType:
    if pa.types.is_floating(left) or pa.types.is_floating(right):
        return pa.float32() if {left, right} == {pa.float16(), pa.float32()} else pa.float64()
    if pa.types.is_signed_integer(left) == pa.types.is_signed_integer(right):
        return max(left, right, key=lambda kind: kind.bit_width)
    signed, unsigned = (left, right) if pa.types.is_signed_integer(left) else (right, left)
    holding = _SIGNED_BITS.get(unsigned.bit_width)
    if holding is None:  # uint64: what is over 2^63 has no signed type
        return pa.float64()
    return max(signed, holding, key=lambda kind: kind.bit_width)


def _cast(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if column.type == kind:
        return column
    if not _needs_text(column.type, kind):
        return column.cast(kind)
    return pa.chunked_array([_rewrite(chunk, kind) for chunk in column.chunks], kind)


def _rewrite(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return `array` as `kind`, nested values that become text as JSON."""
    if not _needs_text(array.type, kind):
        return array.cast(kind)
    if pa.types.is_struct(kind) and pa.types.is_struct(array.type):
        given = {field.name: array.field(place) for place, field in enumerate(array.type)}
        members = [
            _rewrite(given[field.name], field.type)
            if field.name in given
            else pa.nulls(len(array), field.type)
            for field in kind
        ]
        return pa.StructArray.from_arrays(members, fields=list(kind), mask=array.is_null())
    # A Python pass, over this one member of this one fragment: nested values have no kernel.
    return pa.array([_textual(value, kind) for value in array.to_pylist()], kind)


def _textual(value: object, kind: pa.DataType) -> object:
    """Return a nested Python value with what is text in `kind` as JSON text."""
    if value is None:
        return None
    if is_text(kind):
        return json_text(value)
    if pa.types.is_struct(kind) and isinstance(value, dict):
        return {one.name: _textual(value.get(one.name), one.type) for one in kind}
    if _is_list(kind) and isinstance(value, list):
        return [_textual(one, kind.value_type) for one in value]
    if pa.types.is_map(kind) and isinstance(value, list):
        return [(key, _textual(item, kind.item_type)) for key, item in value]
    return value


def _needs_text(source: pa.DataType, target: pa.DataType) -> bool:
    """Return whether somewhere within, a value without a cast to text has to become text."""
    if pa.types.is_null(source):
        return False
    if is_text(target):
        return pa.types.is_nested(source) or _is_binary(source)
    if pa.types.is_struct(source) and pa.types.is_struct(target):
        given = {field.name: field.type for field in source}
        return any(_needs_text(given[one.name], one.type) for one in target if one.name in given)
    if _is_list(source) and _is_list(target):
        return _needs_text(source.value_type, target.value_type)
    if pa.types.is_map(source) and pa.types.is_map(target):
        return _needs_text(source.item_type, target.item_type)
    return False


def _is_list(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_list(kind)
        or pa.types.is_large_list(kind)
        or pa.types.is_fixed_size_list(kind)
        or pa.types.is_list_view(kind)
    )


def _is_binary(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_fixed_size_binary(kind)
    )


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))
