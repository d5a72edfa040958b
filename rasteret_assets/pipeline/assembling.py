"""Headers that pieces of work have brought, put together band by band."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from rasteret_assets.contract.spec import CollectionSpec, digest
from rasteret_assets.errors import ConfigError
from rasteret_assets.pipeline.pieces import RANGES_FACT, BandRange, PieceDone, header_fingerprint
from rasteret_assets.pipeline.planning import HeaderPlan
from rasteret_assets.storage import Fragment, StageUpdate


def header_updates(
    spec: CollectionSpec, plan: HeaderPlan, done: Sequence[PieceDone]
) -> dict[str, StageUpdate]:
    """Return what `band_headers` becomes, band by band, once every piece of `plan` is done.

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
    plan: HeaderPlan, band: str, done: Sequence[PieceDone], fingerprint: str
) -> Iterator[Fragment]:
    new: dict[str, list[BandRange]] = {}
    for piece in done:
        if band in piece.ranges:
            new.setdefault(piece.fragment_id, []).append(piece.ranges[band])
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
