"""The command line, run as people run it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rasteret_assets import build_from_table
from rasteret_assets.cli import main
from tests.rig.http_server import RangeServer
from tests.rig.scenes import geotiff, record_table, write_table


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("rasteret-assets")), "collections", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def imported(tmp_path: Path) -> Path:
    """A workspace with the Collection `s2`: three records, one band, one file missing."""
    workspace = tmp_path / "workspace"
    with RangeServer() as server:
        for number in range(2):
            server.put(f"{number}/B04.tif", geotiff(number))
        table = record_table(3, lambda n, band: server.url(f"{n}/{band}.tif"), ["B04"])
        path = write_table(table, tmp_path / "items.parquet")
        done = _run(
            "import", "s2", "--record-table", path, "--enrich", "--workspace", str(workspace)
        )
    assert done.returncode == 0, done.stderr
    assert "3" in done.stdout
    assert "not_found" in done.stdout
    return workspace


def test_info_tells_rows_bands_coverage_and_problems(imported: Path) -> None:
    told = json.loads(_run("info", "s2", "--workspace", str(imported), "--json").stdout)
    assert told["name"] == "s2"
    assert told["rows"] == 3
    assert told["coverage"] == {"B04": 2}
    assert told["problems"] == {"not_found": 1}


def test_list_names_every_collection(imported: Path) -> None:
    told = json.loads(_run("list", "--workspace", str(imported), "--json").stdout)
    assert [one["name"] for one in told] == ["s2"]
    assert "s2" in _run("list", "--workspace", str(imported)).stdout


def test_a_damaged_collection_is_listed_with_its_error_among_the_others(
    imported: Path, tmp_path: Path
) -> None:
    table = write_table(record_table(1, "{}/{}.tif".format, ["B04"]), tmp_path / "more.parquet")
    for name in ("broken", "sound"):
        build_from_table(table, name, workspace_dir=imported)
    (manifest,) = (imported / "broken_records").glob("_manifest-*")
    manifest.write_text('{"format": 1')
    listed = _run("list", "--workspace", str(imported))
    assert listed.returncode == 0
    assert [line.split()[0] for line in listed.stdout.splitlines()] == ["broken", "s2", "sound"]
    assert "broken  cannot be opened: " in listed.stdout
    broken, s2, sound = json.loads(_run("list", "--workspace", str(imported), "--json").stdout)
    assert (s2["rows"], sound["rows"]) == (3, 1)
    assert (broken["name"], broken["error"]) == ("broken", "WorkspaceError")
    assert "restore it, or remove it" in broken["message"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["info", "s3://"], "names no bucket"),
        (["info", "https://[x"], "names no host"),
        (["info", ""], "it is blank"),
        (["list", "--workspace", "s3://"], "names no bucket"),
        (["list", "--workspace", ""], "it is blank"),
        (["import", "a", "--record-table", "s3://"], "names no bucket"),
        (["import", "a", "--record-table", ""], "a source is blank"),
        (["import", "", "--record-table", "a.parquet"], "collection name ''"),
        (
            ["import", "a", "--record-table", "a.parquet", "--workspace", "https://example.com"],
            "nothing is written to web addresses",
        ),
    ],
    ids=" ".join,
)
def test_a_place_that_is_none_is_one_line_of_error(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RASTERET_WORKSPACE", str(tmp_path / "workspace"))
    assert main(["collections", *arguments]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert len(told.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_delete_asks_first_and_removes_all_of_it(imported: Path) -> None:
    asked = _run("delete", "s2", "--workspace", str(imported))
    assert asked.returncode == 2
    assert "--yes" in asked.stderr
    assert _run("delete", "s2", "--yes", "--workspace", str(imported)).returncode == 0
    assert [path for path in imported.rglob("*") if path.is_file()] == []


def test_progress_stays_off_a_pipe_and_results_off_stderr(imported: Path) -> None:
    done = _run("info", "s2", "--workspace", str(imported))
    assert done.stderr == ""
    assert "B04" in done.stdout
