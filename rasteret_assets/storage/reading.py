"""Parquet files read by row group and column, in pieces of bounded size."""

import json
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.spec import AbstractFileSystem

from rasteret_assets.contract.settings import BuildSettings
from rasteret_assets.storage.filesystems import is_local
from rasteret_assets.storage.ranges import RangeFile

_PIECE_ROWS: Final = 4096
"""Rows decoded at once, at most. The footer tells how long rows are when encoded, and
dictionaries hide how much longer they get; few rows at a time keep that harmless."""
_BUFFER_BYTES: Final = 256 << 10
"""What is read at once of one column where a row group is not fetched whole."""
_GEOMETRIES: Final = ("GEOMETRY", "GEOGRAPHY")


class ParquetReader:
    """One Parquet file whose footer has been read.

    Parameters
    ----------
    fs, path
        Where the file is.
    settings
        How much is decoded, and fetched ahead, at a time.
    size
        The file's length in bytes, where it is known: saves a request.

    Raises
    ------
    OSError, pyarrow.ArrowException
        If the file cannot be read, or is not Parquet; also later, while reading.
    """

    def __init__(
        self,
        fs: AbstractFileSystem,
        path: str,
        settings: BuildSettings,
        size: int | None = None,
    ) -> None:
        self._settings = settings
        self._remote: RangeFile | None = None
        if is_local(fs):
            self.file = pa.OSFile(path)
        else:
            self._remote = RangeFile(fs, path, fs.size(path) if size is None else size)
            self.file = pa.PythonFile(self._remote, "r")
        self._whole_chunks = pq.ParquetFile(
            self.file, pre_buffer=False, arrow_extensions_enabled=False
        )
        self.metadata = self._whole_chunks.metadata
        self._buffered = pq.ParquetFile(
            self.file,
            metadata=self.metadata,
            buffer_size=_BUFFER_BYTES,
            pre_buffer=False,
            arrow_extensions_enabled=False,  # which differ by what else the process has imported
        )
        self.schema: pa.Schema = self._whole_chunks.schema_arrow
        groups = [self.metadata.row_group(i) for i in range(self.metadata.num_row_groups)]
        self.starts = np.cumsum([0] + [group.num_rows for group in groups], dtype=np.int64)
        """Row numbers: group `i` holds rows `starts[i]` to `starts[i + 1]`."""
        self._leaves = _leaves_by_column(self.schema)

    @property
    def geometry_columns(self) -> dict[str, str]:
        """Columns of the types GEOMETRY and GEOGRAPHY, with their CRS as Parquet has it."""
        leaves = (self.metadata.schema.column(i) for i in range(self.metadata.num_columns))
        return {
            leaf.path: json.loads(leaf.logical_type.to_json()).get("crs", "")
            for leaf in leaves
            if leaf.logical_type.type in _GEOMETRIES and leaf.path == leaf.name
        }

    def pieces(
        self, row_groups: Sequence[int], columns: Sequence[str]
    ) -> Iterator[tuple[int, pa.Table]]:
        """Give the rows of `row_groups`, in order, as (number of the first row, some rows).

        Only `columns` are read; with none, the tables have rows but no columns. A remote row
        group is fetched at once, in few requests, unless what is wanted of it is longer than
        two batches: then its columns are read a little at a time.
        """
        for group in row_groups:
            start = int(self.starts[group])
            for batch in self._batches(group, list(columns)):
                table = pa.Table.from_batches([batch])
                yield start, table.select(columns)
                start += table.num_rows

    def all(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Give all rows in order; `columns` of them, or (None) every one."""
        names = self.schema.names if columns is None else columns
        groups = range(self.metadata.num_row_groups)
        return (piece for _, piece in self.pieces(groups, names))

    def _batches(self, group: int, columns: list[str]) -> Iterator[pa.RecordBatch]:
        told = self.metadata.row_group(group)
        if told.num_rows == 0:
            return iter(())
        chunks = [told.column(leaf) for name in columns for leaf in self._leaves[name]]
        row_bytes = sum(chunk.total_uncompressed_size for chunk in chunks) // told.num_rows
        most = self._settings.batch_bytes
        rows = min(self._settings.batch_rows, _PIECE_ROWS, max(1, most // max(1, row_bytes)))
        file = self._buffered
        if self._remote and sum(c.total_compressed_size for c in chunks) <= 2 * most:
            self._remote.prefetch(_range_of(chunk) for chunk in chunks)
            file = self._whole_chunks
        batches: Iterator[pa.RecordBatch] = file.iter_batches(
            batch_size=rows, row_groups=[group], columns=columns
        )
        return batches


def _range_of(chunk: pq.ColumnChunkMetaData) -> tuple[int, int]:
    starts = [chunk.data_page_offset, chunk.dictionary_page_offset]
    start = min(at for at in starts if at)  # some writers say 0 for "no dictionary"
    return start, start + chunk.total_compressed_size


def _leaves_by_column(schema: pa.Schema) -> dict[str, range]:
    """Return which Parquet columns hold each field; names may have dots, so by counting."""
    leaves: dict[str, range] = {}
    at = 0
    for field in schema:
        count = _leaf_count(field.type)
        leaves[field.name] = range(at, at + count)
        at += count
    return leaves


def _leaf_count(kind: pa.DataType) -> int:
    if isinstance(kind, pa.BaseExtensionType):
        return _leaf_count(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return 1
    return sum(_leaf_count(kind.field(i).type) for i in range(kind.num_fields)) or 1
