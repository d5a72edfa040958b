"""`collection` as a Dagster asset."""

from collections.abc import Sequence

import dagster as dg

from rasteret_assets.assets.columns import collection_columns
from rasteret_assets.assets.declared import DeclaredCollection
from rasteret_assets.assets.definition import LOST_ONCE, WORKSPACE, table_asset
from rasteret_assets.assets.enrichment import look_settings
from rasteret_assets.assets.io_manager import WorkspaceIOManager
from rasteret_assets.assets.names import COLLECTION, HEADERS, REMAPPED, op_name
from rasteret_assets.assets.object_storage import ObjectStorageResource
from rasteret_assets.assets.outputs import CollectionPlan
from rasteret_assets.assets.resources import EnrichmentResource
from rasteret_assets.contract.spec import digest
from rasteret_assets.pipeline.build import open_inputs
from rasteret_assets.pipeline.zipping import ZIP_VERSION, collection_update
from rasteret_assets.storage import StageTable


def collection_asset(declared: DeclaredCollection) -> dg.AssetsDefinition:
    """Return the Dagster asset `{name}/collection`: records and the headers of their bands."""
    version = digest("collection", ZIP_VERSION)
    if not declared.spec.enrich:
        op = _of_records(declared)
        return table_asset(op, declared, COLLECTION, upstream=(REMAPPED,), version=version)
    op = _of_records_and_headers(declared)
    return table_asset(op, declared, COLLECTION, upstream=(REMAPPED, HEADERS), version=version)


def _of_records(declared: DeclaredCollection) -> dg.OpDefinition:
    @dg.op(
        name=op_name(declared.name, COLLECTION),
        out=dg.Out(io_manager_key=WORKSPACE),
        pool=declared.pool,  # its picture asks for a few tiles
        retry_policy=LOST_ONCE,
    )
    def collection(
        remapped_table: StageTable,
        workspace: dg.ResourceParam[WorkspaceIOManager],
        enrichment: EnrichmentResource,
        object_storage: ObjectStorageResource,  # noqa: ARG001  # live meanwhile
    ) -> CollectionPlan:
        return _plan(declared, remapped_table, workspace, enrichment, bands=())

    return collection


def _of_records_and_headers(declared: DeclaredCollection) -> dg.OpDefinition:
    @dg.op(
        name=op_name(declared.name, COLLECTION),
        out=dg.Out(io_manager_key=WORKSPACE),
        pool=declared.pool,  # its picture asks for a few tiles
        retry_policy=LOST_ONCE,
    )
    def collection(
        context: dg.OpExecutionContext,
        remapped_table: StageTable,
        band_headers: dict[str, StageTable],
        workspace: dg.ResourceParam[WorkspaceIOManager],
        enrichment: EnrichmentResource,
        object_storage: ObjectStorageResource,  # noqa: ARG001  # live meanwhile
    ) -> CollectionPlan:
        context.log.info("bands with headers: %s", ", ".join(band_headers) or "none")
        bands = workspace.workspace().bands(declared.name)
        return _plan(declared, remapped_table, workspace, enrichment, bands=bands)

    return collection


def _plan(
    declared: DeclaredCollection,
    remapped_table: StageTable,
    workspace: WorkspaceIOManager,
    enrichment: EnrichmentResource,
    *,
    bands: Sequence[str],
) -> CollectionPlan:
    spec = declared.spec
    place, settings = workspace.workspace(), workspace.build_settings()
    return CollectionPlan(
        plan=lambda base: collection_update(open_inputs(spec, place), base, settings),
        columns=collection_columns(spec, bands),
        look=look_settings(declared, enrichment),
        rows_in=remapped_table.count_rows(),
    )
