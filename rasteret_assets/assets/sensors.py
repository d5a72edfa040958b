"""What asks for runs by itself, once switched on: changes of the source, bands found, retries."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import dagster as dg

from rasteret_assets.assets.declared import DeclaredCollection, known_bands
from rasteret_assets.assets.io_manager import WorkspaceIOManager
from rasteret_assets.assets.jobs import FETCH, UPDATE, range_tags
from rasteret_assets.assets.metadata import header_problems
from rasteret_assets.assets.names import HEADERS, RAW, REMAPPED, op_name, stage_key
from rasteret_assets.contract.settings import Retry
from rasteret_assets.contract.spec import digest
from rasteret_assets.pipeline.chunks import retries
from rasteret_assets.storage import Manifest, Workspace, list_sources

_TAG = "rasteret_assets"
_NAMED = 3
"""Files that a tag names, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCursor:
    """What the source sensor remembers.

    Not the listing, which may have ten thousand files and would be stored with every tick.
    """

    listing: str = ""
    """Digest of the listing last asked a run for."""
    declaration: str = ""
    """Digest of what was declared then."""
    runs: int = 0
    """Runs asked for so far: a listing that comes back is a change all the same."""

    @classmethod
    def of(cls, text: str | None) -> "SourceCursor":
        """Return the cursor that `text`, from an earlier tick, says."""
        return cls(**json.loads(text)) if text else cls()

    def text(self) -> str:
        """Return the cursor as JSON."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceChange:
    """How the source differs from what `raw_table` holds."""

    new: tuple[str, ...]
    changed: tuple[str, ...]
    vanished: tuple[str, ...]

    @classmethod
    def between(cls, taken: Manifest | None, found: Mapping[str, str]) -> "SourceChange":
        """Return the change from the fragments of `taken` to `found`, URI to identity."""
        known = {} if taken is None else {f.source: f.identity for f in taken.fragments}
        return cls(
            new=tuple(uri for uri in found if uri not in known),
            changed=tuple(uri for uri in found if uri in known and known[uri] != found[uri]),
            vanished=tuple(uri for uri in known if uri not in found),
        )

    def tags(self) -> dict[str, str]:
        """Return run tags that say what changed: how many files, and the first few."""
        kinds = {"new": self.new, "changed": self.changed, "vanished": self.vanished}
        return {f"{_TAG}/{kind}": _told(uris) for kind, uris in kinds.items() if uris}


def _told(uris: tuple[str, ...]) -> str:
    names = ", ".join(uri.rsplit("/", 1)[-1] for uri in uris[:_NAMED])
    return f"{len(uris)}: {names}{', …' if len(uris) > _NAMED else ''}"


def source_sensor(declared: DeclaredCollection) -> dg.SensorDefinition:
    """Return the sensor that asks for a run when source files appear, change or vanish.

    Or when the collection is declared otherwise: another filter, other bands.
    """
    spec = declared.spec

    @dg.sensor(
        name=op_name(spec.name, "source"),
        job_name=op_name(spec.name, UPDATE),
        minimum_interval_seconds=declared.sensor_interval_s,
        description="Ask for a run when files of the source appear, change or vanish, or the "
        "collection is declared otherwise.",
    )
    def source(
        context: dg.SensorEvaluationContext, workspace: dg.ResourceParam[WorkspaceIOManager]
    ) -> dg.SensorResult | dg.SkipReason:
        found = {one.uri: one.identity for one in list_sources(spec.sources)}
        seen = SourceCursor.of(context.cursor)
        now = SourceCursor(
            listing=digest(found), declaration=digest(spec.described()), runs=seen.runs + 1
        )
        declared_anew = seen.declaration not in {"", now.declaration}
        if now.listing == seen.listing and not declared_anew:
            return dg.SkipReason(f"{len(found)} files, as at the last look")
        taken = workspace.workspace().stage(spec.name, RAW).latest()
        request = dg.RunRequest(
            run_key=f"{spec.name}:{now.runs}:{digest(now.listing, now.declaration)}",
            tags={
                **SourceChange.between(taken, found).tags(),
                **({f"{_TAG}/declaration": "changed"} if declared_anew else {}),
                **range_tags(spec.bands or ()),
            },
        )
        return dg.SensorResult(run_requests=[request], cursor=now.text())

    return source


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
        return dg.RunRequest(run_key=f"{spec.name}:{asset_event.run_id}", tags=range_tags(found))

    return bands


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
        context: dg.ScheduleEvaluationContext, workspace: dg.ResourceParam[WorkspaceIOManager]
    ) -> dg.RunRequest | dg.SkipReason:
        failed = {
            band: count
            for band in known_bands(spec, context.instance)
            if (count := _healable(workspace.workspace(), spec.name, band))
        }
        if not failed:
            return dg.SkipReason("no header has failed that may have healed")
        return dg.RunRequest(
            run_config={"resources": {"enrichment": {"config": {"retry": Retry.HEALABLE.value}}}},
            tags={
                f"{_TAG}/retry": ", ".join(f"{band}: {n}" for band, n in failed.items()),
                **range_tags(list(failed)),
            },
        )

    return retry


def _healable(workspace: Workspace, name: str, band: str) -> int:
    """Return how many headers of the band have failed in a way that may pass."""
    manifest = workspace.stage(name, HEADERS, band).latest()
    if manifest is None:
        return 0
    problems = header_problems(manifest.fragments)
    return sum(count for code, count in problems.items() if retries(code, Retry.HEALABLE))
