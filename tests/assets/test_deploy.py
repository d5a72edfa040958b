"""The files of deploy/: valid where others define what is valid, complete, and without secrets."""

import os
import re
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from shutil import which
from typing import Any, Final

import pytest
import yaml  # type: ignore[import-untyped]  # the stubs are a package of their own
from dagster._config import Shape, process_config
from dagster._core.instance.config import dagster_instance_config_schema
from dagster_aws.s3 import S3ComputeLogManager
from dagster_k8s import K8sRunLauncher
from dagster_k8s.models import k8s_model_from_dict, k8s_snake_case_dict
from kubernetes.client import (  # type: ignore[import-untyped]  # it has no types
    V1ConfigMap,
    V1ResourceRequirements,
)

from tests.assets.projects import ROOT, own_project
from tests.conftest import require

DEPLOY: Final = ROOT / "deploy"
SECRETS: Final = dict.fromkeys(("POSTGRES_PASSWORD", "REDIS_PASSWORD", "S3_PASSWORD"), "given")


def load(name: str) -> Any:  # noqa: ANN401  # YAML
    return yaml.safe_load((DEPLOY / name).read_text())


def compose(arguments: list[str], given: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    program = which("docker-compose")
    require(program is not None, "docker-compose is not installed; `make test` as root does it")
    return subprocess.run(
        [str(program), "-f", str(DEPLOY / "docker-compose.yml"), *arguments],
        env={"PATH": os.environ["PATH"], **given},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_docker_compose_takes_the_file() -> None:
    said = compose(["config", "--services"], SECRETS)

    assert said.returncode == 0, said.stderr
    assert {"code", "webserver", "daemon", "worker", "postgres", "redis"} <= set(
        said.stdout.split()
    )


@pytest.mark.parametrize("missing", SECRETS)
def test_docker_compose_starts_nothing_without_a_password(missing: str) -> None:
    given = {name: value for name, value in SECRETS.items() if name != missing}

    said = compose(["config", "-q"], given)

    assert said.returncode != 0
    assert missing in said.stderr


def asked_for(value: object) -> Iterator[str]:
    """Every variable that a configuration takes from the environment."""
    if isinstance(value, dict):
        if set(value) == {"env"}:
            yield value["env"]
        for one in value.values():
            yield from asked_for(one)
    elif isinstance(value, list):
        for one in value:
            yield from asked_for(one)


def of_production() -> set[str]:
    """The variables that the resources of a production deployment read."""
    text = (ROOT / "resources" / "production.py").read_text()
    return set(re.findall(r'dg\.EnvVar(?:\.int)?\("(\w+)"\)', text))


def test_compose_gives_every_variable_that_is_asked_for() -> None:
    services = load("docker-compose.yml")["services"]
    asked = {*asked_for(load("dagster.yaml")), *asked_for(load("workspace.yaml")), *of_production()}

    assert {"RASTERET_WORKSPACE", "RASTERET_ASSETS_MAX_CONCURRENT"} <= asked
    for name in ("code", "webserver", "daemon", "worker"):
        assert asked <= set(services[name]["environment"]), name


def test_kubernetes_gives_every_variable_that_is_asked_for() -> None:
    values = load("kubernetes/values.yaml")
    given = load("kubernetes/environment.yaml")["data"]
    executor = (ROOT / "resources" / "executors" / "kubernetes.py").read_text()
    asked = {*asked_for(values), *of_production(), *re.findall(r'"env": "(\w+)"', executor)}

    assert "RASTERET_ASSETS_MAX_PODS" in asked
    assert asked <= set(given)


@pytest.mark.parametrize("name", [str(path.relative_to(DEPLOY)) for path in DEPLOY.rglob("*.y*ml")])
def test_no_file_holds_a_secret(name: str) -> None:
    lines = (DEPLOY / name).read_text().splitlines()
    secrets = [
        line
        for line in lines
        if re.match(r"\s*\w*(password|secret(_access_key)?|PASSWORD|SECRET\w*):\s+\S", line)
    ]

    assert all("${" in line or "{env:" in line for line in secrets), secrets


def snake(value: object) -> Any:  # noqa: ANN401  # as deep as it comes
    """The keys as dagster.yaml has them, which the chart makes of its own."""
    if isinstance(value, dict):
        return {
            re.sub("(?<!^)(?=[A-Z])", "_", key).lower(): snake(one) for key, one in value.items()
        }
    return [snake(one) for one in value] if isinstance(value, list) else value


def accepted(schema: Any, value: Mapping[str, object]) -> None:  # noqa: ANN401  # Dagster's
    """Fail unless Dagster's own schema takes the value."""
    result = process_config(Shape(schema), value)  # type: ignore[no-untyped-call]  # Dagster's
    assert result.success, [error.message for error in result.errors or ()]


def test_dagster_takes_what_the_chart_makes_of_the_values(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in load("kubernetes/environment.yaml")["data"].items():
        monkeypatch.setenv(name, value)
    values = load("kubernetes/values.yaml")
    launcher = values["runLauncher"]["config"]["k8sRunLauncher"]
    needs = {  # which the chart adds from the rest of the release
        "service_account_name": "dagster",
        "instance_config_map": "dagster-instance",
        "postgres_password_secret": "dagster-postgresql-secret",  # a name
        "dagster_home": "/opt/dagster/dagster_home",
    }
    daemon = values["dagsterDaemon"]
    instance = {
        "run_monitoring": daemon["runMonitoring"],
        "run_retries": daemon["runRetries"],
        "retention": {k: v for k, v in values["retention"].items() if k != "enabled"},
        "concurrency": {k: v for k, v in values["concurrency"].items() if k != "enabled"},
        "telemetry": values["telemetry"],
    }

    run_pods = K8sRunLauncher.config_type()  # type: ignore[no-untyped-call]  # Dagster's
    accepted(run_pods, {**needs, **snake(launcher)})
    logs = values["computeLogManager"]["config"]["s3ComputeLogManager"]
    log_files = S3ComputeLogManager.config_type()  # type: ignore[no-untyped-call]  # Dagster's
    accepted(log_files, snake(logs))
    accepted(dagster_instance_config_schema(), snake(instance))


def test_kubernetes_takes_the_environment_and_the_resources() -> None:
    given = k8s_snake_case_dict(V1ConfigMap, load("kubernetes/environment.yaml"))
    made = k8s_model_from_dict(V1ConfigMap, given)
    values = load("kubernetes/values.yaml")
    [code] = values["dagster-user-deployments"]["deployments"]
    pods = values["runLauncher"]["config"]["k8sRunLauncher"]["runK8sConfig"]["containerConfig"]

    for part in (code, values["dagsterWebserver"], values["dagsterDaemon"], pods):
        assert k8s_model_from_dict(V1ResourceRequirements, part["resources"]).requests
        for source in part.get("envConfigMaps", ()):
            assert source["name"] == made.metadata.name


def test_dagster_takes_the_instance_of_several_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    given = load("dagster.yaml")
    for name in asked_for(given):
        monkeypatch.setenv(name, "5432")

    accepted(dagster_instance_config_schema(), given)


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["local", "celery", "kubernetes"])
def test_definitions_load_under_every_executor(executor: str, tmp_path: Path) -> None:
    variables = {
        "RASTERET_ASSETS_DEPLOYMENT": "production",
        "RASTERET_ASSETS_EXECUTOR": executor,
        "RASTERET_ASSETS_CELERY": str(DEPLOY / "celery.yaml"),
    }

    said = own_project(tmp_path, variables).run("dagster", "definitions", "validate")

    assert said.returncode == 0, said.stderr


def test_the_image_is_made_of_what_there_is() -> None:
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    copied = [
        source
        for line in lines
        if line.startswith("COPY")
        for source in line.split()[1:-1]
        if not source.startswith("--")
    ]
    extras = re.search(r"\.\[([\w,-]+)\]", "\n".join(lines))
    assert extras is not None
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert [source for source in copied if not (ROOT / source).exists()] == []
    assert set(extras[1].split(",")) <= set(project["optional-dependencies"])
