"""Which headers are still to be fetched, cut into chunks that can be done in any order.

A chunk is a range of rows of one remapped fragment, for all bands of the run, so that a file
which bands or rows share is fetched once. Each chunk writes one file per band; a band's
fragment is the list of its chunk files, so committing it copies nothing. A chunk's file name
follows from what it is made of: work that a killed run left on disk is found, not repeated.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from types import MappingProxyType

from rasteret_assets.contract.settings import BuildSettings, Retry
from rasteret_assets.contract.spec import CollectionSpec, digest
from rasteret_assets.errors import ConfigError, ProblemCode
from rasteret_assets.storage import Fragment, Manifest, StageUpdate

HEADERS_VERSION = 1
"""Raised when the same file would give another header."""

RANGES_FACT = "ranges"
"""Fact of a header fragment: its files, the rows each covers, and their problems."""

_PIECES = 2
"""Of a chunk of work: one is fetched while the other is written."""

_NOTHING: Mapping[tuple[str, str], str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class BandRange:
    """The headers of one band for the rows `start` to `stop` of a fragment, in one file."""

    start: int
    stop: int
    file: str
    decoded_bytes: int
    """That its rows take in memory."""
    problems: Mapping[str, int]
    """Rows without a header, by problem code."""
    examples: Sequence[Mapping[str, object]] = ()
    """A few of them: `id`, `source_row`, `code`, `detail`, `href`."""
    rounds: int = 1
    """Runs that have asked for its headers, or for those it lacked."""

    @property
    def headers(self) -> int:
        """Rows that have one."""
        return self.stop - self.start - sum(self.problems.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Rows of one fragment whose headers one piece of work brings."""

    fragment_id: str
    start: int
    stop: int
    files: Mapping[str, str]
    """Band to the file its headers go to."""
    retry: Retry
    fresh: bool
    """Whether headers known already are fetched all the same."""
    rounds: int = 1
    """Runs that will then have asked for them."""

    @property
    def headers(self) -> int:
        """Records x bands."""
        return (self.stop - self.start) * len(self.files)

    def to_json(self) -> dict[str, object]:
        """Return the chunk as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> "Chunk":
        """Return the chunk that `to_json` gave `value` for."""
        return cls(**{**value, "retry": Retry(str(value["retry"]))})  # type: ignore[arg-type]  # keys and types are to_json's


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkDone:
    """What a chunk brought."""

    fragment_id: str
    ranges: Mapping[str, BandRange]
    """Band to its range."""
    requests: int = 0
    bytes_fetched: int = 0
    seconds: float = 0.0

    def to_json(self) -> dict[str, object]:
        """Return the summary as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> "ChunkDone":
        """Return the summary that `to_json` gave `value` for."""
        ranges = {band: BandRange(**found) for band, found in value["ranges"].items()}  # type: ignore[attr-defined]  # a mapping, as to_json wrote it
        return cls(**{**value, "ranges": ranges})  # type: ignore[arg-type]  # keys and types are to_json's


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderPlan:
    """What is known already, and the chunks that bring the rest."""

    remapped: Manifest
    bases: Mapping[str, Manifest | None]
    """Band to the newest manifest of its headers."""
    kept: Mapping[str, Mapping[str, tuple[BandRange, ...]]]
    """Band, then fragment id, to the ranges that stay."""
    chunks: tuple[Chunk, ...]

    @property
    def total(self) -> int:
        """Headers the chunks are to bring."""
        return sum(chunk.headers for chunk in self.chunks)


def header_fingerprint(spec: CollectionSpec) -> str:
    """Return what decides a header, besides the record and the file themselves."""
    return digest("headers", HEADERS_VERSION, spec.base_uri)


def ranges_of(fragment: Fragment) -> tuple[BandRange, ...]:
    """Return the ranges that make up a header fragment."""
    found = fragment.facts[RANGES_FACT]
    return tuple(BandRange(**one) for one in found)


