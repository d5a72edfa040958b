"""One committed state of a stage, read lazily."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from rasteret_assets.contract.conform import conform
from rasteret_assets.contract.problems import PROBLEMS
from rasteret_assets.contract.settings import BuildSettings
from rasteret_assets.errors import RasteretAssetsError, TableError, WorkspaceError
from rasteret_assets.storage.batching import rebatch
from rasteret_assets.storage.datasets import arrow_filesystem
from rasteret_assets.storage.filesystems import STORE_ERRORS, filesystem_of
from rasteret_assets.storage.manifests import Fragment, Manifest
from rasteret_assets.storage.reading import ParquetReader


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTable:
    """The rows of one manifest. They stay readable until a sweep takes their files."""

    url: str
    """The stage's folder."""
    manifest: Manifest
    settings: BuildSettings

    @property
    def schema(self) -> pa.Schema:
        """What every table read from here has, unless it asks for some columns only."""
        return self.manifest.schema

    def count_rows(self) -> int:
        """Return the number of rows, which the manifest knows."""
        return self.manifest.rows

    def dataset(self) -> ds.Dataset:
        """Return the rows of all fragments, in their order, as a pyarrow dataset."""
        return self._dataset([name for f in self.manifest.fragments for name in f.files])

    def picked(self, files: Sequence[str], columns: Mapping[str, pc.Expression]) -> pa.Table:
        """Return `columns` of the rows in `files`, in their order.

        Of nested columns only the fields that `columns` speak of are read.

        Parameters
        ----------
        files
            Some of a fragment's.
        columns
            Name to expression over the columns of the stage.
        """
        with told_as_workspace_errors(self.url):
            return self._dataset(files).to_table(columns=dict(columns))

    def picked_batches(
        self, files: Sequence[str], columns: Mapping[str, pc.Expression]
    ) -> Iterator[pa.RecordBatch]:
        """Give what `picked` returns a batch at a time."""
        with told_as_workspace_errors(self.url):
            yield from self._dataset(files).to_batches(columns=dict(columns))

    def batches(
        self,
        fragment: Fragment,
        columns: Sequence[str] | None = None,
        rows: tuple[int, int] | None = None,
    ) -> Iterator[pa.Table]:
        """Give rows of `fragment` in order, in batches; only what is needed is read.

        Parameters
        ----------
        columns
            Names, in the order wanted; None takes all.
        rows
            Start and stop, half-open, counted within the fragment; None takes all.

        Returns
        -------
        Iterator of tables
            At least one, without rows if there are none.
        """
        start, stop = (0, fragment.rows) if rows is None else rows
        if not 0 <= start <= stop <= fragment.rows:
            msg = f"rows {start} to {stop} of a fragment of {fragment.rows}"
            raise IndexError(msg)
        schema = self._schema_of(columns)
        if start == stop:
            yield schema.empty_table()
            return
        with told_as_workspace_errors(self.url):
            yield from rebatch(self._range(fragment, schema, start, stop), self.settings)

    def take(
        self, fragment: Fragment, rows: np.ndarray, columns: Sequence[str] | None = None
    ) -> pa.Table:
        """Return the given rows of `fragment`; only row groups that hold one are read.

        Parameters
        ----------
        rows
            Row numbers within the fragment (int64), ascending.
        columns
            Names, in the order wanted; None takes all.
        """
        if len(rows) and (rows[0] < 0 or rows[-1] >= fragment.rows or np.any(np.diff(rows) < 0)):
            msg = f"row numbers must ascend, from 0 to under {fragment.rows}"
            raise IndexError(msg)
        schema = self._schema_of(columns)
        with told_as_workspace_errors(self.url):
            return pa.concat_tables(self._taken(fragment, rows, schema))

    def _dataset(self, files: Sequence[str]) -> ds.Dataset:
        fs, folder = filesystem_of(self.url)
        kind, arrow_fs = ds.ParquetFileFormat(), arrow_filesystem(fs)
        parts = [kind.make_fragment(f"{folder}/{name}", arrow_fs) for name in files]
        return ds.FileSystemDataset(parts, self.schema, kind, arrow_fs)

    def _taken(self, fragment: Fragment, rows: np.ndarray, schema: pa.Schema) -> Iterator[pa.Table]:
        yield schema.empty_table()
        for first, reader in self._readers(fragment, rows):
            here = rows[slice(*np.searchsorted(rows, [first, first + int(reader.starts[-1])]))]
            here = here - first
            groups = np.unique(np.searchsorted(reader.starts, here, side="right") - 1)
            for start, piece in reader.pieces(groups.tolist(), _columns_in(reader, schema)):
                among = slice(*np.searchsorted(here, [start, start + piece.num_rows]))
                if among.start < among.stop:
                    yield conform(_picked(piece, here[among] - start), schema)
                if among.stop == len(here):
                    break

    def problems(self, fragment: Fragment | None = None) -> pa.Table:
        """Return what was set aside from `fragment`, or (None) from all of them."""
        fragments = self.manifest.fragments if fragment is None else (fragment,)
        found = [PROBLEMS.empty_table()]
        with told_as_workspace_errors(self.url):
            for one in fragments:
                for name in one.problem_files:
                    found += [conform(piece, PROBLEMS) for piece in self._reader(name).all()]
        return pa.concat_tables(found)

    def _range(
        self, fragment: Fragment, schema: pa.Schema, start: int, stop: int
    ) -> Iterator[pa.Table]:
        for first, reader in self._readers(fragment, np.array([start, stop - 1])):
            low, high = start - first, stop - first
            meets = (reader.starts[1:] > low) & (reader.starts[:-1] < high)
            groups = np.flatnonzero(meets).tolist()
            for at, piece in reader.pieces(groups, _columns_in(reader, schema)):
                skip = max(0, low - at)
                kept = piece.slice(skip, max(0, min(piece.num_rows, high - at) - skip))
                yield conform(kept, schema)

    def _readers(self, fragment: Fragment, rows: np.ndarray) -> Iterator[tuple[int, ParquetReader]]:
        """Give the fragment's files up to the last of `rows`, each with its first row's number."""
        first = 0
        for name in fragment.files:
            if not len(rows) or first > rows[-1]:
                return
            reader = self._reader(name)
            yield first, reader
            first += int(reader.starts[-1])

    def _reader(self, name: str) -> ParquetReader:
        fs, folder = filesystem_of(self.url)
        return ParquetReader(fs, f"{folder}/{name}", self.settings)

    def _schema_of(self, columns: Sequence[str] | None) -> pa.Schema:
        if columns is None:
            return self.schema
        if missing := sorted(set(columns) - set(self.schema.names)):
            msg = f"{self.url}: no column {missing} among {self.schema.names}"
            raise TableError(msg)
        return pa.schema([self.schema.field(name) for name in columns])


@contextmanager
def told_as_workspace_errors(url: str) -> Iterator[None]:
    """Raise what goes wrong while the files of folder `url` are read as WorkspaceError."""
    try:
        yield
    except RasteretAssetsError:
        raise
    except FileNotFoundError as error:
        msg = f"{url}: a file is gone, swept or deleted ({error}); open the newest state again"
        raise WorkspaceError(msg) from error
    except (*STORE_ERRORS, pa.ArrowException) as error:
        msg = f"{url}: a file cannot be read ({error}); build again if it is damaged"
        raise WorkspaceError(msg) from error


def _picked(piece: pa.Table, rows: np.ndarray) -> pa.Table:
    """Return ascending rows of `piece`; those that lie together are not copied."""
    together = rows[-1] - rows[0] + 1 == len(rows) and (np.diff(rows) == 1).all()
    return piece.slice(rows[0], len(rows)) if together else piece.take(rows)


def _columns_in(reader: ParquetReader, schema: pa.Schema) -> list[str]:
    there = set(reader.schema.names)
    return [name for name in schema.names if name in there]
