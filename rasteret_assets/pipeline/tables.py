"""Source files to remapped fragments: what each table stage has to write, keep and drop.

Every `*_update` compares the fragments it should have with those of the newest manifest and
returns the difference; nothing is read or written until the update is committed.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import pyarrow as pa

from rasteret_assets.contract.settings import BuildSettings
from rasteret_assets.contract.spec import CollectionSpec, digest, expression_digest
from rasteret_assets.contract.tables import StageBatch
from rasteret_assets.pipeline.recent import RecentRecords
from rasteret_assets.pipeline.runs import runs
from rasteret_assets.pipeline.unreadable import Unreadable
from rasteret_assets.stages import FactKeeper, IdState, check_source, remap, validate
from rasteret_assets.storage import (
    Fragment,
    FragmentDraft,
    Manifest,
    SourceFile,
    StageTable,
    StageUpdate,
    scan_source,
)

RAW_VERSION = 1
VALIDATED_VERSION = 1
REMAPPED_VERSION = 1
"""Raised when a stage's output would change for the same input."""

_RUN_SHARE = 2
"""Sorting a run takes three times its memory for a moment, more than zipping a file does."""

SOURCE_ROWS_FACT = "source_rows"
"""Fact of a fragment: rows of the source file, before filter and checks."""
GEO_FACT = "geo"
"""Fact of a fragment: the source file's GeoParquet metadata, as its JSON text."""


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """What decides a stage's output, besides the source file itself."""

    raw: str
    validated: str
    remapped: str


def fingerprints(spec: CollectionSpec) -> Fingerprints:
    """Return the fingerprints of the table stages under `spec`."""
    columns = None if spec.columns is None else list(spec.columns)
    raw = digest("raw", RAW_VERSION, expression_digest(spec.filter_expr), columns)
    validated = digest("validated", VALIDATED_VERSION, raw, dict(spec.column_map))
    return Fingerprints(raw, validated, digest("remapped", REMAPPED_VERSION, validated))


def raw_update(
    spec: CollectionSpec,
    sources: Sequence[SourceFile],
    base: Manifest | None,
    settings: BuildSettings,
    *,
    settled_before_ns: float = math.inf,
) -> StageUpdate:
    """Return what `raw_table` becomes: the rows of every source file, as scanned.

    Parameters
    ----------
    settled_before_ns
        Files that changed later (nanoseconds since 1970) may be half written: what is held of
        them stays as it is.
    """
    unsettled = {source.uri for source in sources if not source.settled(settled_before_ns)}
    held = () if base is None else (f for f in base.fragments if f.source in unsettled)
    work = [_Work.of(s.uri, s.identity) for s in sources if s.uri not in unsettled]
    by_uri = {source.uri: source for source in sources}

    def run(pending: "_Work") -> Iterator[StageBatch]:
        return _scanned(spec, by_uri[pending.source], settings, pending)

    return _update(work, fingerprints(spec).raw, base, run, held=tuple(held))


def validated_update(spec: CollectionSpec, raw: StageTable, base: Manifest | None) -> StageUpdate:
    """Return what `validated_table` becomes: the rows of `raw` that meet the contract."""

    def run(pending: "_Work") -> Iterator[StageBatch]:
        return _validated(spec, _stored(raw, pending), pending)

    return _update(_work_of(raw), fingerprints(spec).validated, base, run)


def remapped_update(
    spec: CollectionSpec,
    validated: StageTable,
    base: Manifest | None,
    settings: BuildSettings,
) -> StageUpdate:
    """Return what `remapped_table` becomes: the rows of `validated`, in canonical columns."""

    def run(pending: "_Work") -> Iterator[StageBatch]:
        return _remapped(spec, _stored(validated, pending), settings, pending)

    return _update(_work_of(validated), fingerprints(spec).remapped, base, run)


def straight_update(
    spec: CollectionSpec,
    sources: Sequence[SourceFile],
    base: Manifest | None,
    settings: BuildSettings,
    recent: RecentRecords,
    *,
    fresh: bool = False,
) -> StageUpdate:
    """Return what `remapped_table` becomes, straight from the sources, with no stage between.

    Parameters
    ----------
    recent
        Gets to see the rows as they are made.
    fresh
        Read all of them again.
    """
    work = [_Work.of(source.uri, source.identity) for source in sources]
    by_uri = {source.uri: source for source in sources}

    def run(pending: "_Work") -> Iterator[StageBatch]:
        scanned = _scanned(spec, by_uri[pending.source], settings, pending)
        remapped = _remapped(spec, _validated(spec, scanned, pending), settings, pending)
        return recent.watch(pending.source, pending.identity, remapped)

    return _update(work, fingerprints(spec).remapped, base, run, fresh=fresh)


