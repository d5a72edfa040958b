"""Which headers are still to be fetched, cut into pieces that can be done in any order."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from rasteret_assets.contract.settings import BuildSettings, Retry
from rasteret_assets.contract.spec import CollectionSpec, digest
from rasteret_assets.errors import ProblemCode
from rasteret_assets.pipeline.pieces import BandRange, Piece, header_fingerprint, ranges_of
from rasteret_assets.storage import Fragment, Manifest

_PIECES = 2
"""Of a chunk of work: one is fetched while the other is written."""

_NOTHING: Mapping[tuple[str, str], str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderPlan:
    """What is known already, and the pieces that bring the rest."""

    remapped: Manifest
    bases: Mapping[str, Manifest | None]
    """Band to the newest manifest of its headers."""
    kept: Mapping[str, Mapping[str, tuple[BandRange, ...]]]
    """Band, then fragment id, to the ranges that stay."""
    pieces: tuple[Piece, ...]

    @property
    def total(self) -> int:
        """Headers the pieces are to bring."""
        return sum(piece.headers for piece in self.pieces)


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
    pieces = tuple(
        Piece(
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
    return HeaderPlan(remapped=remapped, bases=bases, kept=kept, pieces=pieces)


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
