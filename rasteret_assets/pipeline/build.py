"""The stages in order, in one process: what the Python door does."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import pyarrow as pa

from rasteret_assets.contract.settings import BuildSettings, FetchSettings, Retry
from rasteret_assets.contract.spec import CollectionSpec
from rasteret_assets.contract.tables import Report
from rasteret_assets.errors import CommitConflictError, TableError
from rasteret_assets.fetch import HrefSigner
from rasteret_assets.pipeline.assembling import header_updates
from rasteret_assets.pipeline.enrich import HEADERS_STAGE, REMAPPED, bands_of, enrich, header_plan
from rasteret_assets.pipeline.inputs import Inputs
from rasteret_assets.pipeline.recent import Recent, RecentHeaders, RecentRecords
from rasteret_assets.pipeline.tables import straight_update
from rasteret_assets.pipeline.zipping import collection_update
from rasteret_assets.storage import (
    CollectionManifest,
    Fragment,
    Manifest,
    StageStore,
    StageUpdate,
    Workspace,
    list_sources,
)

T = TypeVar("T")


def build(  # what, where to, and how
    spec: CollectionSpec,
    workspace: Workspace,
    *,
    fetch: FetchSettings,
    settings: BuildSettings,
    retry: Retry = Retry.HEALABLE,
    fresh: bool = False,
    signer: HrefSigner | None = None,
    report: Report | None = None,
) -> CollectionManifest:
    """Build the Collection, or bring it up to date by the work that is new.

    Parameters
    ----------
    retry
        Which headers that failed before are asked for again.
    fresh
        Do all of it again, headers included.
    signer
        Signs hrefs that need it; by default the one that `spec` names.

    Raises
    ------
    SourceError, TableError, ConfigError
        Before anything is committed.
    """
    recent = Recent(settings.batch_bytes)
    remapped = remap_sources(spec, workspace, settings, fresh=fresh, recent=recent.records)
    pa.default_memory_pool().release_unused()  # what sorting took, others need now
    if spec.enrich:
        bands = bands_of(spec, remapped)
        enrich_bands(
            spec,
            workspace,
            bands,
            fetch=fetch,
            settings=settings,
            retry=retry,
            fresh=fresh,
            signer=signer,
            report=report,
            recent=recent.headers,
        )
        pa.default_memory_pool().release_unused()  # likewise
    manifest = zip_collection(spec, workspace, settings, recent)
    sweep(spec, workspace)
    return manifest


def sweep(spec: CollectionSpec, workspace: Workspace) -> None:
    """Remove what replaced states and killed runs left, once a day has passed since."""
    workspace.stage(spec.name, REMAPPED).sweep()
    for band in workspace.bands(spec.name):
        workspace.stage(spec.name, HEADERS_STAGE, band).sweep()
    workspace.collection(spec.name).sweep()


def remap_sources(
    spec: CollectionSpec,
    workspace: Workspace,
    settings: BuildSettings,
    *,
    fresh: bool,
    recent: RecentRecords,
) -> Manifest:
    """Commit the remapped records of every source file and return their manifest."""
    sources = list_sources(spec.sources)

    def plan(base: Manifest | None) -> StageUpdate:
        return straight_update(spec, sources, base, settings, recent, fresh=fresh)

    def check(manifest: Manifest) -> None:
        check_rows(spec, manifest.fragments)
        if spec.enrich:
            bands_of(spec, manifest)

    return committed(workspace.stage(spec.name, REMAPPED), plan, check)


def check_rows(spec: CollectionSpec, fragments: Sequence[Fragment]) -> None:
    """Refuse a state without a single record.

    Raises
    ------
    TableError
        Saying whether the source was empty, or what was wrong with all its rows.
    """
    if any(fragment.rows for fragment in fragments):
        return
    counts: dict[str, int] = {}
    for fragment in fragments:
        for code, count in fragment.facts["problems"].items():
            counts[code] = counts.get(code, 0) + count
    sources = ", ".join(spec.sources)
    if counts:
        said = ", ".join(f"{count} {code}" for code, count in counts.items())
        msg = f"{sources}: no row is usable: {said}; correct the table, or map its columns"
    elif spec.filter_expr is not None:
        msg = f"{sources}: no row meets the filter {spec.filter_expr}; nothing to build"
    else:
        msg = f"{sources}: the table has no rows; nothing to build"
    raise TableError(msg)


def enrich_bands(  # noqa: PLR0913  # what, where to, and how
    spec: CollectionSpec,
    workspace: Workspace,
    bands: Sequence[str],
    *,
    fetch: FetchSettings,
    settings: BuildSettings,
    retry: Retry,
    fresh: bool,
    signer: HrefSigner | None,
    report: Report | None,
    recent: RecentHeaders,
) -> None:
    """Fetch what the bands lack and commit each band's headers."""

    def attempt() -> None:
        plan = header_plan(spec, workspace, bands, retry=retry, fresh=fresh, settings=settings)
        done = enrich(
            spec,
            workspace,
            plan.pieces,
            fetch=fetch,
            settings=settings,
            signer=signer,
            report=report,
            recent=recent,
        )
        for band, update in header_updates(spec, plan, done).items():
            workspace.stage(spec.name, HEADERS_STAGE, band).commit(update)

    replanned(attempt)


def zip_collection(
    spec: CollectionSpec,
    workspace: Workspace,
    settings: BuildSettings,
    recent: Recent | None = None,
) -> CollectionManifest:
    """Commit the Collection that the newest records and headers make."""
    store = workspace.collection(spec.name)
    return replanned(
        lambda: store.commit(
            collection_update(open_inputs(spec, workspace, recent), store.latest(), settings)
        )
    )


def open_inputs(spec: CollectionSpec, workspace: Workspace, recent: Recent | None = None) -> Inputs:
    """Return the newest records and headers of the collection.

    Bands come in the order of `spec.bands`, then the others by name.
    """
    enriched = workspace.bands(spec.name)
    declared = [band for band in spec.bands or () if band in enriched]
    return Inputs(
        spec=spec,
        remapped=workspace.stage(spec.name, REMAPPED).open(),
        headers={
            band: workspace.stage(spec.name, HEADERS_STAGE, band).open()
            for band in dict.fromkeys([*declared, *enriched])
        },
        recent=recent,
    )


def committed(
    store: StageStore,
    plan: Callable[[Manifest | None], StageUpdate],
    check: Callable[[Manifest], None] | None = None,
) -> Manifest:
    """Commit what `plan` makes of the newest manifest, planning again when a race is lost.

    `check` sees the manifest before it is committed, and may refuse it by raising.
    """
    return replanned(lambda: store.commit(plan(store.latest()), check))


def replanned(attempt: Callable[[], T], tries: int = 3) -> T:
    """Return what `attempt` gives, starting it again while someone else commits first."""
    try:
        return attempt()
    except CommitConflictError:
        if tries == 1:
            raise
        return replanned(attempt, tries - 1)
