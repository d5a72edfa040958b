"""A Collection's folder: its states, how they are committed, and how they are read."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from rasteret_assets.contract.conform import conform
from rasteret_assets.contract.problems import PROBLEMS
from rasteret_assets.contract.settings import BuildSettings
from rasteret_assets.errors import WorkspaceError
from rasteret_assets.storage.collection_files import (
    MonthFile,
    present,
    settle,
    unfinished,
    write_months,
    write_problems,
)
from rasteret_assets.storage.collection_manifests import (
    CollectionFile,
    CollectionManifest,
    collection_json,
    collection_of,
)
from rasteret_assets.storage.commits import Commits
from rasteret_assets.storage.datasets import arrow_filesystem, foreign_dataset
from rasteret_assets.storage.filesystems import STORE_ERRORS, asking
from rasteret_assets.storage.objects import remove, token
from rasteret_assets.storage.reading import ParquetReader
from rasteret_assets.storage.sources import tables_below
from rasteret_assets.storage.stage_store import GRACE_S
from rasteret_assets.storage.stage_table import told_as_workspace_errors

T = TypeVar("T")

_TRIES = 3
_HIVE = (pa.field("year", pa.int32()), pa.field("month", pa.int32()))


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionUpdate:
    """What the next state of a Collection consists of."""

    write: Iterable[MonthFile]
    """Files to make, one after the other."""
    keep: tuple[str, ...]
    """Paths of the present state's files that stay."""
    problems: Iterable[pa.Table]
    """All problems of the new state, in the `PROBLEMS` schema."""
    schema: pa.Schema
    """Of every file, with the key-value metadata to put in each. Where columns differ from
    the present state's, no file can be kept."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    base_generation: int
    """The state this was planned from; 0 if there was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionStore:
    """The states of one Collection; also opens one that another program has written."""

    url: str
    """Its folder (or, to read only, a single Parquet file)."""
    settings: BuildSettings = field(default_factory=BuildSettings)

    def latest(self) -> CollectionManifest | None:
        """Return the newest state; None where nothing of ours was ever committed."""
        newest = self._commits.newest()
        return None if newest is None else collection_of(newest[1], self.url)

    def exists(self) -> bool:
        """Whether there is anything to open."""
        fs, folder = self._commits.place()
        with asking(self.url):
            return bool(self._commits.all() or tables_below(fs, folder))

    def open(self) -> ds.Dataset:
        """Return the records as a pyarrow dataset with `year` and `month` (int32) at the end.

        It is pinned to the newest state's files; once a later commit has replaced them,
        reading them raises FileNotFoundError (see `read`). A folder without a manifest of ours
        is opened as a hive-partitioned dataset of all its files, their schemas unified.

        Raises
        ------
        WorkspaceError
            If there is nothing to open, or a file of the newest state is missing.
        """
        for _ in range(_TRIES):
            manifest = self.latest()
            if manifest is None:
                return foreign_dataset(*self._commits.place(), self.url)
            with told_as_workspace_errors(self.url):
                paths, missing = self._located(manifest)
            if not missing:
                return self._dataset(manifest, paths)
        msg = f"{self.url}: files of the newest state are missing: {missing[:5]}; build it again"
        raise WorkspaceError(msg)

    def read(self, use: Callable[[ds.Dataset], T]) -> T:
        """Return what `use` makes of the records; if a commit replaces them meanwhile, again.

        Raises
        ------
        WorkspaceError
            If files are missing, or cannot be read.
        """
        for _ in range(_TRIES):
            dataset = self.open()
            try:
                return use(dataset)
            except FileNotFoundError as error:
                gone = error
        msg = f"{self.url}: files vanish while they are read ({gone}); try again"
        raise WorkspaceError(msg) from gone

    def known_rows(self, opened: ds.Dataset) -> int | None:
        """Return the number of records `open` gave, reading the newest manifest alone.

        None where it was another state that was opened, or another program's files.
        """
        manifest = self.latest()
        if manifest is None:
            return None
        _, folder = self._commits.place()
        same = opened.files == [f"{folder}/{file.path}" for file in manifest.files]
        return sum(file.rows for file in manifest.files) if same else None

    def problems(self, ids: pa.Array | None = None) -> pa.Table:
        """Return what was set aside on the way to the newest state, or what is about `ids`."""
        found = [PROBLEMS.empty_table()]
        manifest = self.latest()
        fs, folder = self._commits.place()
        with told_as_workspace_errors(self.url):
            for name in manifest.problem_files if manifest else ():
                reader = ParquetReader(fs, f"{folder}/{name}", self.settings)
                pieces = (conform(piece, PROBLEMS) for piece in reader.all())
                found += [
                    piece if ids is None else piece.filter(pc.is_in(piece["id"], ids))
                    for piece in pieces
                ]
        return pa.concat_tables(found)

    def commit(self, update: CollectionUpdate) -> CollectionManifest:
        """Write what `update` says, make it the next state, and return that.

        Where the state would be the one there is, nothing changes. New files get their names,
        and replaced ones go, as soon as the manifest is there: only in between may readers that
        glob the folder see both.

        Raises
        ------
        CommitConflictError
            If another writer has committed since the state that `update` was planned from;
            nothing of this one stays.
        WorkspaceError
            If storage fails, or the folder holds another program's files.
        """
        written: list[str] = []
        with self._commits.undoing(written):
            base = self.latest()
            self._check_base(base, update)
            if base is not None:
                settle(*self._commits.place(), base)
            manifest = self._next(update, base, written)
            if base is not None and _alike(base, manifest):
                self._commits.clear(written)
                return base
        data = collection_json(manifest, token())
        self._commits.create(manifest.generation, data, written)
        done = collection_of(data, self.url)
        try:
            self._settle(done)
        except STORE_ERRORS as error:
            msg = f"{self.url}: committed, but files keep their staged names ({error}); run again"
            raise WorkspaceError(msg) from error
        return done

    def sweep(self, grace_s: float = GRACE_S) -> int:
        """Remove replaced manifests and what killed writers left, and return how many files.

        Parameters
        ----------
        grace_s
            Seconds that they stay: longer than it takes to write one file.
        """
        before = (time.time() - grace_s) * 1e9
        fs, folder = self._commits.place()
        manifest = self.latest()
        gone = [e.path for _, e in self._commits.all()[1:] if (e.modified_ns or 0) < before]
        gone += unfinished(fs, folder, before)
        remove(fs, gone)
        if manifest is not None:
            settle(fs, folder, manifest)
        return len(gone)

    @property
    def _commits(self) -> Commits:
        return Commits(url=self.url)

    def _located(self, manifest: CollectionManifest) -> tuple[list[str], list[str]]:
        """Return where each file is, and the names of those that are nowhere."""
        fs, folder = self._commits.place()
        there = present(fs, folder)
        names = [f.path if f.path in there else f.staged for f in manifest.files]
        missing = [
            f.path for f, name in zip(manifest.files, names, strict=True) if name not in there
        ]
        return [f"{folder}/{name}" for name in names], missing

    def _dataset(self, manifest: CollectionManifest, paths: list[str]) -> ds.Dataset:
        fs, _ = self._commits.place()
        kind, arrow_fs = ds.ParquetFileFormat(), arrow_filesystem(fs)
        parts = [
            kind.make_fragment(path, arrow_fs, partition_expression=_of_month(file))
            for file, path in zip(manifest.files, paths, strict=True)
        ]
        schema = pa.schema([*manifest.schema, *_HIVE], metadata=manifest.schema.metadata)
        return ds.FileSystemDataset(parts, schema, kind, arrow_fs)

    def _check_base(self, base: CollectionManifest | None, update: CollectionUpdate) -> None:
        newest = 0 if base is None else base.generation
        self._commits.check_base(newest, update.base_generation)
        if base is None and tables_below(*self._commits.place()):
            msg = (
                f"{self.url}: another program's Parquet files are here; give the collection "
                "another name, or move them away"
            )
            raise WorkspaceError(msg)

    def _next(
        self, update: CollectionUpdate, base: CollectionManifest | None, written: list[str]
    ) -> CollectionManifest:
        fs, folder = self._commits.place()
        generation = update.base_generation + 1
        files = _kept(update, base)
        files += write_months(
            fs, folder, update.write, generation, update.schema, self.settings, written
        )
        files.sort(key=lambda file: (file.year, file.month))  # stable: files stay as written
        problem_files, digest = write_problems(
            fs, folder, update.problems, generation, self.settings, written
        )
        return CollectionManifest(
            generation=generation,
            files=tuple(files),
            problem_files=problem_files,
            problems_digest=digest,
            schema=update.schema,
            metadata=update.metadata,
            facts=update.facts,
        )

    def _settle(self, manifest: CollectionManifest) -> None:
        settle(*self._commits.place(), manifest)
        newest = self.latest()
        if newest is not None and newest.generation != manifest.generation:
            # Moving takes time on object stores: a copy may have come after its removal.
            settle(*self._commits.place(), newest)


def _kept(update: CollectionUpdate, base: CollectionManifest | None) -> list[CollectionFile]:
    known = {} if base is None else {file.path: file for file in base.files}
    if unknown := [path for path in update.keep if path not in known]:
        msg = f"files to keep that the present state does not have: {unknown}"
        raise ValueError(msg)
    if update.keep and base is not None and not base.schema.equals(update.schema):
        msg = "columns have changed, so every file has to be written again; none can be kept"
        raise ValueError(msg)
    return [known[path] for path in update.keep]


def _of_month(file: CollectionFile) -> pc.Expression:
    year, month = pa.scalar(file.year, pa.int32()), pa.scalar(file.month, pa.int32())
    return (pc.field("year") == year) & (pc.field("month") == month)


def _alike(base: CollectionManifest, manifest: CollectionManifest) -> bool:
    """Whether two states differ in number, time and names of problem files alone."""
    as_base = replace(
        manifest,
        generation=base.generation,
        created_at=base.created_at,
        problem_files=base.problem_files,
    )
    return collection_json(as_base, "") == collection_json(base, "")
