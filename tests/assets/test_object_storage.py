"""Object storage by run config, against what the environment says."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rasteret_assets.api import load
from rasteret_assets.assets import EnrichmentResource, ObjectStorageResource
from rasteret_assets.assets.declared import DriftSampling
from tests.assets.conftest import collection_yaml
from tests.assets.elsewhere import ELSEWHERE, go_elsewhere, of_stores
from tests.assets.projects import Project, project_of
from tests.assets.runs import Deployment, declared, errors_of
from tests.rig.http_server import RangeServer
from tests.rig.scenes import geotiff, record_table
from tests.rig.stores import Store, gcs_store, s3_store

SIDES: Final = (64, 96, 128)
"""Pixels across the file of each scene, so that no header can be mistaken for another."""


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment with keys that leads to no store."""
    go_elsewhere(monkeypatch)


@pytest.fixture(scope="module")
def s3() -> Iterator[Store]:
    with s3_store() as store:
        yield store


@pytest.fixture(scope="module")
def gs() -> Iterator[Store]:
    with gcs_store() as store:
        yield store


def parquet() -> bytes:
    """The table that lists a file for each scene, beside itself."""
    table = record_table(len(SIDES), lambda number, _: f"{number}.tif", ["B04"])
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return bytes(sink.getvalue().to_pybytes())


def scenes() -> dict[str, bytes]:
    """Keys and contents of an archive: the table and its files."""
    files = {f"{number}.tif": geotiff(number, side=side) for number, side in enumerate(SIDES)}
    return {"items.parquet": parquet(), **files}


def filled(store: Store, bucket: str) -> str:
    """Make a bucket that holds an archive; return its URI."""
    made = store.make_bucket(bucket)
    for key, body in scenes().items():
        store.put(bucket, f"scenes/{key}", body)
    return made


def storage_config(**fields: object) -> dict[str, Any]:
    """Run config that sets fields of the resource."""
    return {"resources": {"object_storage": {"config": fields}}}


def headers_in(root: str) -> list[tuple[str, int]]:
    """Each record's id, and the width that its header gives."""
    rows = load("demo", workspace_dir=root).dataset.to_table(columns=["id", "B04_metadata"])
    return sorted((row["id"], row["B04_metadata"]["image_width"]) for row in rows.to_pylist())


ALL_HEADERS: Final = [(f"scene-{number:03}", side) for number, side in enumerate(SIDES)]


def deployment_of(bucket: str, root: str, instance: dg.DagsterInstance) -> Deployment:
    """A collection of the archive in `bucket`, kept at `root`."""
    made = declared(
        "demo",
        f"{bucket}/scenes/items.parquet",
        bands=("B04",),
        retry_cron="0 6 * * *",
        drift=DriftSampling(cron="0 3 * * *"),
    )
    return Deployment(
        declared=replace(made, sensor_quiet_s=0),
        root=root,
        instance=instance,
        enrichment=EnrichmentResource(chunk_headers=2, max_attempts=1),
    )


# --- runs --------------------------------------------------------------------------------


def project_over(bucket: str, folder: Path, variables: Mapping[str, str]) -> Project:
    """Return a project whose table is in `bucket`."""
    source = f"{bucket}/scenes/items.parquet"
    yaml = collection_yaml("demo", source, bands=["B04"], sensor_quiet_s=0, drift={"files": 9})
    return project_of(folder, {"demo": yaml}, variables)


