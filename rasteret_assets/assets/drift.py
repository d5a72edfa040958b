"""Files that change on their servers: a sample of them asked for on a schedule of its own.

The files are an external Dagster asset, `{name}/archive`: nothing here makes them. Its check is
run by its own job alone, never by a materialization.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import dagster as dg

from rasteret_assets.assets.declared import DeclaredCollection, DriftSampling
from rasteret_assets.assets.io_manager import WorkspaceIOManager
from rasteret_assets.assets.names import HEADERS, op_name, stage_key
from rasteret_assets.assets.object_storage import ObjectStorageResource
from rasteret_assets.assets.offending import offending
from rasteret_assets.assets.resources import EnrichmentResource
from rasteret_assets.contract.settings import FetchSettings
from rasteret_assets.fetch import Body
from rasteret_assets.pipeline.build import open_inputs
from rasteret_assets.pipeline.drift import (
    DriftSample,
    SampledFile,
    current_ranges,
    sample_drift,
)
from rasteret_assets.pipeline.stale import StaleHeaders

ARCHIVE = "archive"
CHECK = "files_unchanged"
JOB = "drift"

_TOLD = (
    "The GeoTIFFs that the records name, wherever they are. Nothing here makes or changes them: "
    "a sample is asked now and then whether it is still what its headers were fetched from."
)


def drift_defs(declared: DeclaredCollection, sampling: DriftSampling) -> dg.Definitions:
    """Return the archive as an external Dagster asset, its check, and what runs that."""
    archive = dg.AssetSpec(
        stage_key(declared.name, ARCHIVE),
        group_name=declared.group,
        description=_TOLD,
        owners=declared.owners,
        tags=dict(declared.tags),
        kinds={"geotiff"},
    )
    check = _check(declared, sampling)
    job = dg.define_asset_job(
        op_name(declared.name, JOB),
        selection=dg.AssetSelection.checks(check),
        description="Ask a sample of files whether they changed since they were indexed.",
    )
    schedules = [] if sampling.cron is None else [_schedule(declared, sampling.cron)]
    return dg.Definitions(assets=[archive], asset_checks=[check], jobs=[job], schedules=schedules)


def _check(declared: DeclaredCollection, sampling: DriftSampling) -> dg.AssetChecksDefinition:
    key = stage_key(declared.name, ARCHIVE)

    @dg.asset_check(
        name=CHECK,
        asset=key,
        pool=declared.pool,
        description=f"Of {sampling.files:,} files at a time, in turn, each has the entity tag and "
        "size that its header was fetched with. What changed is fetched again by the next run "
        "of its band.",
    )
    def files_unchanged(
        context: dg.AssetCheckExecutionContext,
        workspace: dg.ResourceParam[WorkspaceIOManager],
        enrichment: EnrichmentResource,
        object_storage: ObjectStorageResource,  # noqa: ARG001  # live meanwhile
    ) -> dg.AssetCheckResult:
        look = _look(declared, sampling, workspace, enrichment)
        observed = dg.AssetObservation(asset_key=key, metadata=look.counts())
        context.op_execution_context.log_event(observed)
        found = look.sample
        return dg.AssetCheckResult(
            passed=not (found.changed or found.gone) and found.unchanged == found.asked,
            severity=dg.AssetCheckSeverity.WARN,
            description=look.told(),
            metadata={**look.counts(), **look.tables()},
        )

    return files_unchanged


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """One look at the archive."""

    sample: DriftSample
    stale: int
    """Headers that wait to be fetched again, of earlier looks too."""
    seconds: float

    def counts(self) -> dict[str, int | float]:
        """Return what can be plotted over time."""
        found = self.sample
        return {
            "files_asked": found.asked,
            "unchanged": found.unchanged,
            "changed": len(found.changed),
            "gone": len(found.gone),
            "unanswered": len(found.unanswered),
            "headers_to_fetch_again": self.stale,
            "requests": found.requests,
            "seconds": round(self.seconds, 3),
        }

    def tables(self) -> dict[str, dg.TableMetadataValue]:
        """Return the files that are not what they were."""
        found = self.sample
        kinds = {
            "changed_files": found.changed,
            "files_gone": found.gone,
            "files_unanswered": found.unanswered,
        }
        return {name: _table(files) for name, files in kinds.items() if files}

    def told(self) -> str:
        """Return the outcome in words."""
        found = self.sample
        if not found.asked:
            return "no header is there yet to compare with"
        kinds = {
            "changed since they were indexed": found.changed,
            "gone": found.gone,
            "not told of by their servers": found.unanswered,
        }
        said = ", ".join(f"{len(files):,} {kind}" for kind, files in kinds.items() if files)
        next_step = "; materialize band_headers to fetch what changed" if found.changed else ""
        return f"of {found.asked:,} files {said or 'none has changed'}{next_step}"


def _look(
    declared: DeclaredCollection,
    sampling: DriftSampling,
    workspace: WorkspaceIOManager,
    enrichment: EnrichmentResource,
) -> _Look:
    """Ask, and remember what has to be fetched again."""
    began = time.monotonic()
    place = workspace.workspace()
    inputs = open_inputs(declared.spec, place)
    known = StaleHeaders.read(place, declared.name)
    sample = sample_drift(
        inputs,
        files=sampling.files,
        at=known.at,
        settings=_settings(declared.limits.fetch_settings(enrichment.fetch_settings()), sampling),
    )
    left = known.within(current_ranges(inputs))
    headers = tuple(dict.fromkeys((*left, *sample.stale)))
    StaleHeaders(headers=headers, at=sample.at).write(place, declared.name)
    return _Look(sample=sample, stale=len(headers), seconds=time.monotonic() - began)


def _settings(fetch: FetchSettings, sampling: DriftSampling) -> FetchSettings:
    """Return limits for a look: nobody waits for it, so each file is asked once."""
    return replace(fetch, max_per_host=min(sampling.per_host, fetch.max_per_host), max_attempts=1)


def _table(files: Sequence[SampledFile]) -> dg.TableMetadataValue:
    return offending(
        [
            {
                "id": one.id,
                "band": one.band,
                "href": one.href,
                "was": _version(one.before),
                "now": f"{one.now.code}: {one.now.detail}"
                if one.now.body is None
                else _version(one.now.body),
                "source_file": one.source_file,
                "source_row": one.source_row,
            }
            for one in files
        ]
    )


def _version(body: Body) -> str:
    size = "" if body.size is None else f"{body.size:,} bytes"
    return ", ".join(part for part in (body.etag or body.last_modified, size) if part)


def _schedule(declared: DeclaredCollection, cron: str) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=op_name(declared.name, "sample_drift"),
        cron_schedule=cron,
        job_name=op_name(declared.name, JOB),
        description="Ask a sample of files whether they changed since they were indexed.",
    )
    def sample_drift_now(
        workspace: dg.ResourceParam[WorkspaceIOManager],
        object_storage: ObjectStorageResource,  # noqa: ARG001  # live meanwhile
    ) -> dg.RunRequest | dg.SkipReason:
        place = workspace.workspace()
        if not any(
            place.stage(declared.name, HEADERS, band).latest()
            for band in place.bands(declared.name)
        ):
            return dg.SkipReason("no header has been fetched yet")
        return dg.RunRequest()

    return sample_drift_now
