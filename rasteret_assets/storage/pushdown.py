"""What of a Parquet file a filter needs: which columns, which row groups."""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from rasteret_assets.errors import TableError
from rasteret_assets.storage.reading import ParquetReader


def filter_columns(expression: pc.Expression, schema: pa.Schema, uri: str) -> list[str]:
    """Return the names of the columns that `expression` reads, in the schema's order.

    Arrow does not tell what an expression refers to, but it refuses to bind one to a schema
    that lacks a column: so each column is left out once.

    Raises
    ------
    TableError
        If the expression names a column that `schema` lacks, or does not suit its types.
    """
    if (fault := _fault(expression, schema)) is not None:
        said = str(fault).partition(" in ")[0].partition("\n")[0]
        msg = f"{uri}: the filter cannot be applied: {said}; the columns are {schema.names}"
        raise TableError(msg) from fault
    without = ((name, schema.remove(i)) for i, name in enumerate(schema.names))
    return [name for name, others in without if _fault(expression, others) is not None]


def _fault(expression: pc.Expression, schema: pa.Schema) -> pa.ArrowException | None:
    try:
        ds.dataset(schema.empty_table()).scanner(filter=expression)
    except pa.ArrowException as error:
        return error
    return None


def surviving_row_groups(reader: ParquetReader, expression: pc.Expression | None) -> list[int]:
    """Return the row groups that, by their statistics, may hold rows that match, in order."""
    if expression is None:
        return list(range(reader.metadata.num_row_groups))
    fragment = ds.ParquetFileFormat().make_fragment(reader.file)
    parts = fragment.split_by_row_group(expression, schema=reader.schema)
    return [group.id for part in parts for group in part.row_groups]


def matching(rows: pa.Table, expression: pc.Expression) -> pa.ChunkedArray:
    """Return a mask of the rows that match, null where the filter cannot tell.

    A scan keeps the order of rows, which `Table.filter` with an expression does not promise.
    """
    return ds.dataset(rows).scanner(columns={"match": expression}).to_table().column("match")
