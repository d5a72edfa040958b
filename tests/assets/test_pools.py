"""A server that two collections share is never asked for more than their pool allows.

With the shipped dagster.yaml, whichever way runs are started; counted at the server.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest

from rasteret_assets.api import load
from rasteret_assets.assets import build_collection_defs, with_default_resources
from rasteret_assets.assets.jobs import RANGE_END, RANGE_START
from tests.assets.conftest import Archive, collection_yaml
from tests.assets.projects import Project, project_of
from tests.assets.runs import declared
from tests.assets.ui import Ui, dagster_dev, wait_until

BANDS: Final = ("B04", "B08")
NAMES: Final = ("one", "other")
SLOTS: Final = 2
"""Of every pool, as the shipped dagster.yaml has it."""
REQUESTS: Final = 8
"""In flight to one host, of one chunk of enrichment."""
SCENES: Final = 64
RUN_S: Final = 200
PROCESSES: Final = {
    "multiprocess": {
        "max_concurrent": 2,
        "start_method": {"forkserver": {"preload_modules": ["rasteret_assets.assets"]}},
    }
}


@pytest.fixture
def shared(archive: Archive, tmp_path: Path) -> Project:
    """Two collections of one slow server, each with four chunks of 32 headers to fetch."""
    archive.add(0, SCENES, "items.parquet", BANDS)
    archive.server.latency_s = 0.2
    source = archive.folder / "items.parquet"
    of_both = {name: collection_yaml(name, source, bands=BANDS, pool="archive") for name in NAMES}
    project = project_of(tmp_path, of_both)
    # Two processes that find no database both make one, and one fails.
    assert project.run("dagster", "run", "list").returncode == 0
    return project


def config(limits: Mapping[str, int]) -> str:
    """Run config, as JSON: chunks of 32 headers, two at a time in processes of their own."""
    enrichment = {"config": {"chunk_headers": 32, **limits}}
    return json.dumps({"resources": {"enrichment": enrichment}, "execution": {"config": PROCESSES}})


def by_commands(project: Project, config: str) -> None:
    """Both runs from a shell: two processes, two chunks at a time each."""
    runs = [
        project.start(f"group:{name}", "--partition-range", "B04...B08", "--config-json", config)
        for name in NAMES
    ]
    assert [run.wait(RUN_S) for run in runs] == [0, 0]


def by_the_queue(project: Project, config: str) -> None:
    """Both runs through the webserver and the daemon's queue."""
    with dagster_dev(project) as ui:
        for name in NAMES:
            launch(ui, name, config)
        wait_until(lambda: states(ui) == ["SUCCESS"] * 2, RUN_S, ui.runs)


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("start", "limits"),
    [
        pytest.param(
            by_commands, {"max_concurrent": REQUESTS, "max_per_host": 16}, id="commands, per chunk"
        ),
        pytest.param(
            by_the_queue, {"max_concurrent": 16, "max_per_host": REQUESTS}, id="queue, per host"
        ),
    ],
)
def test_two_runs_share_the_slots_of_a_pool(
    shared: Project,
    archive: Archive,
    start: Callable[[Project, str], None],
    limits: Mapping[str, int],
) -> None:
    start(shared, config(limits))

    # Four chunks would have run at once, but for the pool.
    assert REQUESTS < archive.server.peak_in_flight <= SLOTS * REQUESTS
    assert archive.gets() == len(NAMES) * len(BANDS) * SCENES
    for name in NAMES:
        assert load(name, workspace_dir=shared.workspace).bands == list(BANDS)


def test_every_step_that_may_ask_the_server_takes_a_slot(tmp_path: Path) -> None:
    asked = declared("demo", tmp_path, bands=BANDS, pool="archive")

    definitions = with_default_resources(build_collection_defs(asked))

    jobs = definitions.resolve_all_job_defs()
    ops = {op.name: op.pool for job in jobs for op in job.graph.iterate_op_defs()}
    assert {name for name, pool in ops.items() if pool == "archive"} == {
        "demo__fetch_headers",
        "demo__assemble_headers",
        "demo__collection",
        "demo__check_collection",
    }


def launch(ui: Ui, name: str, config: str) -> None:
    """Ask the webserver for a run of the collection's job."""
    query = """
    mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
      __typename ... on PythonError { message } } }
    """
    tags = {RANGE_START: "B04", RANGE_END: "B08"}
    params = {
        "selector": {
            "repositoryName": "__repository__",
            "repositoryLocationName": "rasteret_assets",
            "jobName": f"{name}__update",
        },
        "runConfigData": config,
        "mode": "default",
        "executionMetadata": {"tags": [{"key": k, "value": v} for k, v in tags.items()]},
    }
    told = ui.ask(query, {"params": params})["launchRun"]
    assert told["__typename"] == "LaunchRunSuccess", told


def states(ui: Ui) -> Sequence[str]:
    """The states of all runs; none has failed."""
    found = [run["status"] for run in ui.runs()]
    assert "FAILURE" not in found, found
    return found
