"""Checks of `collection`: complete, current, readable, and GeoParquet as others expect it."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import dagster as dg

from rasteret_assets.assets.checks.geoparquet import file_failures
from rasteret_assets.assets.checks.results import severity_of, spec_of
from rasteret_assets.assets.declared import DeclaredCollection
from rasteret_assets.assets.enrichment import look_settings
from rasteret_assets.assets.io_manager import WorkspaceIOManager
from rasteret_assets.assets.looks import FAILURES, look
from rasteret_assets.assets.names import COLLECTION, op_name, stage_key
from rasteret_assets.assets.object_storage import ObjectStorageResource
from rasteret_assets.assets.offending import offending
from rasteret_assets.assets.resources import EnrichmentResource
from rasteret_assets.assets.unchanged import answered, state_of
from rasteret_assets.collection import open_collection
from rasteret_assets.contract.settings import FetchSettings
from rasteret_assets.pipeline.build import open_inputs
from rasteret_assets.pipeline.inputs import Inputs
from rasteret_assets.storage import CollectionManifest, CollectionStore, Workspace

COMPLETE: Final = "records_complete"
CURRENT: Final = "bands_current"
READABLE: Final = "readable"
GEOPARQUET: Final = "geoparquet_valid"

_TOLD: Final = {
    COMPLETE: "It has every record.",
    CURRENT: "Every band's headers are those of its records.",
    READABLE: "It opens, and pixels of a record can be read through it.",
    GEOPARQUET: "Its files pass the tests of the GeoParquet specification, as its validator has "
    "them.",
}


def finished_checks(declared: DeclaredCollection) -> dg.AssetChecksDefinition:
    """Return the checks of the Collection."""

    @dg.multi_asset_check(
        name=op_name(declared.name, "check_collection"),
        specs=[spec_of(declared, COLLECTION, name, told) for name, told in _TOLD.items()],
        pool=declared.pool,
    )
    def check_collection(
        context: dg.AssetCheckExecutionContext,
        workspace: dg.ResourceParam[WorkspaceIOManager],
        enrichment: EnrichmentResource,
        object_storage: ObjectStorageResource,  # noqa: ARG001  # live meanwhile
    ) -> Iterator[dg.AssetCheckResult]:
        place = workspace.workspace()
        inputs = open_inputs(declared.spec, place)
        store = place.collection(declared.name)
        manifest = store.latest()
        yield _complete(inputs, manifest)
        yield _current(inputs)
        fetch = look_settings(declared, enrichment)
        answers: dict[str, Callable[[], dg.AssetCheckResult]] = {
            READABLE: lambda: _readable(store, fetch),
            GEOPARQUET: lambda: _geoparquet(place, declared.name, store),
        }
        state = state_of(store.url, manifest, fetch is None)
        for name, answer in answers.items():
            yield from answered(context, stage_key(declared.name, COLLECTION), name, state, answer)

    return check_collection


def _complete(inputs: Inputs, manifest: CollectionManifest | None) -> dg.AssetCheckResult:
    rows, records = 0 if manifest is None else manifest.rows, inputs.remapped.count_rows()
    return dg.AssetCheckResult(
        check_name=COMPLETE,
        passed=rows == records,
        severity=severity_of(stops=True),
        description=f"{rows:,} of {records:,} records",
        metadata={"records": records, "rows": rows},
    )


def _current(inputs: Inputs) -> dg.AssetCheckResult:
    lagging = _lagging(inputs)
    said = [f"{band} lacks {n:,} records: run band_headers for it" for band, n in lagging.items()]
    return dg.AssetCheckResult(
        check_name=CURRENT,
        passed=not lagging,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(said) or "every band's headers are those of its records",
    )


def _lagging(inputs: Inputs) -> Mapping[str, int]:
    """Return for each band how many records its headers were never made for."""
    lagging = {}
    for band in inputs.headers:
        without = [f for f in inputs.fragments if inputs.header_fragment(band, f) is None]
        if count := sum(fragment.rows for fragment in without):
            lagging[band] = count
    return lagging


def _readable(store: CollectionStore, fetch: FetchSettings | None) -> dg.AssetCheckResult:
    """Read some pixels; that a server does not answer is no fault of the Collection."""
    passed = True
    try:
        collection = open_collection(store)
        if fetch is None:
            said = f"{collection.head(1).count_rows()} record read; pixels are not looked at here"
        elif (seen := look(collection, fetch)) is None:
            said = "no record has a header, so there are no pixels"
        else:
            said = seen.told()
    except FAILURES as error:
        said, passed = f"cannot be read: {error}", False
    return dg.AssetCheckResult(
        check_name=READABLE,
        passed=passed,
        severity=dg.AssetCheckSeverity.WARN,
        description=said,
    )


def _geoparquet(place: Workspace, name: str, store: CollectionStore) -> dg.AssetCheckResult:
    files, failures = file_failures(place, name, store)
    shown = {"failed_tests": offending(failures)} if failures else {}
    broken = len({row["file"] for row in failures})
    return dg.AssetCheckResult(
        check_name=GEOPARQUET,
        passed=not failures,
        severity=severity_of(stops=True),
        description=f"{broken:,} of {files:,} files are not valid"
        if failures
        else f"all {files:,} files are valid",
        metadata={"files": files, **shown},
    )
