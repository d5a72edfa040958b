"""One schema for tables that grew apart: which it is, and how a table is brought to it."""

from collections.abc import Iterable

import pyarrow as pa

from rasteret_assets.errors import TableError


def unify(schemas: Iterable[pa.Schema]) -> pa.Schema:
    """Return the schema that has every column of `schemas`, in order of first appearance.

    Structs get every field that any of them has, numbers and times the wider type, null-typed
    columns the type they have elsewhere. Metadata is that of the first schema that has any.

    Raises
    ------
    TableError
        If a column has types that no common one holds, such as text here and numbers there.
    """
    distinct = list({schema.serialize().to_pybytes(): schema for schema in schemas}.values())
    if not distinct:
        return pa.schema([])
    try:
        return pa.unify_schemas(distinct, promote_options="permissive")
    except pa.ArrowException as error:
        msg = (
            f"the source files disagree on a column's type: {error}; leave that column out with "
            "columns=[...], or write the files with one type"
        )
        raise TableError(msg) from error


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return `table` with exactly the columns, types and metadata of `schema`.

    Columns and struct fields that `table` lacks are null; columns that `schema` lacks are left
    out.

    Raises
    ------
    TableError
        If a value does not fit its column's type.
    """
    if table.schema.equals(schema, check_metadata=True):
        return table
    columns = [_column(table, field) for field in schema]
    if not columns:
        return table.select([]).replace_schema_metadata(schema.metadata)
    return pa.table(columns, schema=schema)


def _column(table: pa.Table, field: pa.Field) -> pa.ChunkedArray | pa.Array:
    at = table.schema.get_field_index(field.name)
    if at < 0:
        return pa.nulls(table.num_rows, field.type)
    column = table.column(at)
    if column.type.equals(field.type):
        return column
    try:
        return column.cast(field.type)
    except pa.ArrowException as error:
        msg = f"column {field.name}: {column.type} does not fit into {field.type}: {error}"
        raise TableError(msg) from error
