"""A fragment's batches on their way to files."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
from fsspec.spec import AbstractFileSystem

from rasteret_assets.contract.conform import conform, unify
from rasteret_assets.contract.problems import PROBLEMS
from rasteret_assets.contract.settings import BuildSettings
from rasteret_assets.contract.spec import digest
from rasteret_assets.contract.tables import StageBatch
from rasteret_assets.errors import SourceError
from rasteret_assets.storage.manifests import Fragment, schema_digest
from rasteret_assets.storage.objects import token
from rasteret_assets.storage.writing import ParquetSink


def _no_facts() -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class FragmentDraft:
    """A fragment that is still to be made."""

    source: str
    identity: str
    fingerprint: str
    batches: Iterable[StageBatch]
    """Taken once, written as they come."""
    facts: Callable[[], Mapping[str, Any]] = _no_facts
    """Asked when all batches have been taken; JSON values."""
    otherwise: Callable[[SourceError], Sequence["Fragment | FragmentDraft"]] | None = None
    """Gives what stands for the fragment if the batches end with that error; None passes the
    error on."""


class FragmentFiles:
    """The files of one fragment while it is written; remembers their names for clearing up.

    Rows go to one file as long as their schema stays; where a batch brings a column or a
    struct field that none before it had, a new file begins with the wider schema.
    """

    def __init__(
        self,
        fs: AbstractFileSystem,
        folder: str,
        stem: str,
        schema: pa.Schema | None,
        settings: BuildSettings,
    ) -> None:
        self.files: list[str] = []
        self.problem_files: list[str] = []
        self.schema = schema
        self.rows = 0
        self._fs = fs
        self._folder = folder
        self._stem = stem
        self._settings = settings
        self._last: pa.Schema | None = None
        self._sink = ExitStack()
        self._rows_to: ParquetSink | None = None
        self._problem_sink = ExitStack()
        self._problems_to: ParquetSink | None = None

    def add(self, batch: StageBatch) -> None:
        """Write the rows of `batch` and its problems."""
        if batch.rows.num_columns:
            self._widen(batch.rows.schema)
        if batch.problems.num_rows:
            if self._problems_to is None:
                name = f"{self._stem}.problems.parquet"
                self._problems_to = self._open(
                    name, self._problem_sink, self.problem_files, PROBLEMS
                )
            self._problems_to.write(conform(batch.problems, PROBLEMS))
        if not batch.rows.num_rows or self.schema is None:
            return
        if self._rows_to is None:
            name = f"{self._stem}-{len(self.files)}.parquet"
            self._rows_to = self._open(name, self._sink, self.files, self.schema)
        self._rows_to.write(conform(batch.rows, self.schema))
        self.rows += batch.rows.num_rows

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        both = ExitStack()
        both.push(self._problem_sink)
        both.push(self._sink)
        both.__exit__(kind, error, trace)

    def _widen(self, schema: pa.Schema) -> None:
        if self._last is not None and schema.equals(self._last, check_metadata=True):
            return
        self._last = schema
        wider = schema if self.schema is None else unify([self.schema, schema])
        if self.schema is None or not wider.equals(self.schema):
            self.schema = wider
            self._sink.close()
            self._rows_to = None

    def _open(
        self, name: str, stack: ExitStack, names: list[str], schema: pa.Schema
    ) -> ParquetSink:
        names.append(name)
        path = f"{self._folder}/{name}"
        return stack.enter_context(ParquetSink(self._fs, path, schema, self._settings))


def write_fragment(
    fs: AbstractFileSystem,
    folder: str,
    draft: FragmentDraft,
    schema: pa.Schema | None,
    settings: BuildSettings,
    written: list[str],
) -> tuple[Fragment, pa.Schema | None]:
    """Write the files of `draft`; return the fragment and the schema of its rows.

    Parameters
    ----------
    schema
        What the rows are brought to, at least; None takes it from the batches.
    written
        Gets the paths of the files, also of those an error leaves behind.
    """
    key = digest(draft.source, draft.identity, draft.fingerprint)
    files = FragmentFiles(fs, folder, f"{key}-{token()}", schema, settings)
    try:
        with files:
            for batch in draft.batches:
                files.add(batch)
    finally:
        written += [f"{folder}/{name}" for name in [*files.files, *files.problem_files]]
    fragment = Fragment(
        source=draft.source,
        identity=draft.identity,
        fingerprint=draft.fingerprint,
        rows=files.rows,
        files=tuple(files.files),
        problem_files=tuple(files.problem_files),
        schema_id="" if files.schema is None else schema_digest(files.schema),
        facts=draft.facts(),
    )
    return fragment, files.schema
