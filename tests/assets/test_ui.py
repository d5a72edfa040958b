"""The server and the daemon, with sensors switched on, over files that really appear."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rasteret_assets.api import load
from tests.assets.conftest import BANDS, Archive, collection_yaml
from tests.assets.projects import Project, project_of
from tests.assets.ui import Ui, dagster_dev, wait_until

RUN_S = 150
"""Seconds a run may take from the change that asks for it, on a busy machine."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SENSORS = """
query { sensorsOrError(repositorySelector: {
  repositoryName: "__repository__", repositoryLocationName: "rasteret_assets"}) {
  ... on Sensors { results { name sensorState { status } } } } }
"""
START = """
mutation($name: String!) { startSensor(sensorSelector: {
  repositoryName: "__repository__", repositoryLocationName: "rasteret_assets", sensorName: $name}) {
  __typename ... on PythonError { message } } }
"""
ASSETS = "{ assetNodes { assetKey { path } groupName partitionKeys dependencyKeys { path } } }"


@pytest.fixture
def project(archive: Archive, tmp_path: Path) -> Project:
    """Two collections of one folder: one with its bands declared, one that finds them."""
    given = {"sensor_interval_s": 1, "sensor_quiet_s": 0}
    return project_of(
        tmp_path,
        {
            "declared": collection_yaml("declared", archive.folder, bands=BANDS, **given),
            "found": collection_yaml("found-ones", archive.folder, **given),
        },
    )


@pytest.fixture
def ui(project: Project) -> Iterator[Ui]:
    with dagster_dev(project) as ui:
        yield ui


def test_the_server_shows_the_assets_and_its_sensors_keep_collections_current(
    ui: Ui, project: Project, archive: Archive
) -> None:
    nodes = {"/".join(n["assetKey"]["path"]): n for n in ui.ask(ASSETS)["assetNodes"]}
    assert nodes["declared/band_headers"]["partitionKeys"] == list(BANDS)
    assert nodes["found-ones/collection"]["groupName"] == "found_dash_ones"
    assert {"path": ["declared", "band_headers"]} in nodes["declared/collection"]["dependencyKeys"]

    sensors = {s["name"]: s for s in ui.ask(SENSORS)["sensorsOrError"]["results"]}
    assert {s["sensorState"]["status"] for s in sensors.values()} == {"STOPPED"}
    for name in ("declared__source", "found_dash_ones__source", "found_dash_ones__bands"):
        assert ui.ask(START, {"name": name})["startSensor"]["__typename"] == "Sensor"

    workspace = project.workspace
    wait_until(lambda: _rows(workspace) == {"declared": 4, "found-ones": 4}, RUN_S, ui.runs)
    archive.add(4, 6, "more.parquet")
    wait_until(lambda: _rows(workspace) == {"declared": 6, "found-ones": 6}, RUN_S, ui.runs)

    assert load("found-ones", workspace_dir=workspace).bands == list(BANDS)
    wait_until(lambda: {run["status"] for run in ui.runs()} == {"SUCCESS"}, RUN_S, ui.runs)
    told = [(run["jobName"], run["tags"].get("rasteret_assets/new")) for run in ui.runs()]
    assert sorted(told, key=str) == [
        ("declared__update", "1: items.parquet"),
        ("declared__update", "1: more.parquet"),
        ("found_dash_ones__headers", None),
        ("found_dash_ones__headers", None),
        ("found_dash_ones__update", "1: items.parquet"),
        ("found_dash_ones__update", "1: more.parquet"),
    ]


def _rows(workspace: Path) -> dict[str, int]:
    return {
        name: load(name, workspace_dir=workspace).count_rows()
        for name in ("declared", "found-ones")
        if list(workspace.glob(f"{name}_records/_manifest-*"))
    }
