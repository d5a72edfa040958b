"""A bucket that grows under a running daemon, and the Collection that follows it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rasteret_assets.api import load
from tests.assets.conftest import BANDS, Archive, collection_yaml
from tests.assets.projects import Project, project_of
from tests.assets.ui import Ui, dagster_dev, wait_until
from tests.rig.stores import Store, s3_store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

RUN_S = 240
"""Seconds from a change until it is taken in, on a busy machine."""

START = """
mutation($name: String!) { startSensor(sensorSelector: {
  repositoryName: "__repository__", repositoryLocationName: "rasteret_assets", sensorName: $name}) {
  __typename ... on PythonError { message } } }
"""
TICKS = """
query { sensorOrError(sensorSelector: {repositoryName: "__repository__",
  repositoryLocationName: "rasteret_assets", sensorName: "scenes__source"}) {
  ... on Sensor { sensorState { ticks(limit: 1) { tickId status } } } } }
"""
BACKFILL = """
mutation($p: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $p) {
  __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }
"""
STATUS = """
query($id: String!) { partitionBackfillOrError(backfillId: $id) {
  ... on PartitionBackfill { status } } }
"""


@pytest.fixture
def store() -> Iterator[Store]:
    with s3_store() as store:
        store.make_bucket("watched")
        yield store


@pytest.fixture
def project(store: Store, tmp_path: Path) -> Project:
    """A collection of a prefix whose bands have to be found."""
    yaml = collection_yaml("scenes", "s3://watched/items/", sensor_interval_s=1, sensor_quiet_s=2)
    return project_of(tmp_path, {"scenes": yaml}, store.env)


def drop(store: Store, archive: Archive, start: int, stop: int) -> None:
    """Upload a table of scenes `start` to `stop`, and serve their files."""
    table = archive.add(start, stop, f"{start}.parquet")
    store.put("watched", f"items/{start}.parquet", table.read_bytes())


def rows(project: Project) -> tuple[int, int]:
    """Records of the Collection, and how many have a header of every band."""
    if not list(project.workspace.glob("scenes_records/_manifest-*")):
        return 0, 0
    columns = [f"{band}_metadata" for band in BANDS]
    collection = load("scenes", workspace_dir=project.workspace)
    if collection.bands != list(BANDS):
        return collection.count_rows(), 0
    whole = collection.dataset.to_table(columns=columns).drop_null()
    return collection.count_rows(), whole.num_rows


def all_ended(ui: Ui) -> bool:
    return {run["status"] for run in ui.runs()} == {"SUCCESS"}


def test_a_collection_follows_a_bucket_and_each_change_is_one_run(
    project: Project, store: Store, archive: Archive
) -> None:
    drop(store, archive, 0, 4)
    with dagster_dev(project) as ui:
        for sensor in ("scenes__source", "scenes__bands"):
            assert ui.ask(START, {"name": sensor})["startSensor"]["__typename"] == "Sensor"
        wait_until(lambda: rows(project) == (4, 4), RUN_S, ui.runs)
        assert len(archive.headers_asked()) == 12

        drop(store, archive, 4, 6)
        wait_until(lambda: rows(project) == (6, 6), RUN_S, ui.runs)
        wait_until(lambda: all_ended(ui), RUN_S, ui.runs)
        assert len(archive.headers_asked()) == 6  # two new records of three bands, and nothing else
        told = [(run["jobName"], run["tags"].get("rasteret_assets/new")) for run in ui.runs()]
        assert told == [
            ("scenes__update", "1: 0.parquet"),
            ("scenes__headers", None),
            ("scenes__update", "1: 4.parquet"),
            ("scenes__headers", None),
        ]

    with dagster_dev(project) as ui:  # the daemon knows what it has seen
        before = ui.ask(TICKS)["sensorOrError"]["sensorState"]["ticks"]
        wait_until(lambda: ui.ask(TICKS)["sensorOrError"]["sensorState"]["ticks"] != before, RUN_S)
        drop(store, archive, 6, 7)
        wait_until(lambda: rows(project) == (7, 7), RUN_S, ui.runs)
        wait_until(lambda: all_ended(ui), RUN_S, ui.runs)
        assert len(archive.headers_asked()) == 3
        assert len(ui.runs()) == 6

        backfill = backfilled(ui)
        assert len(archive.headers_asked()) == 0
        made = [run["tags"] for run in ui.runs() if run["tags"].get("dagster/backfill") == backfill]
        # All bands in one run; the Collection, which has no partitions, follows in its own.
        ranges = [tags.get("dagster/asset_partition_range_start") for tags in made]
        assert ranges == ["B04", None]
        assert made[0]["dagster/asset_partition_range_end"] == "B11"


def backfilled(ui: Ui) -> str:
    """Ask for all bands by a backfill, wait until it is done, and return its id."""
    selection = [{"path": ["scenes", stage]} for stage in ("band_headers", "collection")]
    asked = {"assetSelection": selection, "partitionNames": list(BANDS)}
    launched = ui.ask(BACKFILL, {"p": asked})["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched
    found = {"id": launched["backfillId"]}
    wait_until(
        lambda: ui.ask(STATUS, found)["partitionBackfillOrError"]["status"] == "COMPLETED_SUCCESS",
        RUN_S,
        lambda: (ui.ask(STATUS, found), ui.runs()),
    )
    return str(found["id"])
