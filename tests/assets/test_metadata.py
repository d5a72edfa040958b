import base64
import io
import time
from typing import Any

import dagster as dg
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from rasteret_assets.assets.progress import ProgressLog, line
from rasteret_assets.assets.sample import sample
from rasteret_assets.contract.tables import Progress
from tests.assets.conftest import BANDS, Archive
from tests.assets.runs import Deployment
from tests.rig.http_server import Fault


def told(result: dg.ExecuteInProcessResult, stage: str, band: str | None = None) -> dict[str, Any]:
    """What the materialization of a stage says of itself."""
    for event in result.get_asset_materialization_events():
        made = event.materialization
        if made.asset_key.path[-1] == stage and made.partition == band:
            return {key: value.value for key, value in made.metadata.items()}
    raise AssertionError(stage)


@pytest.fixture
def result(deployment: Deployment, archive: Archive) -> dg.ExecuteInProcessResult:
    """A run over four scenes: one without an id, one B08 missing on the server."""
    items = archive.folder / "items.parquet"
    table = pq.read_table(items)
    ids = pa.array(["scene-000", "scene-001", "scene-002", None])
    pq.write_table(table.set_column(0, "id", ids), items)
    archive.server.always("001/B08.tif", Fault(status=404))
    return deployment.run(bands=BANDS)


@pytest.mark.parametrize(
    ("stage", "rows_in", "rows_out", "problems"),
    [
        ("raw_table", 4, 4, 0),
        ("validated_table", 4, 3, 1),
        ("remapped_table", 3, 3, 1),
        ("collection", 3, 3, 2),
    ],
)
def test_each_stage_tells_rows_in_and_out_and_problems(
    result: dg.ExecuteInProcessResult,
    stage: str,
    rows_in: int,
    rows_out: int,
    problems: int,
) -> None:
    says = told(result, stage)
    assert says["rows_in"] == rows_in
    assert (says["rows_out"], says["dagster/row_count"]) == (rows_out, rows_out)
    assert says["problems"] == problems
    assert says["files"] >= 1
    assert says["seconds"] >= 0
    assert "| scene-000 |" in says["sample"]


def test_problems_are_counted_by_code(result: dg.ExecuteInProcessResult) -> None:
    assert "| id_missing | 1 |" in told(result, "validated_table")["problems_by_code"]
    by_code = told(result, "collection")["problems_by_code"]
    assert "| id_missing | 1 |" in by_code
    assert "| not_found | 1 |" in by_code


def test_each_band_tells_its_headers_and_what_the_run_asked_for(
    result: dg.ExecuteInProcessResult,
) -> None:
    says = told(result, "band_headers", "B08")
    assert (says["headers"], says["dagster/partition_row_count"]) == (2, 3)
    assert says["coverage"] == pytest.approx(2 / 3, abs=1e-6)
    assert says["problems"] == 1
    assert says["requests"] == 9  # one a file of all three bands
    assert says["bytes_fetched"] > 0
    assert says["headers_per_second"] > 0


def test_the_collection_shows_coverage_and_a_map(result: dg.ExecuteInProcessResult) -> None:
    says = told(result, "collection")
    assert "| B08 | `█████████████░░░░░░░` | 66.67% |" in says["coverage"]
    data = says["footprints"].partition("base64,")[2].removesuffix(")")
    assert len(data) < 40_000
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 5


def test_columns_are_told_with_their_types(result: dg.ExecuteInProcessResult) -> None:
    columns = {
        c.name: c.type for c in told(result, "remapped_table")["dagster/column_schema"].columns
    }
    assert columns["datetime"] == "timestamp[us, tz=UTC]"
    assert columns["bbox"].startswith("struct<xmin: double")


def test_a_sample_breaks_no_table() -> None:
    rows = pa.table({"a|b": ["x|y\nz", "w" * 200], "c": [b"\x00\x01", None]})
    head, _, first, second = str(sample(rows).value).splitlines()
    assert head == r"| a\|b | c |"
    assert first == r"| x\|y z | 2 bytes |"
    assert len(second) < 80


class _Lines:
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, text: str) -> None:
        self.lines.append(text)


def test_progress_is_a_few_lines_however_often_it_is_reported() -> None:
    lines = _Lines()
    log = ProgressLog(lines, every_s=0.05)  # type: ignore[arg-type]  # only info is used
    ends = time.monotonic() + 0.22
    while time.monotonic() < ends:
        log(Progress(done=10, total=100))
    assert 3 <= len(lines.lines) <= 4


def test_progress_says_how_far_how_fast_and_how_long_still() -> None:
    said = line(
        Progress(done=300, total=1200, problems=1, requests=310, bytes_fetched=5_000_000), 3
    )
    assert said == (
        "300 of 1,200 headers (25 %), 100/s, about 9 s to go; 1 problems; 310 requests, 5.0 MB"
    )
