"""The deployment of deploy/, every part of it running: and one machine of it is lost."""

import json
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pytest

from rasteret_assets.api import load
from rasteret_assets.storage import filesystem_of
from tests.assets.cluster import Cluster, cluster
from tests.assets.conftest import collection_yaml
from tests.assets.ui import wait_until
from tests.rig.http_server import RangeServer
from tests.rig.scenes import FIRST_DAY, geotiff, record_table, write_table

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

ROWS: Final = 10_000
CHUNK: Final = 1_000
IN_FLIGHT: Final = 32
LATENCY_S: Final = 0.1
SIDES: Final = tuple(range(32, 32 + 37))
"""Widths of the files, one after another: a header tells whose it is."""
RUN_S: Final = 200

LAUNCH = """
mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }
"""
RUN = """
query($id: ID!) { runOrError(runId: $id) { ... on Run { status
  eventConnection(limit: 2000) { events { __typename
    ... on MessageEvent { stepKey message } } } } } }
"""


@pytest.fixture
def server() -> Iterator[RangeServer]:
    """10,000 files of 37 widths."""
    with RangeServer(latency_s=LATENCY_S) as server:
        files = [geotiff(side, side=side) for side in SIDES]
        for number in range(ROWS):
            server.put(f"{number}/B04.tif", files[number % len(files)])
        yield server


@pytest.fixture
def deployed(
    server: RangeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Cluster]:
    """The deployment, over a table of the files, with two workers."""
    hours = [FIRST_DAY + timedelta(hours=number) for number in range(ROWS)]
    table = record_table(
        ROWS,
        lambda number, band: server.url(f"{number}/{band}.tif"),
        ["B04"],
        columns={"datetime": pa.array(hours, pa.timestamp("us", tz="UTC"))},
    )
    source = write_table(table, tmp_path / "source" / "items.parquet")
    declared = {"demo": collection_yaml("demo", source, bands=["B04"])}
    limits = {"RASTERET_ASSETS_MAX_CONCURRENT": str(IN_FLIGHT)}
    with cluster(tmp_path, declared, limits) as deployed:
        deployed.store.apply(monkeypatch)
        settings = deployed.project.home / "celery.yaml"
        text = settings.read_text().replace("visibility_timeout: 3600", "visibility_timeout: 45")
        settings.write_text(text.replace("interval: 10", "interval: 1"))
        deployed.start("code", "code")
        deployed.says("code", "Started Dagster code server")
        for service, name in [("webserver", "webserver"), ("daemon", "daemon")]:
            deployed.start(service, name)
        for name in ("w1", "w2"):
            deployed.start("worker", name, "-n", name)
        deployed.says("webserver", "Serving dagster-webserver")
        for name in ("w1", "w2"):
            deployed.says(name, "ready.")
        yield deployed


def test_a_run_outlives_the_loss_of_a_worker(deployed: Cluster, server: RangeServer) -> None:
    run_id = _launch(deployed)

    _lose(deployed, "w2", "w1", server)

    wait_until(
        lambda: _run(deployed, run_id)["status"] == "SUCCESS", RUN_S, lambda: _told(deployed)
    )
    # Every row has the header of its own file, once.
    found = load("demo", workspace_dir=deployed.workspace).dataset.to_table()
    numbers = np.array([int(one.removeprefix("scene-")) for one in found["id"].to_pylist()])
    assert sorted(numbers) == list(range(ROWS))
    widths = np.array([one["image_width"] for one in found["B04_metadata"].to_pylist()])
    assert np.array_equal(widths, np.array(SIDES)[numbers % len(SIDES)])
    # Only what was lost has been asked for again.
    asked = Counter(one.path for one in server.seen())
    assert len(asked) == ROWS
    assert 0 < asked.total() - ROWS <= CHUNK
    assert server.peak_in_flight <= 2 * IN_FLIGHT
    began = Counter(_steps(deployed, run_id, "ExecutionStepStartEvent"))
    assert sum(times > 1 for step, times in began.items() if ".fetch[" in step) == 1
    # What steps printed is in the bucket, and nothing of the deployment on this disk.
    fs, folder = filesystem_of("s3://archive/compute-logs")
    assert fs.find(folder)
    assert not list(deployed.project.home.rglob("*.db"))


def _launch(deployed: Cluster) -> str:
    enrichment = {"config": {"chunk_headers": CHUNK}}
    keys = ("raw_table", "validated_table", "remapped_table", "band_headers", "collection")
    params = {
        "selector": {
            "repositoryName": "__repository__",
            "repositoryLocationName": "rasteret_assets",
            "jobName": "__ASSET_JOB",
            "assetSelection": [{"path": ["demo", key]} for key in keys],
        },
        "runConfigData": json.dumps({"resources": {"enrichment": enrichment}}),
        "mode": "default",
        "executionMetadata": {"tags": [{"key": "dagster/partition", "value": "B04"}]},
    }
    told = deployed.ui.ask(LAUNCH, {"params": params})["launchRun"]
    assert told["__typename"] == "LaunchRunSuccess", told
    return str(told["run"]["runId"])


def _run(deployed: Cluster, run_id: str) -> dict[str, Any]:
    found: dict[str, Any] = deployed.ui.ask(RUN, {"id": run_id})["runOrError"]
    assert found["status"] not in {"FAILURE", "CANCELED"}, found
    return found


def _steps(deployed: Cluster, run_id: str, kind: str) -> list[str]:
    events = _run(deployed, run_id)["eventConnection"]["events"]
    return [event["stepKey"] for event in events if event["__typename"] == kind]


def _told(deployed: Cluster) -> object:
    return {name: deployed.log(name)[-3000:] for name in deployed.running}


def _lose(deployed: Cluster, worker: str, other: str, server: RangeServer) -> None:
    """Kill `worker` in the middle of a chunk; `other` pauses, so that requests are not its."""
    wait_until(lambda: len(server.seen()) > 2 * CHUNK, RUN_S, lambda: _told(deployed))
    deployed.signal(other, signal.SIGSTOP)
    seen_at: dict[int, int] = {}

    def in_the_middle() -> bool:
        steps, seen = deployed.log(worker).count(" succeeded in"), len(server.seen())
        began_at = seen_at.setdefault(steps, seen)
        return len(seen_at) > 1 and 50 < seen - began_at < CHUNK // 2

    wait_until(in_the_middle, RUN_S, lambda: _told(deployed))
    deployed.kill(worker)
    deployed.signal(other, signal.SIGCONT)
