"""Runs that lose a worker, and runs that fail: what they cost, and what they say."""

import json
import os
import signal
from pathlib import Path

import dagster as dg
import pytest

from rasteret_assets.api import load
from tests.assets.conftest import BANDS, Archive, collection_yaml
from tests.assets.projects import Project, project_of
from tests.assets.ui import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

_RANGE = ("--partition-range", "B04...B11")


@pytest.fixture
def project(archive: Archive, tmp_path: Path) -> Project:
    """A project of one collection, its bands declared."""
    return project_of(tmp_path, {"demo": collection_yaml("demo", archive.folder, bands=BANDS)})


def fetching(project: Project) -> list[int]:
    """The processes that fetch steps were given so far, in the order they started."""
    with dg.DagsterInstance.from_config(str(project.home)) as instance:
        events = [
            entry.dagster_event
            for run in instance.get_runs()
            for entry in instance.all_logs(
                run.run_id, of_type=dg.DagsterEventType.STEP_WORKER_STARTED
            )
        ]
    return [
        int(str(event.engine_event_data.metadata["pid"].value))
        for event in events
        if event is not None and "fetch" in str(event.step_key)
    ]


def test_a_lost_worker_costs_one_chunk(project: Project, archive: Archive) -> None:
    built = project.materialize('+key:"demo/remapped_table"')
    assert built.returncode == 0, built.stderr[-3000:]
    archive.server.latency_s = 3.0  # time to find the process
    one_row = {
        "max_concurrent": 1,
        "max_per_host": 1,
        "chunk_headers": len(BANDS),
        "request_timeout_s": 30,
    }
    start = {"forkserver": {"preload_modules": ["rasteret_assets.assets"]}}
    config = {
        "execution": {"config": {"multiprocess": {"max_concurrent": 1, "start_method": start}}},
        "resources": {"enrichment": {"config": one_row}},
    }
    select = 'key:"demo/band_headers"+'
    run = project.start(select, *_RANGE, "--config-json", json.dumps(config))
    try:
        wait_until(lambda: len(archive.server.seen()) >= 5, 120)  # the second chunk is under way
        os.kill(fetching(project)[1], signal.SIGKILL)
        archive.server.latency_s = 0.0
        assert run.wait(240) == 0
    finally:
        run.kill()

    collection = load("demo", workspace_dir=project.workspace)
    assert collection.count_rows() == 4
    assert collection.problems.num_rows == 0
    assert len(fetching(project)) == 5
    asked = archive.headers_asked()
    assert len(set(asked)) == 12
    assert 12 < len(asked) <= 12 + len(BANDS)


def test_a_stage_that_fails_names_the_next_step_and_the_step_helps(
    project: Project, archive: Archive
) -> None:
    items = archive.folder / "items.parquet"
    away = items.rename(items.with_suffix(".away"))

    failed = project.materialize("group:demo", *_RANGE)

    assert failed.returncode == 1
    assert "no such file" in failed.stderr
    assert "Next step: Make the source readable" in failed.stderr
    said = """dg launch --assets 'key:"demo/raw_table"+'"""
    assert said in failed.stderr
    away.rename(items)
    again = project.run("dg", "launch", "--assets", 'key:"demo/raw_table"+', *_RANGE)
    assert again.returncode == 0, again.stderr[-3000:]
    assert load("demo", workspace_dir=project.workspace).bands == list(BANDS)


def test_a_later_stage_that_fails_is_where_to_go_on(project: Project, archive: Archive) -> None:
    text = (project.folder / "archives/defs/demo/defs.yaml").read_text()
    wrong = text.replace('"B11"', '"B99"')
    (project.folder / "archives/defs/demo/defs.yaml").write_text(wrong)

    failed = project.materialize("group:demo", "--partition-range", "B04...B99")

    assert failed.returncode == 1
    assert "no record has assets ['B99']" in failed.stderr
    assert "Next step: Correct the declaration" in failed.stderr
    assert """'key:"demo/remapped_table"+'""" in failed.stderr
    assert not archive.headers_asked()
