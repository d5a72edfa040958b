"""What a run does anew, proven by the requests it makes and the files it can do without."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from rasteret_assets.api import load
from tests.assets.conftest import BANDS, Archive
from tests.assets.runs import Deployment, declared, errors_of

_FILES = 5
_STAGES = ("raw_table", "validated_table", "remapped_table", "band_headers")


@pytest.fixture
def deployment(deployment: Deployment, archive: Archive) -> Deployment:
    """A collection of five source files, a record each, months apart; built."""
    (archive.folder / "items.parquet").unlink()
    for number in range(_FILES):
        archive.add(2 * number, 2 * number + 1, f"{number}.parquet")
    made = replace(deployment, declared=declared("demo", archive.folder, bands=BANDS))
    built = made.run(bands=BANDS)
    assert built.success, errors_of(built)
    assert len(archive.headers_asked()) == _FILES * len(BANDS)
    return made


def data_files(deployment: Deployment, *stages: str) -> dict[Path, tuple[int, int]]:
    """The Parquet files of stages (with `collection`, of the Collection): inode and last change."""
    root = Path(deployment.root)
    folders = [root / ".stages" / "demo" / stage for stage in stages if stage != "collection"]
    if "collection" in stages:
        folders.append(root / "demo_records")
    files = [path for folder in folders for path in folder.rglob("*.parquet")]
    assert files
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}


def spoil(files: Iterable[Path]) -> None:
    """Leave nothing in the files that anyone could read."""
    for path in files:
        path.write_bytes(b"not Parquet")


def ids_of(deployment: Deployment) -> list[str]:
    """The ids of the Collection's records, sorted."""
    table = load("demo", workspace_dir=deployment.root).dataset.to_table(columns=["id"])
    return sorted(table["id"].to_pylist())


def test_a_run_over_what_has_not_changed_reads_no_data_and_writes_nothing(
    deployment: Deployment, archive: Archive
) -> None:
    everything = [path for path in Path(deployment.root).rglob("*") if path.is_file()]
    spoil(path for path in everything if path.suffix != ".json")
    spoiled = {path: path.stat().st_mtime_ns for path in everything}

    again = deployment.run(bands=BANDS)

    assert again.success, errors_of(again)
    assert all(check.passed for check in again.get_asset_check_evaluations())
    assert not archive.headers_asked()
    after = [path for path in Path(deployment.root).rglob("*") if path.is_file()]
    assert {path: path.stat().st_mtime_ns for path in after} == spoiled


def test_a_new_file_costs_its_own_work_alone(deployment: Deployment, archive: Archive) -> None:
    before = data_files(deployment, *_STAGES, "collection")
    archive.add(100, 102, "new.parquet")

    again = deployment.run(bands=BANDS)

    assert again.success, errors_of(again)
    assert len(archive.headers_asked()) == 2 * len(BANDS)
    after = data_files(deployment, *_STAGES, "collection")
    assert before.items() <= after.items()
    manifest = deployment.workspace.collection("demo").latest()
    assert manifest is not None
    assert manifest.rows == _FILES + 2


def test_another_column_map_maps_anew_and_asks_for_no_header(
    deployment: Deployment, archive: Archive
) -> None:
    raw = data_files(deployment, "raw_table")
    headers = data_files(deployment, "band_headers")
    spec = replace(deployment.declared.spec, column_map={"eo:cloud_cover": "cloud"})
    mapped = replace(deployment, declared=replace(deployment.declared, spec=spec))

    again = mapped.run(bands=BANDS)

    assert again.success, errors_of(again)
    assert not archive.headers_asked()
    assert data_files(deployment, "raw_table") == raw
    assert headers.items() <= data_files(deployment, "band_headers").items()
    collection = load("demo", workspace_dir=deployment.root)
    assert "cloud" in collection.dataset.schema.names
    whole = collection.dataset.to_table(columns=["B04_metadata"])
    assert whole["B04_metadata"].null_count == 0


def test_a_file_that_is_taken_away_takes_its_rows_along(
    deployment: Deployment, archive: Archive
) -> None:
    stages = data_files(deployment, *_STAGES)
    months = data_files(deployment, "collection")
    (archive.folder / "2.parquet").unlink()

    again = deployment.run(bands=BANDS)

    assert again.success, errors_of(again)
    assert not archive.headers_asked()
    assert ids_of(deployment) == ["scene-000", "scene-002", "scene-006", "scene-008"]
    assert data_files(deployment, *_STAGES) == stages  # those replaced stay for a day
    left = data_files(deployment, "collection")
    assert left.items() <= months.items()
    assert len(left) == len(months) - 1
