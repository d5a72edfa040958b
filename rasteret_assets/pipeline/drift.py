"""Files that changed since their headers were fetched, found by asking a few at a time.

Each look asks for the versions of some files (a HEAD request each) and goes on where the last
one ended: ranges of headers in turn, spread over all bands and source files, and of each range
some rows in turn, in an order that is random but stays. What changed is remembered as stale,
and fetched again by the next run.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import gcd
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from rasteret_assets.contract.columns import SOURCE_ROW
from rasteret_assets.contract.settings import FetchSettings
from rasteret_assets.contract.spec import digest
from rasteret_assets.errors import ProblemCode
from rasteret_assets.fetch import Body, Identified, identify_files
from rasteret_assets.pipeline.enrich import is_remote, named_signer
from rasteret_assets.pipeline.inputs import Inputs
from rasteret_assets.pipeline.pieces import BandRange, ranges_of
from rasteret_assets.pipeline.stale import StaleHeader
from rasteret_assets.storage import Fragment

_SPREAD: Final = 16
"""Ranges that a look is spread over, if they have enough rows."""
_GOLDEN: Final = 0.6180339887
_THIN: Final = {
    "href": ds.field("href"),
    "etag": ds.field("header", "etag"),
    "last_modified": ds.field("header", "last_modified"),
    "size": ds.field("header", "file_size"),
}
_GONE: Final = frozenset({ProblemCode.NOT_FOUND, ProblemCode.TRUNCATED})


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledFile:
    """One file as its header was fetched, and as it is now."""

    band: str
    id: str
    """Of the record."""
    source_file: str
    source_row: int
    href: str
    before: Body
    now: Identified


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftSample:
    """What came of one look."""

    asked: int
    """Files."""
    requests: int
    unchanged: int
    changed: tuple[SampledFile, ...]
    gone: tuple[SampledFile, ...]
    unanswered: tuple[SampledFile, ...]
    """Files whose servers would not say."""
    stale: tuple[StaleHeader, ...]
    """The headers of the changed files: of every band of a record that has them."""
    at: int
    """Where the next look goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Range:
    """One range of a band's headers."""

    band: str
    fragment: Fragment
    """The records."""
    range: BandRange


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One header of a sample."""

    of: _Range
    row: int
    """Within the fragment."""
    href: str
    before: Body


def sample_drift(inputs: Inputs, *, files: int, at: int, settings: FetchSettings) -> DriftSample:
    """Ask for the versions of at most `files` files of the Collection, each once.

    Parameters
    ----------
    inputs
        Records and headers of all bands.
    at
        Where the last look ended.
    settings
        Limits; each file is asked for `max_attempts` times at most.
    """
    chosen, at = _choose(inputs, files, at)
    found = identify_files(
        [one.href for one in chosen],
        settings,
        signer=named_signer(inputs.spec),
        table_is_remote=is_remote(inputs.spec),
    )
    told: dict[str, list[tuple[_Row, Identified]]] = {}
    for row, now in zip(chosen, found.files, strict=True):
        told.setdefault(_outcome(row.before, now), []).append((row, now))
    changed = told.get("changed", [])
    return DriftSample(
        asked=len(chosen),
        requests=found.requests,
        unchanged=len(told.get("unchanged", [])),
        changed=_sampled(inputs, changed),
        gone=_sampled(inputs, told.get("gone", [])),
        unanswered=_sampled(inputs, told.get("unanswered", [])),
        stale=_stale(inputs, [row for row, _ in changed]),
        at=at,
    )


def current_ranges(inputs: Inputs) -> dict[str, set[str]]:
    """Return each band's files of headers."""
    files: dict[str, set[str]] = {}
    for one in _ranges(inputs):
        files.setdefault(one.band, set()).add(one.range.file)
    return files


def _outcome(before: Body, now: Identified) -> str:
    if now.body is not None:
        return "unchanged" if now.body.is_of_same_file(before) else "changed"
    return "gone" if now.code in _GONE else "unanswered"


