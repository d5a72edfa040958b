import os
from collections.abc import Mapping
from typing import Any

import dagster as dg
import pytest

import resources
from rasteret_assets.assets import EnrichmentResource, ObjectStorageResource, WorkspaceIOManager
from rasteret_assets.contract.settings import BuildSettings, FetchSettings, Retry
from resources import executors, local, production, test
from resources.environment import overridden


def settings_in_a_run(
    given: Mapping[str, object], config: Mapping[str, Any]
) -> tuple[FetchSettings, WorkspaceIOManager]:
    """What a run with this config gets from a deployment's resources."""
    told: list[Any] = []

    @dg.op
    def ask(
        enrichment: EnrichmentResource, workspace: dg.ResourceParam[WorkspaceIOManager]
    ) -> None:
        told.extend([enrichment.fetch_settings(), workspace])

    @dg.job(resource_defs={key: given[key] for key in ("enrichment", "workspace")})
    def job() -> None:
        ask()

    job.execute_in_process(run_config={"resources": config})
    return told[0], told[1]


def test_the_defaults_are_those_of_plain_python() -> None:
    resource = EnrichmentResource()
    assert resource.fetch_settings() == FetchSettings()
    assert resource.build_settings() == BuildSettings()
    assert WorkspaceIOManager().build_settings() == BuildSettings()
    assert resource.retry_policy() is Retry.HEALABLE


def test_run_config_that_sets_one_field_leaves_the_deployment_s_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RASTERET_WORKSPACE", "/somewhere")
    config = {
        "enrichment": {"config": {"max_per_host": 3}},
        "workspace": {"config": {"batch_rows": 7}},
    }

    fetch, workspace = settings_in_a_run(test.RESOURCES, config)

    assert (fetch.max_per_host, fetch.max_concurrent, fetch.max_attempts) == (3, 16, 2)
    assert (workspace.root, workspace.batch_rows) == ("/somewhere", 7)


def test_production_is_read_from_the_environment_when_a_run_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RASTERET_WORKSPACE", "s3://bucket/workspace")
    monkeypatch.setenv("RASTERET_ASSETS_MAX_CONCURRENT", "40")
    monkeypatch.setenv("RASTERET_ASSETS_MAX_PER_HOST", "20")

    fetch, workspace = settings_in_a_run(production.RESOURCES, {})

    assert (fetch.max_concurrent, fetch.max_per_host) == (40, 20)
    assert workspace.root == "s3://bucket/workspace"


@pytest.mark.parametrize("name", ["local", "test", "production"])
def test_a_variable_sets_any_field_of_any_deployment_and_run_config_goes_before_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RASTERET_WORKSPACE", "/somewhere")
    monkeypatch.setenv("RASTERET_ASSETS_MAX_CONCURRENT", "40")
    monkeypatch.setenv("RASTERET_ASSETS_MAX_PER_HOST", "20")
    monkeypatch.setenv("RASTERET_ASSETS_REQUEST_TIMEOUT_S", "2.5")
    monkeypatch.setenv("RASTERET_ASSETS_REQUESTER_PAYS", "true")
    monkeypatch.setenv("RASTERET_ASSETS_BATCH_ROWS", "9")
    given = overridden(resources.SETS[name])

    fetch, workspace = settings_in_a_run(given, {"enrichment": {"config": {"max_per_host": 3}}})

    assert (fetch.max_concurrent, fetch.max_per_host) == (40, 3)
    assert (fetch.request_timeout_s, fetch.requester_pays) == (2.5, True)
    assert workspace.batch_rows == 9


@pytest.mark.parametrize("name", ["local", "test", "production"])
def test_object_storage_is_as_run_config_then_a_variable_then_the_environment_says(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://environment.example")
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    monkeypatch.setenv("AWS_NO_SIGN_REQUEST", "YES")
    monkeypatch.setenv("AWS_REQUEST_PAYER", "requester")
    monkeypatch.setenv("RASTERET_ASSETS_S3_REGION", "eu-central-1")
    monkeypatch.setenv("RASTERET_ASSETS_S3_UNSIGNED", "false")
    monkeypatch.setenv("RASTERET_ASSETS_S3_ENDPOINT", "https://variable.example")
    given = overridden(resources.SETS[name])["object_storage"]
    told: list[dict[str, str]] = []

    @dg.op
    def ask(object_storage: ObjectStorageResource) -> None:
        assert isinstance(object_storage, ObjectStorageResource)
        told.append(dict(os.environ))

    @dg.job(resource_defs={"object_storage": given})
    def job() -> None:
        ask()

    config = {"s3_endpoint": "https://run.example"}
    job.execute_in_process(run_config={"resources": {"object_storage": {"config": config}}})

    assert told[0]["AWS_ENDPOINT_URL_S3"] == "https://run.example"
    assert told[0]["AWS_REGION"] == "eu-central-1"
    assert "AWS_NO_SIGN_REQUEST" not in told[0]
    assert told[0]["AWS_REQUEST_PAYER"] == "requester"
    assert os.environ["AWS_ENDPOINT_URL_S3"] == "https://environment.example"


def test_a_variable_that_is_no_value_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RASTERET_ASSETS_MAX_ATTEMPTS", "many")
    with pytest.raises(ValueError, match="RASTERET_ASSETS_MAX_ATTEMPTS is 'many'"):
        resources.deployed()


def test_a_variable_that_production_misses_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RASTERET_WORKSPACE", raising=False)
    with pytest.raises(dg.DagsterInvalidConfigError, match="RASTERET_WORKSPACE"):
        settings_in_a_run(production.RESOURCES, {})


def test_the_environment_chooses_the_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(resources.VARIABLE, raising=False)
    assert resources.deployed().resources is not None
    chosen = {None: local, "local": local, "test": test, "production": production}
    for name, module in chosen.items():
        if name is not None:
            monkeypatch.setenv(resources.VARIABLE, name)
        assert dict(resources.deployed().resources or {}) == module.RESOURCES


def test_an_unknown_deployment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(resources.VARIABLE, "staging")
    with pytest.raises(ValueError, match="the deployments are local, test, production"):
        resources.deployed()


def test_an_unknown_executor_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(executors.VARIABLE, "carrier-pigeons")
    with pytest.raises(ValueError, match="the executors are local, celery"):
        resources.deployed()


def test_runs_are_in_process_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(executors.VARIABLE, raising=False)
    schema = executors.executor().config_schema.as_field()
    assert schema.default_value == {"in_process": {}}
