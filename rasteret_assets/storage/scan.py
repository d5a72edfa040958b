"""The rows of one source file, with filter and projection pushed down to what is read."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rasteret_assets.contract.columns import SOURCE_ROW
from rasteret_assets.contract.settings import BuildSettings
from rasteret_assets.errors import SourceError, TableError
from rasteret_assets.geo.geoparquet import GEO_KEY, with_logical_types
from rasteret_assets.storage.batching import rebatch
from rasteret_assets.storage.filesystems import STORE_ERRORS, filesystem_of
from rasteret_assets.storage.pushdown import filter_columns, matching, surviving_row_groups
from rasteret_assets.storage.reading import ParquetReader
from rasteret_assets.storage.sources import SourceFile

_NUMBERS: Final = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceScan:
    """What one source file says of itself, and its rows."""

    schema: pa.Schema
    """The columns asked for, as the file has them, without `SOURCE_ROW`."""
    metadata: Mapping[bytes, bytes]
    """Key-value metadata of the Parquet footer: `geo`, `stac-geoparquet` and others. What only
    the Parquet types of geometry columns say stands in `geo` too."""
    rows: int
    """How many the file has, matching or not."""
    batches: Iterator[pa.Table]
    """The rows that match, in file order: the columns of `schema`, then `SOURCE_ROW`, the
    row's number in the file (int64). To be taken once."""


def scan_source(
    source: SourceFile,
    *,
    columns: Sequence[str] | None,
    filter_expr: pc.Expression | None,
    settings: BuildSettings,
) -> SourceScan:
    """Return the rows of `source` that match `filter_expr`, batch by batch.

    Only row groups whose statistics allow a match are read, and of them only `columns` (None:
    all) and what the filter needs. A column of the source's own called `SOURCE_ROW` is
    replaced. The footer is read at once, the rows as batches are taken.

    Raises
    ------
    SourceError
        If the file is missing, empty, damaged or not Parquet; also while batches are taken.
    TableError
        If the file lacks a column that is asked for, has one name twice, or the filter
        does not suit it.
    """
    reader = _open(source, settings)
    schema = reader.schema
    _check_names(schema, columns, source.uri)
    kept = [name for name in (schema.names if columns is None else columns) if name != SOURCE_ROW]
    needed = [] if filter_expr is None else filter_columns(filter_expr, schema, source.uri)
    return SourceScan(
        schema=pa.schema([schema.field(name) for name in kept], metadata=schema.metadata),
        metadata=_metadata(reader),
        rows=reader.metadata.num_rows,
        batches=_guarded(source, rebatch(_rows(reader, kept, needed, filter_expr), settings)),
    )


def _metadata(reader: ParquetReader) -> dict[bytes, bytes]:
    said = dict(reader.metadata.metadata or {})
    geo = said.get(GEO_KEY)
    text = None if geo is None else geo.decode("utf-8", "replace")
    found = with_logical_types(text, reader.geometry_columns, said)
    return said if found is None else {**said, GEO_KEY: found.encode()}


def _open(source: SourceFile, settings: BuildSettings) -> ParquetReader:
    if source.fault is not None:
        raise SourceError(source.fault)
    if source.size == 0:
        msg = f"{source.uri}: the file is empty (0 bytes); write it anew or remove it"
        raise SourceError(msg)
    fs, path = filesystem_of(source.uri)
    try:
        return ParquetReader(fs, path, settings, source.size)
    except (*STORE_ERRORS, pa.ArrowException) as error:
        raise _unreadable(source, error) from error


def _unreadable(source: SourceFile, error: BaseException) -> SourceError:
    if isinstance(error, FileNotFoundError):
        return SourceError(f"{source.uri}: gone since it was listed; run again")
    said = str(error).partition("\n")[0]
    return SourceError(
        f"{source.uri}: cannot be read as Parquet ({type(error).__name__}: {said}); it may be "
        "damaged, no Parquet file, or have changed since it was listed"
    )


def _check_names(schema: pa.Schema, columns: Sequence[str] | None, uri: str) -> None:
    if repeated := sorted({name for name in schema.names if schema.names.count(name) > 1}):
        msg = f"{uri}: columns {repeated} occur more than once; rename them at the source"
        raise TableError(msg)
    if missing := sorted(set(columns or ()) - set(schema.names)):
        msg = f"{uri}: no column {missing} among {schema.names}; correct the list of columns"
        raise TableError(msg)


def _rows(
    reader: ParquetReader,
    kept: list[str],
    needed: list[str],
    filter_expr: pc.Expression | None,
) -> Iterator[pa.Table]:
    read = list(dict.fromkeys([*kept, *needed]))
    for start, rows in reader.pieces(surviving_row_groups(reader, filter_expr), read):
        numbers = np.arange(start, start + rows.num_rows, dtype=np.int64)
        batch = rows.select(kept).append_column(SOURCE_ROW, pa.array(numbers))
        if filter_expr is not None:
            # The numbers stand in for rows where a filter needs no column at all.
            asked = rows.select(needed).append_column(_NUMBERS, batch.column(SOURCE_ROW))
            batch = batch.filter(matching(asked, filter_expr))
        yield batch


def _guarded(source: SourceFile, batches: Iterator[pa.Table]) -> Iterator[pa.Table]:
    try:
        yield from batches
    except (*STORE_ERRORS, pa.ArrowException) as error:
        raise _unreadable(source, error) from error