@pytest.mark.slow
def test_steps_in_processes_of_their_own_find_the_store_that_run_config_names(
    s3: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = filled(s3, "archive")
    project = project_over(bucket, tmp_path, ELSEWHERE)
    start = {"forkserver": {"preload_modules": ["rasteret_assets.assets"]}}
    multiprocess = {"multiprocess": {"max_concurrent": 2, "start_method": start}}
    storage = {"s3_endpoint": s3.endpoint, "s3_region": "us-east-1"}
    resources = {
        "object_storage": {"config": storage},
        "workspace": {"config": {"root": f"{bucket}/workspace"}},
        "enrichment": {"config": {"chunk_headers": 2, "look_at_pixels": True}},
        "summaries": {"config": {"base_dir": f"{bucket}/summaries"}},
    }
    config = {"execution": {"config": multiprocess}, "resources": resources}

    given = ("--partition", "B04", "--config-json", json.dumps(config))
    run = project.materialize("group:demo", *given)
    sampled = project.run(
        *("dagster", "job", "execute", "-f", "definitions.py", "-j", "demo__drift"),
        *("--config", _file(tmp_path / "drift.json", {"resources": resources})),
    )

    assert run.returncode == 0, run.stderr[-4000:]
    assert sampled.returncode == 0, sampled.stderr[-4000:]
    assert not project.workspace.exists()
    s3.apply(monkeypatch)
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3")
    assert headers_in(f"{bucket}/workspace") == ALL_HEADERS
    with dg.DagsterInstance.from_config(str(project.home)) as instance:
        (said,) = instance.fetch_observations(dg.AssetKey(["demo", "archive"]), limit=1).records
        assert said.asset_observation is not None
        assert said.asset_observation.metadata["unchanged"].value == len(SIDES)


def _file(path: Path, config: Mapping[str, Any]) -> str:
    path.write_text(json.dumps(config))
    return str(path)


def test_a_run_without_it_follows_the_environment(
    s3: Store, instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = filled(s3, "as-before")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3.endpoint)
    deployment = deployment_of(bucket, str(tmp_path / "workspace"), instance)
    assert deployment.run(bands=["B04"]).success
    assert headers_in(deployment.root) == ALL_HEADERS


def test_a_run_finds_the_google_store_that_run_config_names(
    gs: Store, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = filled(gs, "archive")
    before = of_stores()
    deployment = deployment_of(bucket, f"{bucket}/workspace", instance)

    run = deployment.run(bands=["B04"], config=storage_config(gs_endpoint=gs.endpoint))

    assert run.success, errors_of(run)
    assert of_stores() == before
    gs.apply(monkeypatch)
    assert headers_in(f"{bucket}/workspace") == ALL_HEADERS


# --- who asks ----------------------------------------------------------------------------


@pytest.fixture
def recorded() -> Iterator[RangeServer]:
    """A server that is asked as S3 is, and tells what it was sent."""
    with RangeServer() as server:
        for key, body in scenes().items():
            server.put(f"archive/scenes/{key}", body)
        yield server


@pytest.mark.parametrize(
    ("said", "unsigned"),
    [(None, True), ("NO", True), ("YES", False)],
    ids=["unsigned", "unsigned against the environment", "signed against the environment"],
)
def test_run_config_says_whether_requests_are_signed_and_for_which_region(
    recorded: RangeServer,
    instance: dg.DagsterInstance,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    said: str | None,
    *,
    unsigned: bool,
) -> None:
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    if said is not None:
        monkeypatch.setenv("AWS_NO_SIGN_REQUEST", said)
    deployment = deployment_of("s3://archive", str(tmp_path / "workspace"), instance)

    run = deployment.run(
        bands=["B04"],
        config=storage_config(
            s3_endpoint=recorded.url().rstrip("/"),
            s3_region="eu-central-1",
            s3_unsigned=unsigned,
        ),
    )

    assert run.success, errors_of(run)
    assert headers_in(deployment.root) == ALL_HEADERS
    asked = recorded.seen()
    assert {one.path for one in asked} >= {f"archive/scenes/{key}" for key in scenes()}
    signatures = [one.headers.get("authorization") for one in asked]
    if unsigned:
        assert set(signatures) == {None}
    else:
        assert {str(one).split("/")[2] for one in signatures} == {"eu-central-1"}


def test_run_config_says_who_pays_for_tables(
    recorded: RangeServer, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    deployment = deployment_of("s3://archive", str(tmp_path / "workspace"), instance)
    endpoint = recorded.url().rstrip("/")

    config = storage_config(s3_endpoint=endpoint, s3_requester_pays=True)
    assert deployment.run(stages=["raw_table"], config=config).success

    payers = {one.headers.get("x-amz-request-payer") for one in recorded.seen()}
    assert payers == {"requester"}


def test_a_profile_goes_before_keys_of_the_environment(
    recorded: RangeServer,
    instance: dg.DagsterInstance,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys = "[readers]\naws_access_key_id = READER\naws_secret_access_key = other\n"
    (tmp_path / "credentials").write_text(keys)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_DEFAULT_PROFILE", "writers")
    deployment = deployment_of("s3://archive", str(tmp_path / "workspace"), instance)
    before = of_stores()
    endpoint = recorded.url().rstrip("/")

    config = storage_config(s3_endpoint=endpoint, s3_profile="readers")
    run = deployment.run(bands=["B04"], config=config)

    assert run.success, errors_of(run)
    named = {one.headers["authorization"].split("Credential=")[1][:6] for one in recorded.seen()}
    assert named == {"READER"}
    assert of_stores() == before


# --- sensors and schedules ---------------------------------------------------------------


def test_sensors_and_schedules_ask_the_store_that_the_deployment_names(
    s3: Store, tmp_path: Path
) -> None:
    bucket = filled(s3, "watched")
    before = of_stores()
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        deployment = replace(
            deployment_of(bucket, f"{bucket}/workspace", instance),
            object_storage=ObjectStorageResource(s3_endpoint=s3.endpoint),
        )
        sensor = deployment.definitions.resolve_sensor_def("demo__source")
        with dg.build_sensor_context(
            instance,
            repository_def=deployment.definitions.get_repository_def(),
            resources=_required(sensor, deployment),
        ) as looking:
            (request,) = sensor.evaluate_tick(looking).run_requests or ()
        assert request.tags["rasteret_assets/new"] == "1: items.parquet"
        assert _skipped(deployment, "demo__sample_drift") == "no header has been fetched yet"
        assert deployment.run(bands=["B04"]).success
        assert _skipped(deployment, "demo__sample_drift") is None
        assert _skipped(deployment, "demo__retry") == "no header has failed that may have healed"
    assert of_stores() == before


def _required(
    asking: dg.SensorDefinition | dg.ScheduleDefinition, deployment: Deployment
) -> dict[str, object]:
    """The resources that a code server gives it: those that it asks for, and no others."""
    return {key: deployment.evaluated_with[key] for key in asking.required_resource_keys}


def _skipped(deployment: Deployment, name: str) -> str | None:
    schedule = deployment.definitions.resolve_schedule_def(name)
    with dg.build_schedule_context(
        deployment.instance,
        repository_def=deployment.definitions.get_repository_def(),
        resources=_required(schedule, deployment),
    ) as looking:
        return schedule.evaluate_tick(looking).skip_message


@pytest.mark.slow
def test_a_code_server_s_sensor_asks_the_store_that_the_deployment_names(
    s3: Store, tmp_path: Path
) -> None:
    named = {**ELSEWHERE, "RASTERET_ASSETS_S3_ENDPOINT": s3.endpoint}
    project = project_over(filled(s3, "looked-at"), tmp_path, named)

    found = project.run("dagster", "sensor", "preview", "-f", "definitions.py", "demo__source")

    assert found.returncode == 0, found.stdout + found.stderr
    assert "run requests for 1 run(s)" in found.stdout, found.stdout[-3000:]


def test_all_that_reads_or_writes_has_the_resource(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    with_headers = deployment_of("s3://archive", str(tmp_path), instance)
    without = replace(with_headers, declared=declared("demo", "s3://archive/", enrich=False))
    finds_bands = replace(with_headers, declared=declared("demo", "s3://archive/"))
    for deployment in (with_headers, without, finds_bands):
        found = deployment.definitions.get_repository_def()
        nodes = [node for job in found.get_all_jobs() for node in job.all_node_defs]
        ops = [node for node in nodes if isinstance(node, dg.OpDefinition)]
        assert ops
        lacking = {op.name for op in ops if "object_storage" not in op.required_resource_keys}
        asked = {one.name: one.required_resource_keys for one in found.sensor_defs}
        asked |= {one.name: one.required_resource_keys for one in found.schedule_defs}
        for name, keys in asked.items():
            if "workspace" in keys and "object_storage" not in keys:
                lacking.add(name)
        assert lacking == set()


def test_a_failed_run_leaves_the_environment_as_it_was(
    recorded: RangeServer, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    before = of_stores()
    recorded.put("archive/scenes/items.parquet", b"no table")
    deployment = deployment_of("s3://archive", str(tmp_path / "workspace"), instance)
    endpoint = recorded.url().rstrip("/")
    run = deployment.run(bands=["B04"], config=storage_config(s3_endpoint=endpoint))
    assert "s3://archive/scenes/items.parquet" in errors_of(run)
    assert of_stores() == before
