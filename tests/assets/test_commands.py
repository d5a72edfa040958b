"""Dagster's commands as users type them, each a process of its own."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest

from rasteret_assets.api import load
from tests.assets.conftest import BANDS, Archive, collection_yaml
from tests.assets.projects import Project, own_project, project_of
from tests.assets.ui import wait_until

DEMO_BANDS = ("B04", "B08", "B11", "red", "green", "blue")

pytestmark = pytest.mark.slow


def rows_of(project: Project, name: str) -> list[tuple[object, ...]]:
    """Each record's id, and the width its header of B04 gives, as DuckDB reads them."""
    files = project.workspace / f"{name}_records" / "*" / "*" / "*.parquet"
    query = f"select id, B04_metadata.image_width from '{files}' order by id"  # a path of ours
    return duckdb.connect().execute(query).fetchall()


@pytest.fixture
def demo(archive: Archive, tmp_path: Path) -> Project:
    """This repository's own project, its demo collection reading the test's archive."""
    table = archive.add(0, 2, "demo.parquet", DEMO_BANDS)
    return own_project(tmp_path, {"RASTERET_ASSETS_DEMO_TABLE": str(table)})


def test_the_demo_group_is_built_for_one_band_and_then_for_all(
    demo: Project, archive: Archive
) -> None:
    one = demo.materialize("group:demo", "--partition", "B04")
    assert one.returncode == 0, one.stderr
    assert rows_of(demo, "demo") == [("scene-000", 64), ("scene-001", 64)]
    assert archive.gets() == 2

    every = demo.materialize("group:demo", "--partition-range", "B04...blue")
    assert every.returncode == 0, every.stderr
    assert archive.gets() == 10
    assert "10 headers to bring" in every.stderr


def test_one_stage_alone_and_then_the_rest_with_other_settings(
    demo: Project, archive: Archive
) -> None:
    alone = demo.materialize("key:demo/raw_table")
    assert alone.returncode == 0, alone.stderr
    assert [one.name for one in (demo.workspace / ".stages" / "demo").iterdir()] == ["raw_table"]

    archive.server.latency_s = 0.2
    config = '{"resources": {"enrichment": {"config": {"max_concurrent": 1}}}}'
    rest = demo.materialize("group:demo", "--partition", "B04", "--config-json", config)
    assert rest.returncode == 0, rest.stderr
    assert archive.server.peak_in_flight == 1


def test_collections_of_other_bands_live_side_by_side(archive: Archive, tmp_path: Path) -> None:
    items = archive.folder / "items.parquet"
    other = archive.add(10, 12, "other.parquet", ("B04", "nir"))
    project = project_of(
        tmp_path,
        {
            "declared": collection_yaml("declared", items, bands=BANDS),
            "found": collection_yaml("found-ones", other),
        },
    )

    first = project.materialize('+key:"found-ones/remapped_table"')
    assert first.returncode == 0, first.stderr
    assert "bands found: B04, nir" in first.stderr
    second = project.materialize('key:"found-ones/band_headers"+', "--partition-range", "B04...nir")
    assert second.returncode == 0, second.stderr
    assert rows_of(project, "found-ones") == [("scene-010", 64), ("scene-011", 64)]

    beside = project.materialize("group:declared", "--partition", "B04")
    assert beside.returncode == 0, beside.stderr
    assert len(rows_of(project, "declared")) == 4


def test_steps_may_run_in_processes_of_their_own(demo: Project, archive: Archive) -> None:
    start = {"forkserver": {"preload_modules": ["rasteret_assets.assets"]}}
    config = {
        "execution": {"config": {"multiprocess": {"max_concurrent": 2, "start_method": start}}}
    }

    run = demo.materialize("group:demo", "--partition", "B04", "--config-json", json.dumps(config))

    assert run.returncode == 0, run.stderr
    assert archive.gets() == 2
    assert rows_of(demo, "demo") == [("scene-000", 64), ("scene-001", 64)]


def test_two_runs_at_once_leave_a_collection_with_both_their_bands(
    demo: Project, archive: Archive
) -> None:
    demo.materialize("+key:demo/remapped_table")
    archive.server.latency_s = 0.2
    select = "key:demo/band_headers,key:demo/collection"

    with ThreadPoolExecutor() as pool:
        runs = list(
            pool.map(lambda band: demo.materialize(select, "--partition", band), ("B04", "B08"))
        )

    assert [run.returncode for run in runs] == [0, 0], [run.stderr[-4000:] for run in runs]
    assert load("demo", workspace_dir=demo.workspace).bands == ["B04", "B08"]
    assert archive.gets() == 4


def test_a_killed_run_leaves_its_chunks_for_the_next(demo: Project, archive: Archive) -> None:
    demo.materialize("+key:demo/remapped_table")
    archive.server.latency_s = 0.3
    select = ("key:demo/band_headers", "--partition-range", "B04...blue")
    config = '{"resources": {"enrichment": {"config": {"max_concurrent": 1, "chunk_headers": 6}}}}'
    run = demo.start(*select, "--config-json", config)
    wait_until(lambda: len(archive.server.seen()) >= 9, 60)
    run.kill()
    run.wait()

    before = archive.gets()
    again = demo.materialize(*select, "--config-json", config)

    assert again.returncode == 0, again.stderr
    assert before < 12
    assert archive.gets() == 6  # the first chunk of two was there


def test_a_missing_source_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    project = own_project(tmp_path, {"RASTERET_ASSETS_DEMO_TABLE": "/nowhere/items.parquet"})

    run = project.materialize("group:demo", "--partition", "B04")

    assert run.returncode == 1
    assert "SourceError: /nowhere/items.parquet: no such file" in run.stderr
    assert not project.workspace.exists()


def test_a_partition_that_is_no_band_is_refused(demo: Project) -> None:
    run = demo.materialize("group:demo", "--partition", "B99")

    assert run.returncode != 0
    assert "B99" in run.stderr
    assert not demo.workspace.exists()


@pytest.mark.parametrize(
    "command",
    [
        ("dagster", "definitions", "validate"),
        ("dg", "check", "defs"),
        ("dg", "check", "yaml"),
    ],
    ids=" ".join,
)
def test_the_repository_s_own_definitions_are_valid(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    checked = own_project(tmp_path).run(*command)
    assert checked.returncode == 0, checked.stdout + checked.stderr
