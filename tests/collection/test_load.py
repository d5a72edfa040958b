"""A Collection is opened by its name, folder, file or URL."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import rasteret_assets
from rasteret_assets import Collection
from rasteret_assets.errors import WorkspaceError
from tests.collection.conftest import SCENES
from tests.rig.scenes import write_table
from tests.rig.stores import gcs_store

BOX = (77.583, 13.0105, 77.585, 13.0120)


def test_by_name_and_by_folder_it_is_the_same(enriched: Collection) -> None:
    folder = Path(enriched.path)
    by_name = rasteret_assets.load("s2", workspace_dir=folder.parent)
    by_path = rasteret_assets.load(folder)
    assert by_name.path == by_path.path == str(folder)
    assert by_name.dataset.to_table() == by_path.dataset.to_table() == pa.table(enriched)


def test_the_workspace_of_the_environment_is_searched(
    enriched: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RASTERET_WORKSPACE", str(Path(enriched.path).parent))
    assert len(rasteret_assets.load("s2")) == SCENES


def test_a_single_file_is_a_collection(enriched: Collection, tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table(enriched), path)
    one = rasteret_assets.load(path)
    assert one.name == "s2"
    assert (one.get_numpy(BOX) == enriched.get_numpy(BOX)).all()


@pytest.mark.slow
def test_on_s3_it_is_loaded_and_chosen_from(
    s3: str, archive_table: pa.Table, enriched: Collection, tmp_path: Path
) -> None:
    source = write_table(archive_table, tmp_path / "items.parquet")
    rasteret_assets.build_from_table(source, "s2", workspace_dir=s3)
    by_url = rasteret_assets.load(f"{s3}/s2_records")
    by_name = rasteret_assets.load("s2", workspace_dir=s3)
    assert by_url.path == by_name.path == f"{s3}/s2_records"
    assert len(by_url) == SCENES
    january = by_url.subset(date_range=("2024-01-01", "2024-01-31"), bbox=(77, 12, 79, 14))
    assert january.dataset.to_table(columns=["id"])["id"].to_pylist() == ["scene-000"]
    assert by_url.bounds == enriched.bounds


@pytest.mark.slow
def test_on_google_it_is_loaded(
    archive_table: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_table(archive_table, tmp_path / "items.parquet")
    with gcs_store() as store:
        store.apply(monkeypatch)
        root = store.make_bucket("bucket")
        rasteret_assets.build_from_table(source, "s2", workspace_dir=root)
        assert len(rasteret_assets.load("gs://bucket/s2_records")) == SCENES


def test_what_is_not_there_is_told_with_what_is(enriched: Collection) -> None:
    with pytest.raises(WorkspaceError, match=r"nobody.*\['s2'\]"):
        rasteret_assets.load("nobody", workspace_dir=Path(enriched.path).parent)
