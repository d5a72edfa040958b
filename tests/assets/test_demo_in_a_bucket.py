"""The whole demo, in a bucket: archive, table and workspace, built by both doors."""

from pathlib import Path

import pyarrow as pa
import pytest

import rasteret_assets
from examples.demo_archive import generate
from tests.assets.projects import own_project
from tests.rig.stores import s3_store

BANDS = ["B04", "B08", "B11", "red", "green", "blue"]


def test_both_doors_build_the_demo_in_a_bucket_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "archive"
    table = generate(archive)
    with s3_store() as store:
        store.apply(monkeypatch)
        bucket = store.make_bucket("demo")
        for file in archive.rglob("*"):
            if file.is_file():
                store.put("demo", f"archive/{file.relative_to(archive)}", file.read_bytes())
        source = f"{bucket}/archive/{table.relative_to(archive)}"
        variables = {
            **store.env,
            "RASTERET_ASSETS_DEMO_TABLE": source,
            "RASTERET_WORKSPACE": f"{bucket}/dagster",
        }
        project = own_project(tmp_path, variables)
        run = project.materialize("group:demo", "--partition-range", "B04...blue")
        assert run.returncode == 0, run.stderr[-4000:]
        by_dagster = rasteret_assets.load("demo", workspace_dir=f"{bucket}/dagster")
        by_python = rasteret_assets.build_from_table(
            source,
            "demo",
            enrich_cog=True,
            band_codes=BANDS,
            workspace_dir=f"{bucket}/python",
        )
        assert by_dagster.bands == by_python.bands == BANDS
        assert _rows(by_dagster).equals(_rows(by_python))
        codes = [one.problems["code"].to_pylist() for one in (by_dagster, by_python)]
        assert codes == [["not_found"], ["not_found"]]
        box = (77.55, 13.01, 77.58, 13.08)
        dagster, python = (one.get_xarray(box, ["B04"]) for one in (by_dagster, by_python))
        assert dagster["B04"].identical(python["B04"])


def _rows(collection: rasteret_assets.Collection) -> pa.Table:
    return collection.dataset.to_table().sort_by("id")
