"""`band_headers` as a graph of ops: plan, chunks of work that run where there is room, assemble.

What passes between the ops is small: which rows to fetch, and what came of it. Headers go to
the workspace piece by piece; `assemble` commits them, band by band.
"""

import time
from collections.abc import Iterator
from typing import Any, Final

import dagster as dg

from rasteret_assets.assets.columns import header_columns
from rasteret_assets.assets.declared import DeclaredCollection, band_partitions
from rasteret_assets.assets.definition import (
    LOST_ONCE,
    OBJECT_STORAGE,
    ONE_RUN,
    SUMMARIES,
    WORKSPACE,
    described,
)
from rasteret_assets.assets.enrichment import Enrichment
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
from rasteret_assets.assets.next_step import telling_next_step
from rasteret_assets.assets.object_storage import ObjectStorageResource
from rasteret_assets.assets.outputs import StagePlan
from rasteret_assets.assets.resources import EnrichmentResource
from rasteret_assets.contract.bands import HEADERS as HEADER_TABLE
from rasteret_assets.pipeline.pieces import Piece, PieceDone, header_fingerprint

JsonObject = dict[str, Any]
"""What `Piece.to_json` and `PieceDone.to_json` give."""


_RETRIES: Final = dg.RetryPolicy(
    max_retries=3, delay=2, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
)
"""Of a step whose worker was lost, or whose workspace did not answer: it finds its pieces that
were written, and fetches the rest."""


def band_headers_asset(declared: DeclaredCollection) -> dg.AssetsDefinition:
    """Return the Dagster asset `{name}/band_headers`, partitioned by band."""
    name = declared.name
    plan, fetch, assemble = _plan_op(declared), _fetch_op(declared), _assemble_op(declared)

    @dg.graph(name=op_name(name, HEADERS))
    def band_headers(remapped_table: None) -> dict[str, StagePlan]:
        planned = plan.alias("plan")(remapped_table)
        done = planned.map(fetch.alias("fetch")).collect()
        return assemble.alias("assemble")(done)

    asset = dg.AssetsDefinition.from_graph(
        band_headers,
        keys_by_input_name={REMAPPED: stage_key(name, REMAPPED)},
        keys_by_output_name={"result": stage_key(name, HEADERS)},
        partitions_def=band_partitions(declared.spec),
        backfill_policy=ONE_RUN,
    )
    return described(asset, declared, HEADERS, header_fingerprint(declared.spec))


def _plan_op(declared: DeclaredCollection) -> dg.OpDefinition:
    @dg.op(
        name=op_name(declared.name, "plan_headers"),
        description="Say which headers are still to be fetched, in chunks of work.",
        ins={REMAPPED: dg.In(dg.Nothing)},
        out=dg.DynamicOut(io_manager_key=SUMMARIES),
        # Of a graph's output Dagster wants the default I/O manager in the run's resources, but
        # brings it along only if an op asks for it. Nothing is stored by it.
        required_resource_keys={"workspace", "enrichment", OBJECT_STORAGE, "io_manager"},
        retry_policy=LOST_ONCE,
    )
    def plan_headers(
        context: dg.OpExecutionContext,
    ) -> Iterator[dg.DynamicOutput[list[JsonObject]]]:
        given = context.resources
        work = _enrichment(declared, given.workspace, given.enrichment, context)
        bands = [band_of(key) for key in context.partition_keys]
        with telling_next_step(declared.name, HEADERS):
            plan = work.plan(bands)
        steps = work.steps(plan)
        told = "%s: %d headers to bring, in %d steps"
        context.log.info(told, ", ".join(bands), plan.total, len(steps))
        for number, pieces in enumerate(steps):
            value = [piece.to_json() for piece in pieces]
            yield dg.DynamicOutput(value, mapping_key=f"{number:05}")

    return plan_headers


def _fetch_op(declared: DeclaredCollection) -> dg.OpDefinition:
    @dg.op(
        name=op_name(declared.name, "fetch_headers"),
        description="Fetch the headers of some pieces, and write them down piece by piece.",
        out=dg.Out(io_manager_key=SUMMARIES),
        pool=declared.pool,
        retry_policy=_RETRIES,
    )
    def fetch_headers(
        context: dg.OpExecutionContext,
        pieces: list[JsonObject],
        workspace: dg.ResourceParam[WorkspaceIOManager],
        enrichment: EnrichmentResource,
        object_storage: ObjectStorageResource,  # noqa: ARG001  # live meanwhile
    ) -> JsonObject:
        began = time.monotonic()
        work = _enrichment(declared, workspace, enrichment, context)
        with telling_next_step(declared.name, HEADERS):
            done = work.fetch([Piece.from_json(piece) for piece in pieces])
        return {"pieces": [one.to_json() for one in done], "seconds": time.monotonic() - began}

    return fetch_headers


def _assemble_op(declared: DeclaredCollection) -> dg.OpDefinition:
    @dg.op(
        name=op_name(declared.name, "assemble_headers"),
        description="Commit the headers of every band of the run.",
        out=dg.Out(io_manager_key=WORKSPACE),
        pool=declared.pool,  # it fetches what other runs have made lacking meanwhile
        retry_policy=LOST_ONCE,
    )
    def assemble_headers(
        context: dg.AssetExecutionContext,
        done: list[JsonObject],
        workspace: dg.ResourceParam[WorkspaceIOManager],
        enrichment: EnrichmentResource,
        object_storage: ObjectStorageResource,  # noqa: ARG001  # live meanwhile
    ) -> dict[str, StagePlan]:
        brought = [PieceDone.from_json(one) for step in done for one in step["pieces"]]
        work = _enrichment(declared, workspace, enrichment, context)
        with telling_next_step(declared.name, HEADERS):
            made = work.assemble([band_of(key) for key in context.partition_keys], brought)
        seconds = sum(step["seconds"] for step in done)
        for band, update in made.updates.items():
            context.add_asset_metadata(
                {
                    **band_metadata(band, update.keep, made.done, seconds),
                    **header_columns(declared.spec, HEADER_TABLE),
                },
                asset_key=stage_key(declared.name, HEADERS),
                partition_key=band_partition(band),
            )
        return made.plans

    return assemble_headers


def _enrichment(
    declared: DeclaredCollection,
    workspace: WorkspaceIOManager,
    enrichment: EnrichmentResource,
    context: dg.OpExecutionContext | dg.AssetExecutionContext,
) -> Enrichment:
    return Enrichment(
        spec=declared.spec,
        workspace=workspace.workspace(),
        resource=enrichment,
        log=context.log,
        limits=declared.limits,
    )