@dataclass(slots=True)
class _Work:
    """One fragment on its way through a stage."""

    source: str
    identity: str
    upstream: Fragment | None = None
    geo: str | None = None
    source_rows: int | None = None
    facts: FactKeeper = field(default_factory=FactKeeper)

    @classmethod
    def of(cls, source: str, identity: str, upstream: Fragment | None = None) -> "_Work":
        geo = upstream.facts.get(GEO_FACT) if upstream else None
        rows = upstream.facts.get(SOURCE_ROWS_FACT) if upstream else None
        return cls(source, identity, upstream, geo, rows)

    def all_facts(self) -> Mapping[str, object]:
        own = {GEO_FACT: self.geo, SOURCE_ROWS_FACT: self.source_rows}
        return {**self.facts.facts(), **own}


def _work_of(table: StageTable) -> list[_Work]:
    return [_Work.of(f.source, f.identity, f) for f in table.manifest.fragments]


def _update(
    work: Iterable[_Work],
    fingerprint: str,
    base: Manifest | None,
    run: "Callable[[_Work], Iterator[StageBatch]]",
    *,
    held: tuple[Fragment, ...] = (),
    fresh: bool = False,
) -> StageUpdate:
    before = () if base is None or fresh else base.fragments
    known = {(f.source, f.identity): f for f in before}
    keep: list[Fragment] = []
    pending: list[_Work] = []
    for item in work:
        fragment = known.get((item.source, item.identity))
        if fragment is not None and fragment.fingerprint == fingerprint:
            keep.append(fragment)
        else:
            pending.append(item)
    keep += held
    unreadable = Unreadable(fingerprint, base, {GEO_FACT: None, SOURCE_ROWS_FACT: 0})

    def drafts() -> Iterator[FragmentDraft]:
        for item in pending:
            yield FragmentDraft(
                source=item.source,
                identity=item.identity,
                fingerprint=fingerprint,
                batches=_kept_facts(item, run(item)),
                facts=item.all_facts,
                otherwise=unreadable.stand_in(item.source, item.identity),
            )
        if unreadable.errors and not keep and len(unreadable.errors) == len(pending):
            raise unreadable.errors[0]

    return StageUpdate(
        keep=tuple(keep),
        write=drafts(),
        metadata={},
        base_generation=0 if base is None else base.generation,
    )


def _kept_facts(work: _Work, batches: Iterable[StageBatch]) -> Iterator[StageBatch]:
    for batch in batches:
        work.facts.add(batch)
        yield batch


def _stored(table: StageTable, work: _Work) -> Iterator[StageBatch]:
    """Yield a stored fragment's rows, with the problems met on the way to it."""
    assert work.upstream is not None  # noqa: S101  # _work_of always sets it
    problems = table.problems(work.upstream)
    for rows in table.batches(work.upstream):
        yield StageBatch(rows=rows, problems=problems)
        problems = problems.slice(0, 0)


def _scanned(
    spec: CollectionSpec, source: SourceFile, settings: BuildSettings, work: _Work
) -> Iterator[StageBatch]:
    scan = scan_source(
        source, columns=spec.columns, filter_expr=spec.filter_expr, settings=settings
    )
    check_source(scan.schema, spec, source.uri)
    work.source_rows = scan.rows
    geo = scan.metadata.get(b"geo")
    work.geo = None if geo is None else geo.decode()
    for rows in _one_ahead(scan.batches):
        yield StageBatch(rows=rows)


def _one_ahead(batches: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Yield `batches`; the next is read while the one before is worked on."""
    with ThreadPoolExecutor(1, thread_name_prefix="scan") as pool:
        coming = pool.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = pool.submit(next, batches, None)
            yield batch


def _validated(
    spec: CollectionSpec, batches: Iterable[StageBatch], work: _Work
) -> Iterator[StageBatch]:
    seen = IdState()
    for batch in batches:
        kept = validate(batch.rows, spec, seen, work.source, geo=work.geo)
        yield _with_earlier(batch, kept)


def _remapped(
    spec: CollectionSpec,
    batches: Iterable[StageBatch],
    settings: BuildSettings,
    work: _Work,
) -> Iterator[StageBatch]:
    def one(run: StageBatch) -> StageBatch:
        remapped = remap(
            run.rows, spec, work.geo, work.source, geometries=run.geometries, bounds=run.bounds
        )
        return _with_earlier(run, remapped)

    # map() lets go of a run before the next one is made
    return map(one, runs(batches, settings.file_bytes // _RUN_SHARE))


def _with_earlier(before: StageBatch, after: StageBatch) -> StageBatch:
    problems = pa.concat_tables([before.problems, after.problems])
    return replace(after, problems=problems)
