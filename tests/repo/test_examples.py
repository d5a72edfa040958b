"""The demo and the example script, as a newcomer runs them."""

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from PIL import Image

from tests.conftest import ROOT

pytestmark = pytest.mark.slow


def run(folder: Path, *arguments: str) -> str:
    said = {**os.environ, "RASTERET_ASSETS_DEMO_FOLDER": str(folder)}
    said.pop("RASTERET_WORKSPACE", None)
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=said,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:] + done.stdout[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def demo(folder: Path) -> str:
    return run(folder, "-m", "examples.demo")


def test_the_demo_says_what_came_out(demo: str) -> None:
    assert "records     16" in demo
    assert "band B08    15 of 16 records" in demo
    assert "problems    1 not_found" in demo
    assert "bengaluru-e-20240408 B08" in demo


def test_the_demo_draws_pictures_with_something_in_them(demo: str, folder: Path) -> None:
    pictures = sorted(folder.glob("*.png"))
    assert [path.stem for path in pictures] == ["footprints", "near-infrared", "true-colour"]
    for path in pictures:
        assert path.name in demo
        with Image.open(path) as image:
            assert len(image.convert("RGB").getcolors(1 << 20) or []) > 20


def test_duckdb_opens_the_demos_collection(demo: str, folder: Path) -> None:  # noqa: ARG001  # built by it
    files = folder / "workspace" / "demo_records" / "*" / "*" / "*.parquet"
    query = f"select count(*), count(B08_metadata) from '{files}'"  # our own path
    assert duckdb.connect().execute(query).fetchone() == (16, 15)


def test_a_second_demo_fetches_nothing(demo: str, folder: Path) -> None:  # noqa: ARG001  # after the first
    def generations() -> set[Path]:
        stages = folder / "workspace" / ".stages" / "demo" / "band_headers"
        return set(stages.rglob("*.parquet"))

    before = generations()
    run(folder, "-m", "examples.demo")
    assert generations() == before


def test_the_example_script_builds_and_reads(folder: Path, tmp_path: Path) -> None:
    script = "examples/build_collection_from_parquet.py"
    said = run(folder, script, "--workspace", str(tmp_path), "--name", "mine", "--bands", "B04,B08")
    assert "8 of 16 records touch the area" in said
    assert "<xarray.Dataset>" in said
    assert (tmp_path / "mine_records").is_dir()