def _choose(inputs: Inputs, files: int, at: int) -> tuple[list[_Row], int]:
    """Return headers to look at, each of another file, and where the next look goes on."""
    ranges = list(_ranges(inputs))
    if not ranges:
        return [], at
    step = _step(len(ranges))
    most = -(-files // min(_SPREAD, len(ranges)))
    chosen: dict[str, _Row] = {}
    for _ in range(len(ranges)):
        one, turn = ranges[at * step % len(ranges)], at // len(ranges)
        at += 1
        for row in _rows(inputs, one, turn * most, min(most, files - len(chosen))):
            chosen.setdefault(row.href, row)
        if len(chosen) >= files:
            break
    return list(chosen.values()), at


def _step(count: int) -> int:
    """Return how far to go in a circle of `count` so as to meet all, neighbours far apart."""
    step = max(1, round(count * _GOLDEN))
    while gcd(step, count) > 1:
        step += 1
    return step


def _ranges(inputs: Inputs) -> Iterator[_Range]:
    for band in inputs.headers:
        for fragment in inputs.fragments:
            headers = inputs.header_fragment(band, fragment)
            for one in () if headers is None else ranges_of(headers):
                if one.headers:
                    yield _Range(band=band, fragment=fragment, range=one)


def _rows(inputs: Inputs, of: _Range, start: int, count: int) -> Iterator[_Row]:
    """Give `count` headers of the range from the place `start` on, or all if there are fewer.

    Rows come in an order that is random but stays, in a circle: each has its turn.
    """
    thin = inputs.headers[of.band].picked([of.range.file], _THIN)
    told = pc.or_(pc.is_valid(thin["etag"]), pc.is_valid(thin["size"])).to_numpy()
    seed = int(digest(of.range.file), 16)
    order = np.random.default_rng(seed).permutation(np.flatnonzero(told))
    picked = np.roll(order, -start)[:count]
    for row, said in zip(picked.tolist(), thin.take(picked).to_pylist(), strict=True):  # few
        yield _Row(of=of, row=of.range.start + row, href=said["href"], before=_body(said))


def _body(said: dict[str, object]) -> Body:
    return Body(
        data=b"",
        etag=None if said["etag"] is None else str(said["etag"]),
        last_modified=None if said["last_modified"] is None else str(said["last_modified"]),
        size=said["size"] if isinstance(said["size"], int) else None,
    )


def _sampled(inputs: Inputs, found: Sequence[tuple[_Row, Identified]]) -> tuple[SampledFile, ...]:
    sampled = []
    for row, now in found:
        record = inputs.remapped.take(row.of.fragment, np.array([row.row]), ["id", SOURCE_ROW])
        sampled.append(
            SampledFile(
                band=row.of.band,
                id=record["id"][0].as_py(),
                source_file=row.of.fragment.source,
                source_row=record[SOURCE_ROW][0].as_py(),
                href=row.href,
                before=row.before,
                now=now,
            )
        )
    return tuple(sampled)


def _stale(inputs: Inputs, changed: Sequence[_Row]) -> tuple[StaleHeader, ...]:
    """Return the headers of the changed files: the sampled ones, and those of other bands.

    Several bands of a record may be samples of one file.
    """
    if not changed:
        return ()
    before = {row.href: row.before for row in changed}
    wanted: dict[tuple[str, str], set[int]] = {}
    for row in changed:
        for band in inputs.headers:
            wanted.setdefault((band, row.of.fragment.id), set()).add(row.row)
    found = []
    for one in _ranges(inputs):
        rows = wanted.get((one.band, one.fragment.id), set())
        here = sorted(
            row - one.range.start for row in rows if one.range.start <= row < one.range.stop
        )
        if not here:
            continue
        thin = inputs.headers[one.band].picked([one.range.file], _THIN).take(pa.array(here))
        found += [
            StaleHeader(
                band=one.band,
                range_file=one.range.file,
                href=said["href"],
                etag=said["etag"],
                size=said["size"],
            )
            for said in thin.to_pylist()  # few
            if said["href"] in before and _body(said) == before[said["href"]]
        ]
    return tuple(found)
