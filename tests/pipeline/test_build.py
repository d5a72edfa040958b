import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

import rasteret_assets
from rasteret_assets.errors import ConfigError
from tests.pipeline.conftest import Archive
from tests.rig.http_server import Fault
from tests.rig.scenes import geotiff, read_with_gdal


def _build(
    archive: Archive,
    workspace: Path,
    **arguments: Any,  # noqa: ANN401  # those of build_from_table
) -> rasteret_assets.Collection:
    found = {"enrich_cog": True, "workspace_dir": workspace, **arguments}
    return rasteret_assets.build_from_table(str(archive.folder), "s2", **found)


def test_every_header_costs_one_request_and_no_other_file_is_asked_for(
    archive: Archive, workspace: Path
) -> None:
    archive.write(archive.table(10))
    collection = _build(archive, workspace)
    assert collection.dataset.count_rows() == 10
    assert collection.bands == ["B04", "B08"]
    asked = sorted(seen.path for seen in archive.server.seen())
    assert asked == sorted(f"{n:03}/{band}.tif" for n in range(10) for band in ("B04", "B08"))


def test_records_come_out_as_duckdb_reads_them_from_the_source(
    archive: Archive, workspace: Path
) -> None:
    path = archive.write(archive.table(10))
    _build(archive, workspace)
    columns = 'id, datetime, geometry::BLOB AS g, "eo:cloud_cover", collection'
    source = duckdb.execute(f"SELECT {columns} FROM read_parquet('{path}') ORDER BY id").fetchall()
    files = workspace / "s2_records" / "year=*" / "month=*" / "*.parquet"
    ours = duckdb.execute(f"SELECT {columns} FROM read_parquet('{files}') ORDER BY id").fetchall()
    assert ours == source


def test_a_second_call_with_the_same_arguments_asks_for_nothing(
    archive: Archive, workspace: Path
) -> None:
    path = archive.write(archive.table(10))
    _build(archive, workspace)
    archive.gets()
    Path(path).unlink()
    assert _build(archive, workspace).dataset.count_rows() == 10
    assert archive.gets() == 0


def test_other_arguments_under_the_same_name_are_refused_with_the_difference_and_the_ways_on(
    archive: Archive, workspace: Path
) -> None:
    archive.write(archive.table(3))
    _build(archive, workspace)
    with pytest.raises(ConfigError, match=r"bands: None then, \['B04'\] now.*update=True.*force"):
        _build(archive, workspace, band_codes=["B04"])


def test_another_filter_is_told_of_as_text(archive: Archive, workspace: Path) -> None:
    archive.write(archive.table(3))
    _build(archive, workspace, filter_expr='"eo:cloud_cover" < 50')
    with pytest.raises(ConfigError, match=r"filter: \(eo:cloud_cover < 50\) then, None now") as one:
        _build(archive, workspace)
    with pytest.raises(ConfigError, match=r"< 50\) then, \(eo:cloud_cover < 60\) now") as two:
        _build(archive, workspace, filter_expr='"eo:cloud_cover" < 60')
    assert "digest" not in f"{one.value} {two.value}"


def test_an_update_fetches_the_new_rows_only(archive: Archive, workspace: Path) -> None:
    archive.write(archive.table(6))
    _build(archive, workspace)
    archive.gets()
    archive.write(archive.table(4, start=6), "later.parquet")
    collection = _build(archive, workspace, update=True)
    assert collection.dataset.count_rows() == 10
    assert archive.gets() == 8
    widths = collection.dataset.to_table(columns={"w": ds.field("B08_metadata", "image_width")})
    assert widths["w"].to_pylist() == [96] * 10


def test_an_update_with_nothing_new_writes_nothing(archive: Archive, workspace: Path) -> None:
    archive.write(archive.table(6))
    _build(archive, workspace)
    archive.gets()
    before = {path: path.stat().st_mtime_ns for path in workspace.rglob("*") if path.is_file()}
    _build(archive, workspace, update=True)
    after = {path: path.stat().st_mtime_ns for path in workspace.rglob("*") if path.is_file()}
    assert after == before
    assert archive.gets() == 0


