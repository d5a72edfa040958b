import logging
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from rasteret_assets.api import load
from rasteret_assets.assets import WorkspaceIOManager
from rasteret_assets.assets.enrichment import Enrichment
from rasteret_assets.assets.names import stage_key
from rasteret_assets.assets.outputs import CollectionPlan, StagePlan
from rasteret_assets.collection import Collection
from rasteret_assets.contract.settings import BuildSettings
from rasteret_assets.errors import CommitConflictError
from rasteret_assets.pipeline.build import open_inputs
from rasteret_assets.pipeline.tables import raw_update
from rasteret_assets.pipeline.zipping import collection_update
from rasteret_assets.storage import (
    CollectionManifest,
    CollectionUpdate,
    Manifest,
    StageTable,
    StageUpdate,
    list_sources,
)
from tests.assets.conftest import BANDS, Archive
from tests.assets.runs import Deployment

STAGES = ("raw_table", "validated_table", "remapped_table", "band_headers/B04")


def raw_plan(deployment: Deployment, base: Manifest | None) -> StageUpdate:
    spec = deployment.declared.spec
    return raw_update(spec, list_sources(spec.sources), base, BuildSettings())


def test_a_run_that_is_overtaken_plans_anew(deployment: Deployment) -> None:
    spec = deployment.declared.spec
    store = deployment.workspace.stage("demo", "raw_table")
    planned_from: list[int] = []

    def plan(base: Manifest | None) -> StageUpdate:
        planned_from.append(0 if base is None else base.generation)
        update = raw_plan(deployment, base)
        if base is None:  # another run commits while this one has planned
            store.commit(raw_plan(deployment, None))
        return update

    manager = WorkspaceIOManager(root=deployment.root)
    context = dg.build_output_context(asset_key=stage_key(spec.name, "raw_table"))
    manager.handle_output(context, StagePlan(plan=plan))

    assert planned_from == [0, 1]
    assert store.open().count_rows() == 4


def test_a_run_that_is_always_overtaken_fails_and_says_so(deployment: Deployment) -> None:
    def stale(base: Manifest | None) -> StageUpdate:
        return replace(raw_plan(deployment, base), base_generation=99)

    context = dg.build_output_context(asset_key=stage_key("demo", "raw_table"))
    with pytest.raises(CommitConflictError, match="planned from state 99, but the newest is 0"):
        WorkspaceIOManager(root=deployment.root).handle_output(context, StagePlan(plan=stale))


def test_a_collection_that_is_overtaken_takes_the_newest_headers(
    deployment: Deployment,
) -> None:
    deployment.run(bands=["B04"])
    spec, settings = deployment.declared.spec, BuildSettings()
    rivals = ["B08"]

    def plan(base: CollectionManifest | None) -> CollectionUpdate:
        update = collection_update(open_inputs(spec, deployment.workspace), base, settings)
        if rivals:  # another run brings a band, and zips it, while this one has planned
            deployment.run(bands=[rivals.pop()])
        return update

    context = dg.build_output_context(asset_key=stage_key("demo", "collection"))
    manager = WorkspaceIOManager(root=deployment.root)
    manager.handle_output(context, CollectionPlan(plan=plan, rows_in=4))

    assert load("demo", workspace_dir=deployment.root).bands == ["B04", "B08"]


def test_inputs_are_opened_and_not_read(deployment: Deployment) -> None:
    deployment.run(bands=BANDS)
    told: list[object] = []

    @dg.asset(
        ins={
            "records": dg.AssetIn(
                stage_key("demo", "remapped_table"), input_manager_key="workspace"
            ),
            "headers": dg.AssetIn(stage_key("demo", "band_headers"), input_manager_key="workspace"),
            "collection": dg.AssetIn(
                stage_key("demo", "collection"), input_manager_key="workspace"
            ),
        }
    )
    def theirs(records: StageTable, headers: dict[str, StageTable], collection: Collection) -> None:
        told.extend([records.count_rows(), list(headers), len(collection)])

    with_theirs = dg.Definitions.merge(deployment.definitions, dg.Definitions(assets=[theirs]))
    job = with_theirs.resolve_implicit_global_asset_job_def()
    run = job.execute_in_process(instance=deployment.instance, asset_selection=[theirs.key])

    assert run.success
    assert told == [4, list(BANDS), 4]


def test_replaced_states_go_after_their_grace(deployment: Deployment, archive: Archive) -> None:
    deployment.run(bands=["B04"])
    archive.add(0, 6, "items.parquet")
    deployment.run(bands=["B04"])
    folders = [Path(deployment.root, ".stages/demo", stage) for stage in STAGES]
    assert [len(list(folder.glob("_manifest-*"))) for folder in folders] == [2, 2, 2, 2]

    config = {"resources": {"workspace": {"config": {"root": deployment.root, "grace_h": 0.0}}}}
    assert deployment.run(bands=["B04"], config=config).success

    assert [len(list(folder.glob("_manifest-*"))) for folder in folders] == [1, 1, 1, 1]
    assert [len(list(folder.glob("*.parquet"))) for folder in folders] == [1, 1, 1, 3]


def test_stages_are_kept_under_any_fsspec_url(deployment: Deployment) -> None:
    there = replace(deployment, root="memory://archive")

    assert there.run(bands=BANDS).success

    assert load("demo", workspace_dir="memory://archive").count_rows() == 4


def test_the_environment_names_the_workspace_when_a_run_starts(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = WorkspaceIOManager()
    monkeypatch.setenv("RASTERET_WORKSPACE", deployment.root)
    assert manager.workspace().root == deployment.root


def test_headers_that_another_run_commits_meanwhile_are_not_fetched_twice(
    deployment: Deployment, archive: Archive
) -> None:
    deployment.run(stages=["raw_table", "validated_table", "remapped_table"])
    work = Enrichment(
        spec=deployment.declared.spec,
        workspace=deployment.workspace,
        resource=deployment.enrichment,
        log=logging.getLogger("test"),
    )
    made = work.assemble(["B04"], work.fetch(work.plan(["B04"]).pieces))
    deployment.run(bands=["B04"])  # commits the same chunks first
    archive.gets()

    store = deployment.workspace.stage("demo", "band_headers", "B04")
    plan = made.plans["B04"].plan(store.latest())

    assert plan.base_generation == 1
    assert store.commit(plan).generation == 1  # nothing is new
    assert archive.gets() == 0
