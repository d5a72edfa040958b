"""`band_headers` as a graph of ops: plan, chunks of work that run where there is room, assemble.

What passes between the ops is small: which rows to fetch, and what came of it. Headers go to
the workspace chunk by chunk; `assemble` commits them, band by band.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import dagster as dg

from rasteret_assets.assets.declared import DeclaredCollection, band_partitions
from rasteret_assets.assets.definition import ONE_RUN, SUMMARIES, WORKSPACE, described
from rasteret_assets.assets.io_manager import WorkspaceIOManager
from rasteret_assets.assets.metadata import band_metadata
from rasteret_assets.assets.names import (
    HEADERS,
    REMAPPED,
    band_of,
    band_partition,
    op_name,
    stage_key,
)
from rasteret_assets.assets.outputs import StagePlan
from rasteret_assets.assets.progress import ProgressLog
from rasteret_assets.assets.resources import EnrichmentResource
from rasteret_assets.contract.spec import CollectionSpec
from rasteret_assets.pipeline.chunks import (
    Chunk,
    ChunkDone,
    HeaderPlan,
    header_fingerprint,
    header_updates,
)
from rasteret_assets.pipeline.enrich import bands_of, enrich, grouped, header_plan
from rasteret_assets.storage import Manifest, StageUpdate, Workspace

JsonObject = dict[str, Any]
"""What `Chunk.to_json` and `ChunkDone.to_json` give."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Enrichment:
    """One collection's enrichment under the resources of a run."""

    spec: CollectionSpec
    workspace: Workspace
    resource: EnrichmentResource
    log: ProgressLog

    def plan(self, bands: Sequence[str]) -> HeaderPlan:
        """Return what `bands` lack now.

        Raises
        ------
        ConfigError
            If a band is new, and no record has such an asset.
        """
        plan = header_plan(
            self.spec,
            self.workspace,
            bands,
            retry=self.resource.retry_policy(),
            fresh=self.resource.refetch,
            settings=self.resource.build_settings(),
        )
        if new := tuple(band for band, base in plan.bases.items() if base is None):
            bands_of(replace(self.spec, bands=new), plan.remapped)
        return plan

    def fetch(self, chunks: Sequence[Chunk]) -> list[ChunkDone]:
        """Bring the headers of `chunks` to the workspace."""
        fetch = self.resource.fetch_settings()
        done = enrich(self.spec, self.workspace, chunks, fetch=fetch, report=self.log)
        self.log.finished(done)
        return done

    def assemble(self, bands: Sequence[str], done: Sequence[ChunkDone]) -> dict[str, StageUpdate]:
        """Return what each band's headers become, doing now what other runs left to do."""
        plan = self.plan(bands)
        brought = {_work_of(one): one for one in done}
        left = [chunk for chunk in plan.chunks if _files(chunk) not in brought]
        usable = [brought[_files(chunk)] for chunk in plan.chunks if _files(chunk) in brought]
        return header_updates(self.spec, plan, [*usable, *self.fetch(left)])


def _files(chunk: Chunk) -> frozenset[tuple[str, str]]:
    return frozenset(chunk.files.items())


def _work_of(done: ChunkDone) -> frozenset[tuple[str, str]]:
    return frozenset((band, found.file) for band, found in done.ranges.items())


