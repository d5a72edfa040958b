import base64
import io
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from PIL import Image

from rasteret_assets.assets import EnrichmentResource
from rasteret_assets.assets.progress import ProgressLog, line
from rasteret_assets.assets.sample import sample
from rasteret_assets.contract.tables import Progress
from tests.assets.conftest import BANDS, Archive
from tests.assets.runs import Deployment
from tests.rig.http_server import Fault
from tests.rig.scenes import geotiff


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


def columns_of(says: dict[str, Any]) -> dict[str, dg.TableColumn]:
    return {column.name: column for column in says["dagster/column_schema"].columns}


def lineage_of(says: dict[str, Any]) -> dict[str, set[str]]:
    """Each column with the columns it is made from, as `stage.column`."""
    return {
        name: {f"{dep.asset_key.path[-1]}.{dep.column_name}" for dep in deps}
        for name, deps in says["dagster/column_lineage"].deps_by_column.items()
    }


def test_every_column_is_described(result: dg.ExecuteInProcessResult) -> None:
    for stage in ("raw_table", "validated_table", "remapped_table", "collection"):
        assert all(column.description for column in columns_of(told(result, stage)).values())
    collection = columns_of(told(result, "collection"))
    assert "longitude and latitude" in str(collection["geometry"].description)
    assert "Header of the file of B08" in str(collection["B08_metadata"].description)
    assert "longitude and latitude" not in str(collection["eo:cloud_cover"].description)
    headers = columns_of(told(result, "band_headers", "B04"))
    assert headers["code"].description == "Why there is no header."


def test_columns_are_followed_from_the_source_to_the_collection(
    deployment: Deployment, archive: Archive
) -> None:
    items = archive.folder / "items.parquet"
    table = pq.read_table(items).rename_columns({"id": "scene_id", "datetime": "acquired"})
    pq.write_table(table.append_column("year", pa.array([1, 2, 3, 4])), items)
    spec = replace(deployment.declared.spec, column_map={"scene_id": "id", "acquired": "datetime"})
    mapped = replace(deployment, declared=replace(deployment.declared, spec=spec))

    result = mapped.run(bands=BANDS)

    assert result.success
    assert lineage_of(told(result, "validated_table"))["scene_id"] == {"raw_table.scene_id"}
    remapped = lineage_of(told(result, "remapped_table"))
    assert remapped["id"] == {"validated_table.scene_id"}
    assert remapped["datetime"] == {"validated_table.acquired"}
    assert remapped["bbox"] == {"validated_table.geometry"}
    assert remapped["year_source"] == {"validated_table.year"}
    headers = lineage_of(told(result, "band_headers", "B04"))
    assert headers["header"] == {"remapped_table.assets"}
    collection = lineage_of(told(result, "collection"))
    assert collection["id"] == {"remapped_table.id"}
    assert collection["B08_metadata"] == {"band_headers.header"}
    # What a column is said to be made from is a column of that stage.
    stages = {
        stage: set(columns_of(told(result, stage, band)))
        for stage, band in (
            ("raw_table", None),
            ("validated_table", None),
            ("remapped_table", None),
            ("band_headers", "B04"),
        )
    }
    for made in (remapped, headers, collection, lineage_of(told(result, "validated_table"))):
        for source in set().union(*made.values()):
            stage, _, column = source.partition(".")
            assert column in stages[stage]


def test_problems_are_shown_with_examples(result: dg.ExecuteInProcessResult) -> None:
    (row,) = told(result, "validated_table")["problem_examples"].records
    assert (row.data["code"], row.data["source_row"]) == ("id_missing", 3)
    assert str(row.data["source_file"]).endswith("items.parquet")
    (header,) = told(result, "band_headers", "B08")["problem_examples"].records
    assert (header.data["id"], header.data["code"]) == ("scene-001", "not_found")
    assert header.data["source_row"] == 1
    assert str(header.data["href"]).endswith("001/B08.tif")
    assert "problem_examples" not in told(result, "band_headers", "B04")


def test_each_band_shows_its_coverage_at_a_glance(result: dg.ExecuteInProcessResult) -> None:
    says = told(result, "band_headers", "B08")["at_a_glance"]
    assert says == "`█████████████░░░░░░░` 2 of 3 records"


def test_stages_say_where_they_lie_and_where_their_code_is(
    result: dg.ExecuteInProcessResult, deployment: Deployment
) -> None:
    folder = told(result, "remapped_table")["workspace_path"]
    assert list(Path(folder).glob("_manifest-*.json"))
    specs = {spec.key.path[-1]: spec for spec in deployment.definitions.resolve_all_asset_specs()}
    for stage in ("raw_table", "validated_table", "remapped_table", "band_headers", "collection"):
        (code,) = specs[stage].metadata["dagster/code_references"].code_references
        line = Path(code.file_path).read_text().splitlines()[code.line_number - 1]
        assert line.startswith(f"def {code.label.rpartition('.')[2]}(")
        assert specs[stage].kinds
        assert specs[stage].group_name == "demo"
    assert f"- `{deployment.declared.spec.sources[0]}`" in str(specs["raw_table"].description)
    assert "`B04`, `B08`, `B11`" in str(specs["band_headers"].description)


def picture_in(markdown: str) -> Image.Image:
    data = markdown.partition("base64,")[2].partition(")")[0]
    return Image.open(io.BytesIO(base64.b64decode(data)))


def looking(deployment: Deployment) -> Deployment:
    return replace(deployment, enrichment=EnrichmentResource(chunk_headers=4))


def test_the_collection_shows_pixels_of_a_record(deployment: Deployment) -> None:
    says = told(looking(deployment).run(bands=BANDS), "collection")["quicklook"]

    assert "scene-003, B04: 100% of 64 x 64 pixels have data" in says
    drawn = np.asarray(picture_in(says).convert("L"))
    assert len(np.unique(drawn)) > 50  # random pixels: no flat picture
    assert len(says) < 120_000


def test_of_a_large_file_a_few_tiles_are_read(deployment: Deployment, archive: Archive) -> None:
    """3000 pixels a side without overviews: a window of it is enough."""
    archive.server.put("003/B04.tif", geotiff(1, side=3000))
    items = archive.folder / "items.parquet"
    table = pq.read_table(items)
    around = pa.array([shapely.to_wkb(shapely.box(77.5, 12.7, 77.9, 13.1))] * 4, pa.binary())
    at = table.schema.get_field_index("geometry")
    pq.write_table(table.set_column(at, "geometry", around), items)
    deployment.run(
        bands=BANDS, stages=["raw_table", "validated_table", "remapped_table", "band_headers"]
    )
    archive.server.forget()

    result = looking(deployment).run(bands=["B04"], stages=["collection"])

    assert "256 x 256 pixels" in told(result, "collection")["quicklook"]
    assert archive.server.body_bytes() < 3_000_000  # two looks; the file has 18 MB


def test_a_server_that_is_down_leaves_the_picture_out(
    deployment: Deployment, archive: Archive
) -> None:
    deployment.run(
        bands=BANDS, stages=["raw_table", "validated_table", "remapped_table", "band_headers"]
    )
    for number in range(4):
        archive.server.always(f"{number:03}/B04.tif", Fault(status=503))
    began = time.monotonic()

    result = looking(deployment).run(bands=BANDS, stages=["collection"])

    assert result.success
    assert told(result, "collection")["quicklook"].startswith("no picture: ")
    assert time.monotonic() - began < 60
