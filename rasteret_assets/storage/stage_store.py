"""A stage's folder: its states, and how the next one is committed."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from rasteret_assets.contract.conform import unify
from rasteret_assets.contract.settings import BuildSettings
from rasteret_assets.errors import SourceError, WorkspaceError
from rasteret_assets.storage.commits import Commits
from rasteret_assets.storage.drafts import FragmentDraft, write_fragment
from rasteret_assets.storage.listing import list_folder
from rasteret_assets.storage.manifests import (
    Fragment,
    Manifest,
    manifest_json,
    manifest_of,
    schema_digest,
)
from rasteret_assets.storage.objects import make_durable, remove, token
from rasteret_assets.storage.reading import ParquetReader
from rasteret_assets.storage.stage_table import StageTable, told_as_workspace_errors
from rasteret_assets.storage.writing import ParquetSink

GRACE_S = 86_400.0
"""Seconds that replaced states, and files no state names, stay by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageUpdate:
    """What the next state of a stage consists of."""

    keep: tuple[Fragment, ...]
    """Fragments whose files are there already."""
    write: Iterable[FragmentDraft]
    """Fragments to make, one after the other."""
    schema: pa.Schema | None = None
    """What all rows are brought to, at least; None takes what the fragments have."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """JSON values."""
    base_generation: int
    """The state this was planned from; 0 if there was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStore:
    """The states of one stage of one collection."""

    url: str
    """Its folder."""
    settings: BuildSettings = field(default_factory=BuildSettings)

    def latest(self) -> Manifest | None:
        """Return the newest state; None before the first commit."""
        newest = self._commits.newest()
        return None if newest is None else manifest_of(newest[1], self.url)

    def open(self, manifest: Manifest | None = None) -> StageTable:
        """Return the rows of `manifest`, by default the newest.

        Raises
        ------
        WorkspaceError
            If nothing was committed yet.
        """
        found = manifest or self.latest()
        if found is None:
            msg = f"{self.url}: nothing is committed here yet; run this stage first"
            raise WorkspaceError(msg)
        return StageTable(url=self.url, manifest=found, settings=self.settings)

    def commit(
        self, update: StageUpdate, check: Callable[[Manifest], None] | None = None
    ) -> Manifest:
        """Write what `update` says, make it the next state, and return that.

        Where the state would be the one there is, nothing is written. Readers see the old
        state until the new one is complete.

        Parameters
        ----------
        check
            Sees the state before it is committed and may raise to refuse it.

        Raises
        ------
        CommitConflictError
            If another writer has committed since the state that `update` was planned from;
            nothing of this one stays.
        WorkspaceError
            If storage fails.
        """
        written: list[str] = []
        with self._commits.undoing(written):
            base = self.latest()
            newest = 0 if base is None else base.generation
            self._commits.check_base(newest, update.base_generation)
            manifest = self._next(update, base, written)
            if base is not None and _alike(base, manifest):
                return base
            if check is not None:
                check(manifest)
        data = manifest_json(manifest, token())
        self._commits.create(manifest.generation, data, written)
        return manifest_of(data, self.url)

    def has_file(self, name: str) -> bool:
        """Whether the file `name` is there, complete, committed or not."""
        fs, folder = self._commits.place()
        return bool(fs.exists(f"{folder}/{name}"))

    def read_file(self, name: str) -> pa.Table:
        """Return the rows of a file that `write_file` wrote."""
        with told_as_workspace_errors(self.url):
            reader = self._reader(name)
            return pa.concat_tables([reader.schema.empty_table(), *reader.all()])

    def write_file(self, name: str, table: pa.Table) -> None:
        """Write `table` as the file `name`, for a later commit to keep in a fragment.

        The file is there as a whole or not at all; writing it again replaces it.
        """
        fs, folder = self._commits.place()
        path = f"{folder}/{name}"
        with self._commits.undoing([]):
            with ParquetSink(fs, path, table.schema, self.settings) as sink:
                sink.write(table)
            make_durable(fs, [path])

    def sweep(self, grace_s: float = GRACE_S) -> int:
        """Remove replaced states and files that no state names, and return how many.

        Parameters
        ----------
        grace_s
            Seconds that they stay: longer than any run takes, since files of a run under way
            are named by no state yet.
        """
        before = (time.time() - grace_s) * 1e9
        manifests = self._commits.all()
        fs, folder = self._commits.place()
        old = [entry for _, entry in manifests[1:] if (entry.modified_ns or 0) < before]
        gone = {entry.path for entry in old}
        named = {entry.path for _, entry in manifests} - gone
        for _, entry in manifests:
            if entry.path not in gone:
                kept = manifest_of(bytes(fs.cat_file(entry.path)), self.url)
                named |= {f"{folder}/{name}" for f in kept.fragments for name in _names(f)}
        unnamed = [e for e in list_folder(fs, folder) if e.path not in named | gone]
        stale = [e.path for e in unnamed if (e.modified_ns or 0) < before]
        remove(fs, gone)  # first: a state must never name files that are gone
        remove(fs, stale)
        return len(gone) + len(stale)

    @property
    def _commits(self) -> Commits:
        return Commits(url=self.url)

    def _reader(self, name: str) -> ParquetReader:
        fs, folder = self._commits.place()
        return ParquetReader(fs, f"{folder}/{name}", self.settings)

    def _next(self, update: StageUpdate, base: Manifest | None, written: list[str]) -> Manifest:
        schemas = {} if base is None else dict(base.schemas)
        fragments = list(self._adopted(update, schemas))
        for draft in update.write:
            for made, schema in self._made(draft, update.schema, written):
                if schema is not None:
                    schemas[made.schema_id] = schema
                fragments.append(made)
        fragments.sort(key=lambda one: (one.source, one.identity, one.id))
        used = dict.fromkeys(one.schema_id for one in fragments if one.schema_id)
        given = [] if update.schema is None else [update.schema]
        return Manifest(
            generation=update.base_generation + 1,
            fragments=tuple(fragments),
            schema=unify([*given, *(schemas[name] for name in used)]),
            schemas={name: schemas[name] for name in used},
            metadata=update.metadata,
        )

    def _made(
        self, draft: FragmentDraft, schema: pa.Schema | None, written: list[str]
    ) -> Iterable[tuple[Fragment, pa.Schema | None]]:
        """Write the fragment, or what stands for it where its source cannot be read."""
        fs, folder = self._commits.place()
        before = len(written)
        try:
            return [write_fragment(fs, folder, draft, schema, self.settings, written)]
        except SourceError as error:
            if draft.otherwise is None:
                raise
            remove(fs, written[before:])
            del written[before:]
            instead = draft.otherwise(error)
        return [
            (one, None)
            if isinstance(one, Fragment)
            else write_fragment(fs, folder, one, schema, self.settings, written)
            for one in instead
        ]

    def _adopted(self, update: StageUpdate, schemas: dict[str, pa.Schema]) -> Iterable[Fragment]:
        """Give the fragments to keep; of those no state has named yet, learn the schema."""
        new = [f for f in update.keep if f.files and f.schema_id not in schemas]
        missing: set[str] = set()
        if new:
            fs, folder = self._commits.place()
            there = {entry.path for entry in list_folder(fs, folder)}
            missing = {n for f in new for n in _names(f) if f"{folder}/{n}" not in there}
        if missing:
            msg = f"{self.url}: files to commit are gone: {sorted(missing)[:5]}; run again"
            raise WorkspaceError(msg)
        for fragment in update.keep:
            if not fragment.files or fragment.schema_id in schemas:
                yield fragment
                continue
            schema = update.schema or unify(self._reader(name).schema for name in fragment.files)
            schemas[schema_digest(schema)] = schema
            yield replace(fragment, schema_id=schema_digest(schema))


def _names(fragment: Fragment) -> tuple[str, ...]:
    return fragment.files + fragment.problem_files


def _alike(base: Manifest, manifest: Manifest) -> bool:
    """Whether two states differ in number and time alone."""
    as_base = replace(manifest, generation=base.generation, created_at=base.created_at)
    return manifest_json(as_base, "") == manifest_json(base, "")