def test_a_changed_source_file_keeps_the_headers_of_hrefs_it_still_has(
    archive: Archive, workspace: Path
) -> None:
    archive.write(archive.table(6))
    _build(archive, workspace)
    archive.gets()
    archive.write(archive.table(8))  # the same file, two more rows
    assert _build(archive, workspace, update=True).dataset.count_rows() == 8
    assert archive.gets() == 4


def test_another_column_map_redoes_the_records_and_no_header(
    archive: Archive, workspace: Path
) -> None:
    table = archive.table(5)
    table = table.append_column("scene", pa.array([f"named-{n}" for n in range(5)]))
    archive.write(table)
    _build(archive, workspace)
    archive.gets()
    collection = _build(
        archive, workspace, update=True, column_map={"scene": "id", "id": "scene_id"}
    )
    ids = collection.dataset.to_table(columns=["id"])["id"].to_pylist()
    assert sorted(ids) == [f"named-{n}" for n in range(5)]
    assert archive.gets() == 0


def test_a_source_file_that_is_gone_takes_its_rows_away(archive: Archive, workspace: Path) -> None:
    archive.write(archive.table(4))
    later = archive.write(archive.table(3, start=4), "later.parquet")
    assert _build(archive, workspace).dataset.count_rows() == 7
    Path(later).unlink()
    assert _build(archive, workspace, update=True).dataset.count_rows() == 4


def test_force_asks_for_every_header_again(archive: Archive, workspace: Path) -> None:
    archive.write(archive.table(4))
    _build(archive, workspace)
    archive.gets()
    assert _build(archive, workspace, force=True).dataset.count_rows() == 4
    assert archive.gets() == 8


def test_a_band_asked_for_later_costs_its_own_headers_only(
    archive: Archive, workspace: Path
) -> None:
    archive.write(archive.table(4))
    _build(archive, workspace, band_codes=["B04"])
    archive.gets()
    collection = _build(archive, workspace, band_codes=["B08"], update=True)
    assert archive.gets() == 4
    assert sorted(collection.bands) == ["B04", "B08"]


def test_without_a_name_the_collection_works_the_same_and_leaves_the_workspace_alone(
    archive: Archive, workspace: Path
) -> None:
    path = archive.write(archive.table(4))
    collection = rasteret_assets.build_from_table(path, enrich_cog=True, workspace_dir=workspace)
    assert collection.dataset.count_rows() == 4
    assert collection.bands == ["B04", "B08"]
    assert not workspace.exists()


def test_missing_files_and_missing_hrefs_become_problems_and_null_headers(
    archive: Archive, workspace: Path
) -> None:
    table = archive.table(4)
    assets = table["assets"].to_pylist()
    assets[1]["B08"] = None
    at = table.schema.get_field_index("assets")
    table = table.set_column(at, "assets", pa.array(assets, table.schema.field(at).type))
    archive.write(table)
    archive.server.always("002/B04.tif", Fault(status=404))
    collection = _build(archive, workspace)
    problems = collection.problems.select(["id", "band", "code", "source_row"]).to_pylist()
    assert sorted(problems, key=lambda one: one["id"]) == [
        {"id": "scene-001", "band": "B08", "code": "href_missing", "source_row": 1},
        {"id": "scene-002", "band": "B04", "code": "not_found", "source_row": 2},
    ]
    rows = collection.dataset.to_table(
        columns={"id": ds.field("id"), "w": ds.field("B04_metadata", "image_width")}
    ).to_pylist()
    assert {row["id"]: row["w"] for row in rows}["scene-002"] is None


def test_failed_headers_are_tried_again_when_they_may_heal_and_missing_files_only_when_asked(
    archive: Archive, workspace: Path
) -> None:
    archive.write(archive.table(4))
    archive.server.always("000/B04.tif", Fault(status=404))
    archive.server.always("001/B04.tif", Fault(status=500))
    limits = rasteret_assets.FetchSettings(max_attempts=1)
    _build(archive, workspace, fetch=limits)
    archive.server.always("000/B04.tif", None)
    archive.server.always("001/B04.tif", None)
    archive.gets()
    healed = _build(archive, workspace, update=True)
    assert [seen.path for seen in archive.server.seen()] == ["001/B04.tif"]
    assert healed.problems["code"].to_pylist() == ["not_found"]
    archive.gets()
    healed = _build(archive, workspace, update=True, retry="all")
    assert [seen.path for seen in archive.server.seen()] == ["000/B04.tif"]
    assert healed.problems.num_rows == 0


