"""One clear error each, exit code not 0, and the workspace as it was."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rasteret_assets.cli import main
from tests.pipeline.conftest import Archive


def _states(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def _without(table: pa.Table, column: str) -> pa.Table:
    return table.drop_columns([column])


BROKEN = {
    "no geometry column": (lambda t: _without(t, "geometry"), [], "geometry"),
    "ids that are lists": (
        lambda t: t.set_column(0, "id", pa.array([[1]] * t.num_rows)),
        [],
        "id",
    ),
    "an empty table": (lambda t: t.slice(0, 0), [], "no rows"),
    "a filter that nothing meets": (lambda t: t, ["--filter", "eo:cloud_cover > 1000"], "filter"),
    "a filter that is not CQL2": (lambda t: t, ["--filter", "eo:cloud_cover <"], "filter"),
    "a filter on a column that is not there": (lambda t: t, ["--filter", "cloud < 5"], "cloud"),
    "a column map naming what is not there": (lambda t: t, ["--map", "scene=id"], "scene"),
    "columns without a required one": (lambda t: t, ["--columns", "id,datetime"], "geometry"),
    "an unknown band": (lambda t: t, ["--enrich", "--bands", "B99"], "B99"),
    "bands without enrichment": (lambda t: t, ["--bands", "B04"], "enrich"),
}


@pytest.mark.parametrize(("spoil", "arguments", "said"), BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("existing", ["", "existing"], ids=["new", "existing"])
def test_a_bad_table_or_argument_is_one_error_and_leaves_the_workspace_as_it_was(
    archive: Archive,
    workspace: Path,
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[pa.Table], pa.Table],
    arguments: list[str],
    said: str,
    existing: str,
) -> None:
    command = ["collections", "import", "s2", "--workspace", str(workspace)]
    path = archive.write(archive.table(3))
    if existing:
        assert main([*command, "--record-table", path]) == 0
        command.append("--update")
    before = _states(workspace)
    pq.write_table(spoil(archive.table(3)), path)
    capsys.readouterr()
    assert main([*command, "--record-table", path, *arguments]) in {1, 2}
    told = capsys.readouterr()
    assert told.out == ""
    assert said in told.err
    assert len(told.err.strip().splitlines()) == 1
    assert _states(workspace) == before


@pytest.mark.parametrize(
    ("name", "table", "said"),
    [
        ("../../evil", "items.parquet", "collection name"),
        (".hidden", "items.parquet", "collection name"),
        ("s2", "missing.parquet", "missing.parquet"),
        ("s2", "text.parquet", "text.parquet"),
        ("s2", "s3//typo.parquet", "typo.parquet"),
    ],
)
def test_unsafe_names_and_unreadable_tables_are_refused(
    archive: Archive,
    workspace: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    table: str,
    said: str,
) -> None:
    archive.write(archive.table(3))
    (archive.folder / "text.parquet").write_text("id,datetime\n1,2\n")
    path = str(archive.folder / table)
    command = ["collections", "import", name, "--record-table", path]
    assert main([*command, "--workspace", str(workspace)]) in {1, 2}
    assert said in capsys.readouterr().err
    assert _states(workspace.parent / "workspace") == {}


def test_errors_are_json_where_json_was_asked_for(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["collections", "info", "nothing", "--workspace", str(workspace), "--json"]
    assert main(command) == 1
    assert "nothing" in json.loads(capsys.readouterr().out)["message"]


def test_misuse_of_the_command_line_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["collections", "import"])
    assert ended.value.code == 2
    assert "usage" in capsys.readouterr().err