def band_headers_asset(declared: DeclaredCollection) -> dg.AssetsDefinition:
    """Return the Dagster asset `{name}/band_headers`, partitioned by band."""
    spec = declared.spec

    @dg.op(
        name=op_name(spec.name, "plan_headers"),
        description="Say which headers are still to be fetched, in chunks of work.",
        ins={REMAPPED: dg.In(dg.Nothing)},
        out=dg.DynamicOut(io_manager_key=SUMMARIES),
        # Of a graph's output Dagster wants the default I/O manager in the run's resources, but
        # brings it along only if an op asks for it. Nothing is stored by it.
        required_resource_keys={"workspace", "enrichment", "io_manager"},
    )
    def plan_headers(
        context: dg.OpExecutionContext,
    ) -> Iterator[dg.DynamicOutput[list[JsonObject]]]:
        workspace: WorkspaceIOManager = context.resources.workspace
        enrichment: EnrichmentResource = context.resources.enrichment
        bands = [band_of(key) for key in context.partition_keys]
        work = _work(spec, workspace, enrichment, context)
        plan = work.plan(bands)
        groups = grouped(plan.chunks, enrichment.build_settings())
        context.log.info(
            "%s: %d headers to bring, in %d chunks of work",
            ", ".join(bands),
            plan.total,
            len(groups),
        )
        for number, group in enumerate(groups):
            chunks = [chunk.to_json() for chunk in group]
            yield dg.DynamicOutput(chunks, mapping_key=f"{number:05}")

    @dg.op(
        name=op_name(spec.name, "fetch_headers"),
        description="Fetch the headers of one chunk of work, and write them down.",
        out=dg.Out(io_manager_key=SUMMARIES),
        pool=declared.pool,
    )
    def fetch_headers(
        context: dg.OpExecutionContext,
        chunks: list[JsonObject],
        workspace: dg.ResourceParam[WorkspaceIOManager],
        enrichment: EnrichmentResource,
    ) -> JsonObject:
        began = time.monotonic()
        work = _work(spec, workspace, enrichment, context)
        done = work.fetch([Chunk.from_json(chunk) for chunk in chunks])
        return {"chunks": [one.to_json() for one in done], "seconds": time.monotonic() - began}

    @dg.op(
        name=op_name(spec.name, "assemble_headers"),
        description="Commit the headers of every band of the run.",
        out=dg.Out(io_manager_key=WORKSPACE),
    )
    def assemble_headers(
        context: dg.AssetExecutionContext,
        done: list[JsonObject],
        workspace: dg.ResourceParam[WorkspaceIOManager],
        enrichment: EnrichmentResource,
    ) -> dict[str, StagePlan]:
        bands = [band_of(key) for key in context.partition_keys]
        brought = [ChunkDone.from_json(one) for group in done for one in group["chunks"]]
        seconds = sum(group["seconds"] for group in done)
        work = _work(spec, workspace, enrichment, context)
        updates = work.assemble(bands, brought)
        for band, update in updates.items():
            context.add_asset_metadata(
                band_metadata(update.keep, brought, seconds),
                asset_key=stage_key(spec.name, HEADERS),
                partition_key=band_partition(band),
            )
        return {band: _plan_of(work, band, update, brought) for band, update in updates.items()}

    @dg.graph(name=op_name(spec.name, HEADERS))
    def band_headers(remapped_table: None) -> dict[str, StagePlan]:
        planned = plan_headers.alias("plan")(remapped_table)
        done = planned.map(fetch_headers.alias("fetch")).collect()
        return assemble_headers.alias("assemble")(done)

    asset = dg.AssetsDefinition.from_graph(
        band_headers,
        keys_by_input_name={REMAPPED: stage_key(spec.name, REMAPPED)},
        keys_by_output_name={"result": stage_key(spec.name, HEADERS)},
        partitions_def=band_partitions(spec),
        backfill_policy=ONE_RUN,
    )
    return described(asset, declared, HEADERS, header_fingerprint(spec))


def _work(
    spec: CollectionSpec,
    workspace: WorkspaceIOManager,
    enrichment: EnrichmentResource,
    context: dg.OpExecutionContext | dg.AssetExecutionContext,
) -> _Enrichment:
    return _Enrichment(
        spec=spec,
        workspace=workspace.workspace(),
        resource=enrichment,
        log=ProgressLog(context.log),
    )


def _plan_of(
    work: _Enrichment, band: str, update: StageUpdate, done: Sequence[ChunkDone]
) -> StagePlan:
    def plan(base: Manifest | None) -> StageUpdate:
        generation = 0 if base is None else base.generation
        if generation == update.base_generation:
            return update
        return work.assemble([band], done)[band]  # another run has committed meanwhile

    return StagePlan(plan=plan)