def plan_headers(  # all of them decide the plan
    spec: CollectionSpec,
    remapped: Manifest,
    bases: Mapping[str, Manifest | None],
    *,
    retry: Retry,
    fresh: bool,
    settings: BuildSettings,
    rounds: int | None = None,
    stale: Mapping[tuple[str, str], str] = _NOTHING,
) -> HeaderPlan:
    """Return the plan that brings the headers of the bands in `bases` up to date.

    Parameters
    ----------
    remapped
        The records' newest manifest.
    bases
        Each band of the run, with the newest manifest of its headers, if there is one.
    retry
        Which failed headers are asked for again.
    fresh
        Fetch everything anew, known headers included.
    rounds
        Runs after which failed headers are left alone; None: never.
    stale
        Band and file of ranges with headers of files that changed since, and a digest of which.
    """
    fingerprint = header_fingerprint(spec)
    rows = max(1, settings.chunk_headers // _PIECES // max(1, len(bases)))
    kept: dict[str, dict[str, tuple[BandRange, ...]]] = {band: {} for band in bases}
    pending: dict[tuple[str, int, int], dict[str, str]] = {}
    nth: dict[tuple[str, int, int], int] = {}
    for band, base in bases.items():
        known = {} if base is None or fresh else {f.identity: f for f in base.fragments}
        token = f"fresh-{base.generation}" if fresh and base is not None else ""
        for fragment in remapped.fragments:
            found = known.get(fragment.id)
            if found is not None and found.fingerprint != fingerprint:
                found = None
            changed = {one.file for one in _ranges(found) if (band, one.file) in stale}
            wants = partial(_wants, retry=retry, most=rounds)
            keep, again = _split(found, fragment.rows, rows, wants, changed)
            kept[band][fragment.id] = keep
            for start, stop, previous, asked in again:
                parts = [fragment.id, fingerprint, start, stop, previous, token]
                if previous in changed:
                    parts.append(stale[band, previous])
                name = digest(*parts)
                file = f"{fragment.id}-{start:09}-{name}.parquet"
                place = (fragment.id, start, stop)
                pending.setdefault(place, {})[band] = file
                nth[place] = max(nth.get(place, 1), asked + 1)
    chunks = tuple(
        Chunk(
            fragment_id=place[0],
            start=place[1],
            stop=place[2],
            files=files,
            retry=retry,
            fresh=fresh,
            rounds=nth[place],
        )
        for place, files in pending.items()
    )
    return HeaderPlan(remapped=remapped, bases=bases, kept=kept, chunks=chunks)


def _split(
    found: Fragment | None,
    total: int,
    rows: int,
    wants: Callable[[BandRange], bool],
    changed: Collection[str],
) -> tuple[tuple[BandRange, ...], list[tuple[int, int, str, int]]]:
    """Return the ranges to keep, and those to do: start, stop, the file before, and its rounds."""
    if found is None:
        return (), [(at, min(at + rows, total), "", 0) for at in range(0, total, rows)]
    ranges = ranges_of(found)
    again = {one.start: one for one in ranges if wants(one) or one.file in changed}
    keep = tuple(one for one in ranges if one.start not in again)
    return keep, [(one.start, one.stop, one.file, one.rounds) for one in again.values()]


def _ranges(found: Fragment | None) -> tuple[BandRange, ...]:
    return () if found is None else ranges_of(found)


def _wants(found: BandRange, retry: Retry, most: int | None) -> bool:
    return (most is None or found.rounds < most) and bool(_to_retry(found, retry))


def _to_retry(found: BandRange, retry: Retry) -> int:
    return sum(count for code, count in found.problems.items() if retries(code, retry))


def headers_to_retry(fragments: Iterable[Fragment], retry: Retry, most: int | None) -> int:
    """Return how many headers of a band have failed and are to be asked for again.

    Parameters
    ----------
    most
        Runs after which they are left alone; None: never.
    """
    ranges = (one for fragment in fragments for one in ranges_of(fragment))
    return sum(_to_retry(one, retry) for one in ranges if most is None or one.rounds < most)


def retries(code: str, retry: Retry) -> bool:
    """Return whether a header that failed with `code` is asked for again.

    A record without an href has nothing to ask for, whatever the policy.
    """
    if code == ProblemCode.HREF_MISSING or retry is Retry.NONE:
        return False
    return retry is Retry.ALL or ProblemCode(code).can_heal


def header_updates(
    spec: CollectionSpec, plan: HeaderPlan, done: Sequence[ChunkDone]
) -> dict[str, StageUpdate]:
    """Return what `band_headers` becomes, band by band, once every chunk of `plan` is done.

    Raises
    ------
    ConfigError
        If `done` does not cover the plan: it was made for another state of the records.
    """
    fingerprint = header_fingerprint(spec)
    updates = {}
    for band, base in plan.bases.items():
        fragments = tuple(_fragments(plan, band, done, fingerprint))
        updates[band] = StageUpdate(
            keep=fragments,
            write=(),
            metadata={},
            base_generation=0 if base is None else base.generation,
        )
    return updates


def _fragments(
    plan: HeaderPlan, band: str, done: Sequence[ChunkDone], fingerprint: str
) -> Iterator[Fragment]:
    new: dict[str, list[BandRange]] = {}
    for chunk in done:
        if band in chunk.ranges:
            new.setdefault(chunk.fragment_id, []).append(chunk.ranges[band])
    base = plan.bases[band]
    known = {} if base is None else {f.identity: f for f in base.fragments}
    for fragment in plan.remapped.fragments:
        ranges = [*plan.kept[band][fragment.id], *new.get(fragment.id, [])]
        ranges.sort(key=lambda one: one.start)
        covered = 0
        for one in ranges:
            if one.start != covered:
                break
            covered = one.stop
        if covered != fragment.rows:
            msg = (
                f"headers of {band}: rows {covered} to {fragment.rows} of {fragment.source} are "
                "missing; the records changed meanwhile, run band_headers again"
            )
            raise ConfigError(msg)
        found = known.get(fragment.id)
        files = tuple(one.file for one in ranges)
        if found is not None and found.files == files and found.fingerprint == fingerprint:
            yield found
        else:
            yield _fragment(fragment, fingerprint, ranges, files)


def _fragment(
    of: Fragment, fingerprint: str, ranges: Sequence[BandRange], files: tuple[str, ...]
) -> Fragment:
    return Fragment(
        source=of.source,
        identity=of.id,
        fingerprint=fingerprint,
        id=digest(of.id, fingerprint, files),
        rows=of.rows,
        files=files,
        problem_files=(),
        facts={RANGES_FACT: [asdict(one) for one in ranges]},
    )
