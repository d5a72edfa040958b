"""Runs of declared collections in this process, against an instance of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from rasteret_assets.assets import (
    DeclaredCollection,
    EnrichmentResource,
    ObjectStorageResource,
    WorkspaceIOManager,
    build_collection_defs,
)
from rasteret_assets.assets.names import band_partition, stage_key
from rasteret_assets.contract.spec import CollectionSpec
from rasteret_assets.storage import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One declared collection, its workspace and a Dagster instance."""

    declared: DeclaredCollection
    root: str
    instance: dg.DagsterInstance
    enrichment: EnrichmentResource
    object_storage: ObjectStorageResource = field(default_factory=ObjectStorageResource)
    summaries: dg.FilesystemIOManager = field(default_factory=dg.FilesystemIOManager)

    @property
    def definitions(self) -> dg.Definitions:
        """All that Dagster knows."""
        resources = {
            **self.evaluated_with,
            "enrichment": self.enrichment,
            "summaries": self.summaries,
        }
        given = dg.Definitions(resources=resources, executor=dg.in_process_executor)
        return dg.Definitions.merge(build_collection_defs(self.declared), given)

    @property
    def evaluated_with(self) -> dict[str, object]:
        """The resources that sensors and schedules have."""
        return {
            "workspace": WorkspaceIOManager(root=self.root),
            "object_storage": self.object_storage,
        }

    @property
    def workspace(self) -> Workspace:
        """Where the stages are."""
        return Workspace(self.root)

    def run(
        self,
        *,
        stages: Sequence[str] | None = None,
        bands: Sequence[str] = (),
        config: Mapping[str, Any] | None = None,
    ) -> dg.ExecuteInProcessResult:
        """Materialize some stages, by default all, for the bands from the first to the last."""
        keys = [stage_key(self.declared.name, stage) for stage in stages or ()]
        keys = keys or list(self.definitions.resolve_asset_graph().materializable_asset_keys)
        tags = {}
        if bands:
            tags["dagster/asset_partition_range_start"] = band_partition(bands[0])
            tags["dagster/asset_partition_range_end"] = band_partition(bands[-1])
        job = self.definitions.resolve_implicit_global_asset_job_def()
        return job.execute_in_process(
            instance=self.instance,
            asset_selection=keys,
            tags=tags,
            run_config=config or {},
            raise_on_error=False,
        )


def declared(name: str, source: object, **given: Any) -> DeclaredCollection:  # noqa: ANN401  # fields of two classes
    """A collection that enriches all bands it finds, unless `given` says otherwise."""
    extras = {
        key: given.pop(key) for key in ("pool", "retry_cron", "owners", "drift") if key in given
    }
    spec = CollectionSpec(
        name=name, sources=(str(source),), enrich=given.pop("enrich", True), **given
    )
    return DeclaredCollection(spec=spec, **extras)


def errors_of(result: dg.ExecuteInProcessResult) -> str:
    """All that failed steps said, one line each."""
    said = []
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            while error is not None:
                said.append(error.message)
                error = error.cause
    return "".join(said)
