"""What asks for runs by itself, once switched on: changes of the source, bands found, retries."""

from dataclasses import replace

import dagster as dg

from rasteret_assets.assets.asking import ASKED, asked_again_at, asked_by, waiting_to_ask
from rasteret_assets.assets.declared import DeclaredCollection, known_bands
from rasteret_assets.assets.io_manager import WorkspaceIOManager
from rasteret_assets.assets.jobs import FETCH, UPDATE, range_tags
from rasteret_assets.assets.names import HEADERS, RAW, REMAPPED, op_name, stage_key
from rasteret_assets.assets.object_storage import ObjectStorageResource
from rasteret_assets.assets.watching import (
    TAG,
    SourceChange,
    SourceCursor,
    SourceListing,
    names_of,
    next_cursor,
)
from rasteret_assets.contract.settings import Retry
from rasteret_assets.pipeline.planning import headers_to_retry
from rasteret_assets.storage import Manifest, Workspace, list_sources


def source_sensor(declared: DeclaredCollection) -> dg.SensorDefinition:
    """Return the sensor that asks for a run when source files appear, change or vanish.

    Or when the collection is declared otherwise: another filter, other bands. A run that failed
    is asked for again, later and later.
    """
    spec = declared.spec

    @dg.sensor(
        name=op_name(spec.name, "source"),
        job_name=op_name(spec.name, UPDATE),
        minimum_interval_seconds=declared.sensor_interval_s,
        description="Ask for a run when files of the source appear, change or vanish, or the "
        "collection is declared otherwise; and again, later and later, where it failed.",
    )
    def source(
        context: dg.SensorEvaluationContext,
        workspace: dg.ResourceParam[WorkspaceIOManager],
        object_storage: ObjectStorageResource,  # noqa: ARG001  # live meanwhile
    ) -> dg.SensorResult | dg.SkipReason:
        listing = SourceListing.of(list_sources(spec.sources), declared.sensor_quiet_s)
        seen = SourceCursor.of(context.cursor)
        taken: Manifest | None = None
        if listing.unsettled:
            taken = workspace.workspace().stage(spec.name, RAW).latest()
        found = listing.takeable(taken)
        now = next_cursor(spec.name, seen, found, spec.described())
        declared_anew = seen.declaration not in {"", now.declaration}
        again_at = None
        if now.listing == seen.listing and not declared_anew:
            again_at = asked_again_at(context.instance, seen)
            if again_at is None:
                return dg.SkipReason(_unchanged(listing, declared.sensor_quiet_s))
            if (said := waiting_to_ask(again_at)) is not None:
                return dg.SkipReason(said)
            now = replace(now, failures=seen.failures + 1)
        taken = taken or workspace.workspace().stage(spec.name, RAW).latest()
        change = SourceChange.between(taken, found)
        if listing.unsettled and not change and not declared_anew and again_at is None:
            # What differs was asked for, and has changed again before it was taken.
            return dg.SkipReason(_unchanged(listing, declared.sensor_quiet_s))
        request = dg.RunRequest(
            run_key=now.asked,
            tags={
                ASKED: now.asked,
                **change.tags(),
                **({f"{TAG}/declaration": "changed"} if declared_anew else {}),
                **listing.tags(),
                **range_tags(spec.bands or ()),
            },
        )
        return dg.SensorResult(run_requests=[request], cursor=now.text())

    return source


def _unchanged(listing: SourceListing, quiet_s: float) -> str:
    if not listing.unsettled:
        return f"{len(listing.settled):,} files, as at the last look"
    waiting = names_of(listing.unsettled)
    return f"waiting until nothing has changed for {quiet_s:g} s in {waiting}"


def bands_sensor(declared: DeclaredCollection) -> dg.SensorDefinition:
    """Return the sensor that asks for the second run, over the bands that the first found."""
    spec = declared.spec

    @dg.asset_sensor(
        asset_key=stage_key(spec.name, REMAPPED),
        name=op_name(spec.name, "bands"),
        job_name=op_name(spec.name, FETCH),
        description="Ask for the headers of all bands once the records are there.",
    )
    def bands(
        context: dg.SensorEvaluationContext, asset_event: dg.EventLogEntry
    ) -> dg.RunRequest | dg.SkipReason:
        found = known_bands(spec, context.instance)
        if not found:
            return dg.SkipReason("no band is registered: the records were not made by Dagster")
        tags = {**asked_by(context.instance, asset_event.run_id), **range_tags(found)}
        return dg.RunRequest(run_key=f"{spec.name}:{asset_event.run_id}", tags=tags)

    return bands


def update_schedule(declared: DeclaredCollection, cron: str) -> dg.ScheduleDefinition:
    """Return the schedule that takes in the source, whether or not it is known to have changed."""
    spec = declared.spec

    @dg.schedule(
        name=op_name(spec.name, "update_schedule"),
        cron_schedule=cron,
        job_name=op_name(spec.name, UPDATE),
        description="Take in the source as it is, for sources that cannot be watched.",
    )
    def update(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        del context
        return dg.RunRequest(tags=range_tags(spec.bands or ()))

    return update


def retry_schedule(declared: DeclaredCollection, cron: str) -> dg.ScheduleDefinition:
    """Return the schedule that tries failed headers again, those that may have healed."""
    spec = declared.spec

    @dg.schedule(
        name=op_name(spec.name, "retry"),
        cron_schedule=cron,
        job_name=op_name(spec.name, FETCH),
        description="Ask again for headers that failed by throttling, time-outs and the like.",
    )
    def retry(
        context: dg.ScheduleEvaluationContext,
        workspace: dg.ResourceParam[WorkspaceIOManager],
        object_storage: ObjectStorageResource,  # noqa: ARG001  # live meanwhile
    ) -> dg.RunRequest | dg.SkipReason:
        failed = {
            band: count
            for band in known_bands(spec, context.instance)
            if (count := _healable(workspace.workspace(), declared, band))
        }
        if not failed:
            return dg.SkipReason("no header has failed that may have healed")
        config: dict[str, str | int] = {"retry": Retry.HEALABLE.value}
        if declared.retry_rounds is not None:
            config["retry_rounds"] = declared.retry_rounds
        return dg.RunRequest(
            run_config={"resources": {"enrichment": {"config": config}}},
            tags={
                f"{TAG}/retry": ", ".join(f"{band}: {n}" for band, n in failed.items()),
                **range_tags(list(failed)),
            },
        )

    return retry


def _healable(workspace: Workspace, declared: DeclaredCollection, band: str) -> int:
    """Return how many headers of the band have failed in a way that may pass."""
    manifest = workspace.stage(declared.name, HEADERS, band).latest()
    fragments = () if manifest is None else manifest.fragments
    return headers_to_retry(fragments, Retry.HEALABLE, declared.retry_rounds)