def test_answers_that_may_change_are_asked_for_again_and_those_that_will_not_are_left(
    archive: Archive, workspace: Path
) -> None:
    archive.write(archive.table(3))
    broken, refused = "000/B04.tif", ("001/B04.tif", "002/B04.tif")
    archive.server.always(broken, Fault(headers={"Content-Range": ""}))
    archive.server.always(refused[0], Fault(status=405))
    archive.server.always(refused[1], Fault(headers={"Content-Encoding": "gzip"}))
    once = rasteret_assets.FetchSettings(max_attempts=1)
    found = _build(archive, workspace, fetch=once).problems.sort_by("href")
    assert found["code"].to_pylist() == ["bad_response", "unusable_response", "unusable_response"]
    for path in (broken, *refused):
        archive.server.always(path, None)
    archive.gets()
    _build(archive, workspace, update=True, fetch=once)
    assert [seen.path for seen in archive.server.seen()] == [broken]


def test_a_file_that_bands_and_rows_share_is_fetched_once(
    archive: Archive, workspace: Path
) -> None:
    shared = archive.href(0, "B04")
    rows = archive.table(4)
    assets = [
        {**one, "B04": {"href": shared}, "B08": {"href": shared}}
        for one in rows["assets"].to_pylist()
    ]
    at = rows.schema.get_field_index("assets")
    archive.write(rows.set_column(at, "assets", pa.array(assets, rows.schema.field(at).type)))
    collection = _build(archive, workspace, band_codes=["B04"])
    assert archive.gets() == 1
    collection = _build(archive, workspace, band_codes=["B04", "B08"], update=True)
    assert archive.gets() == 0
    widths = collection.dataset.to_table(columns={"w": ds.field("B08_metadata", "image_width")})
    assert widths["w"].to_pylist() == [96] * 4


def test_pixels_are_those_gdal_reads(archive: Archive, workspace: Path) -> None:
    archive.write(archive.table(2))
    collection = _build(archive, workspace)
    box = (77.582, 13.0105, 77.585, 13.0125)  # within the raster and scene-001's footprint
    found = collection.where("id = 'scene-001'").get_xarray(geometries=box, bands=["B08"])["B08"]
    expected = read_with_gdal(geotiff(3))
    rows = ((1_440_000 - found["y"].values) / 10 - 0.5).round().astype(int)
    columns = ((found["x"].values - 780_000) / 10 - 0.5).round().astype(int)
    np.testing.assert_array_equal(found.values[0], expected[np.ix_(rows, columns)])
    assert found.values.size


def test_building_imports_no_dagster(archive: Archive, workspace: Path) -> None:
    path = archive.write(archive.table(2))
    script = (
        "import sys, rasteret_assets\n"
        f"c = rasteret_assets.build_from_table({path!r}, 's2', enrich_cog=True,\n"
        f"    workspace_dir={str(workspace)!r})\n"
        "assert c.dataset.count_rows() == 2\n"
        "print('dagster' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


TIGHT = {
    "records at hand": {"batch_rows": 3, "file_bytes": 1_000},
    "records read back": {"batch_rows": 3, "batch_bytes": 2_000, "file_bytes": 1_000},
    "small chunks": {"chunk_headers": 4},
}


@pytest.mark.parametrize("enrich", [False, True], ids=["records", "headers too"])
@pytest.mark.parametrize("limits", TIGHT.values(), ids=TIGHT)
def test_little_memory_makes_the_same_collection(
    archive: Archive,
    workspace: Path,
    limits: dict[str, int],
    enrich: bool,  # noqa: FBT001  # a case, by pytest
) -> None:
    archive.write(archive.table(10).take([7, 2, 9, 0, 5, 1, 8, 3, 6, 4]))
    whole = _build(archive, workspace, enrich_cog=enrich)
    settings = rasteret_assets.BuildSettings(**limits)
    cut = _build(archive, workspace / "cut", enrich_cog=enrich, settings=settings)
    tables = [one.dataset.to_table().sort_by("id") for one in (whole, cut)]
    assert tables[1].equals(tables[0])
    assert tables[0]["id"].to_pylist() == [f"scene-{number:03}" for number in range(10)]
