"""Fixtures every room's tests share."""

import os
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parents[1]
DATA_VARIABLE = "RASTERET_ASSETS_TEST_DATA"


def require(present: bool, reason: str) -> None:  # noqa: FBT001
    """Skip the test for `reason` unless `present`; fail instead where CI is set."""
    if not present:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real GeoTIFFs and record tables, read in place."""
    folder = Path(os.environ.get(DATA_VARIABLE, ROOT.parent / "shared" / "data"))
    require(
        (folder / "geotiff" / "truth.jsonl").is_file(),
        f"no test data at {folder}; set {DATA_VARIABLE} to a copy of it",
    )
    return folder


hypothesis.settings.register_profile("project", deadline=None)  # first calls are slow
hypothesis.settings.load_profile("project")
