"""`raw_table`, `validated_table` and `remapped_table` as Dagster assets."""

from collections.abc import Callable

import dagster as dg

from rasteret_assets.assets.columns import raw_columns, remapped_columns, validated_columns
from rasteret_assets.assets.declared import DeclaredCollection, register_bands
from rasteret_assets.assets.definition import LOST_ONCE, OBJECT_STORAGE, WORKSPACE, table_asset
from rasteret_assets.assets.io_manager import WorkspaceIOManager
from rasteret_assets.assets.names import RAW, REMAPPED, VALIDATED, op_name
from rasteret_assets.assets.next_step import telling_next_step
from rasteret_assets.assets.object_storage import ObjectStorageResource
from rasteret_assets.assets.outputs import StagePlan, newest
from rasteret_assets.assets.watching import settled_before
from rasteret_assets.contract.spec import CollectionSpec
from rasteret_assets.pipeline.build import check_rows
from rasteret_assets.pipeline.enrich import bands_of
from rasteret_assets.pipeline.tables import (
    fingerprints,
    raw_update,
    remapped_update,
    validated_update,
)
from rasteret_assets.storage import Manifest, StageTable, list_sources


def table_assets(declared: DeclaredCollection) -> list[dg.AssetsDefinition]:
    """Return the Dagster assets of the stages that turn source rows into records."""
    return [_raw_table(declared), _validated_table(declared), _remapped_table(declared)]


def _raw_table(declared: DeclaredCollection) -> dg.AssetsDefinition:
    spec = declared.spec

    @dg.op(
        name=op_name(spec.name, RAW),
        out=dg.Out(io_manager_key=WORKSPACE),
        retry_policy=LOST_ONCE,
    )
    def raw_table(
        context: dg.OpExecutionContext,
        workspace: dg.ResourceParam[WorkspaceIOManager],
        object_storage: ObjectStorageResource,  # noqa: ARG001  # live meanwhile
    ) -> StagePlan:
        settings = workspace.build_settings()
        with telling_next_step(spec.name, RAW):
            sources = list_sources(spec.sources)
        before = settled_before(context.run_tags)
        return StagePlan(
            plan=lambda base: raw_update(spec, sources, base, settings, settled_before_ns=before),
            columns=raw_columns(spec),
            check=_has_rows(spec),
        )

    return table_asset(raw_table, declared, RAW, version=fingerprints(spec).raw)


def _validated_table(declared: DeclaredCollection) -> dg.AssetsDefinition:
    spec = declared.spec

    @dg.op(
        name=op_name(spec.name, VALIDATED),
        out=dg.Out(io_manager_key=WORKSPACE),
        required_resource_keys={OBJECT_STORAGE},
        retry_policy=LOST_ONCE,
    )
    def validated_table(raw_table: StageTable) -> StagePlan:
        return StagePlan(
            plan=lambda base: validated_update(spec, newest(raw_table), base),
            columns=validated_columns(spec),
            check=_has_rows(spec),
            rows_in=raw_table.count_rows(),
        )

    version = fingerprints(spec).validated
    return table_asset(validated_table, declared, VALIDATED, upstream=(RAW,), version=version)


def _remapped_table(declared: DeclaredCollection) -> dg.AssetsDefinition:
    spec = declared.spec

    @dg.op(
        name=op_name(spec.name, REMAPPED),
        out=dg.Out(io_manager_key=WORKSPACE),
        retry_policy=LOST_ONCE,
    )
    def remapped_table(
        context: dg.OpExecutionContext,
        validated_table: StageTable,
        workspace: dg.ResourceParam[WorkspaceIOManager],
        object_storage: ObjectStorageResource,  # noqa: ARG001  # live meanwhile
    ) -> StagePlan:
        settings = workspace.build_settings()

        def check(manifest: Manifest) -> None:
            check_rows(spec, manifest.fragments)
            if spec.enrich:
                bands_of(spec, manifest)

        def committed(manifest: Manifest) -> None:
            if spec.enrich and spec.bands is None:
                bands = bands_of(spec, manifest)
                register_bands(spec, bands, context.instance)
                context.log.info("bands found: %s", ", ".join(bands))

        return StagePlan(
            plan=lambda base: remapped_update(spec, newest(validated_table), base, settings),
            columns=remapped_columns(spec, validated_table.schema),
            check=check,
            committed=committed,
            rows_in=validated_table.count_rows(),
        )

    version = fingerprints(spec).remapped
    return table_asset(remapped_table, declared, REMAPPED, upstream=(VALIDATED,), version=version)


def _has_rows(spec: CollectionSpec) -> Callable[[Manifest], None]:
    return lambda manifest: check_rows(spec, manifest.fragments)
