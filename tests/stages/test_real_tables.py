"""Real record tables, through validate and remap, against what DuckDB reads from the files."""

from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from geoarrow import pyarrow as geoarrow

from rasteret_assets.contract.columns import SOURCE_ROW, kept_name
from rasteret_assets.contract.spec import CollectionSpec
from rasteret_assets.contract.tables import StageBatch
from rasteret_assets.stages import (
    FactKeeper,
    IdState,
    band_candidates,
    check_source,
    remap,
    validate,
)
from tests.rig.extension_types import geoarrow_types

SPEC = CollectionSpec(name="demo", sources=("records.parquet",))
TABLES = {
    "local_records": 60,
    "odc-stac__ga_ls8c_ard_3-1-0_088080_2020-05-25_final": 1,
    "rustac__100-landsat-items": 100,
    "rustac__100-sentinel-2-items": 100,
    "rustac__extended-item": 1,
    "rustac__sentinel-1-global-mosaics": 4,
    "rustac__sentinel-2-c1-l2a": 10,
    "stac-fastapi-geoparquet__naip": 10_000,
    "stac-geoparquet__3dep-lidar-dsm-pc": 4,
    "stac-geoparquet__cop-dem-glo-30-pc": 4,
    "stac-geoparquet__landsat-c2-l2-pc": 4,
    "stac-geoparquet__naip": 5,
    "stac-geoparquet__sentinel-1-rtc-pc": 4,
    "stac-geoparquet__sentinel-2-l2a-pc": 4,
}
RASTER = {
    "local_records": {"data", *(f"b{number}" for number in range(1, 17))},
    "stac-fastapi-geoparquet__naip": {"image"},
    "stac-geoparquet__3dep-lidar-dsm-pc": {"data"},
    "stac-geoparquet__sentinel-1-rtc-pc": {"vv", "vh"},
    "rustac__sentinel-1-global-mosaics": {"VV", "VH"},
}


@dataclass(frozen=True)
class Case:
    source: pa.Table
    rows: pa.Table
    said: dict[str, list[object]]
    """What DuckDB reads, by column."""


@pytest.fixture(scope="module", params=TABLES.items(), ids=lambda one: one[0])
def case(request: pytest.FixtureRequest, data_dir: Path) -> Case:
    name, count = request.param
    path = data_dir / "tables" / f"{name}.parquet"
    file = pq.ParquetFile(path)
    source = file.read()
    assert source.num_rows == count
    check_source(source.schema, SPEC, str(path))
    geo = (file.metadata.metadata or {}).get(b"geo")
    text = None if geo is None else geo.decode()
    numbered = source.append_column(SOURCE_ROW, pa.array(range(count), pa.int64()))
    checked = validate(numbered, SPEC, IdState(), str(path), geo=text)
    assert checked.problems.num_rows == 0
    rows = remap(checked.rows, SPEC, text, str(path)).rows
    with duckdb.connect() as database:
        database.sql("SET TimeZone = 'UTC'; SET enable_geoparquet_conversion = false")
        read = database.read_parquet(str(path)).to_arrow_table()
    said = {column: read[column].to_pylist() for column in read.column_names}
    return Case(source=source, rows=rows.sort_by(SOURCE_ROW), said=said)


def test_every_row_is_there_once(case: Case) -> None:
    assert case.rows[SOURCE_ROW].to_pylist() == list(range(case.source.num_rows))


def test_ids_and_times_are_those_duckdb_reads(case: Case) -> None:
    assert case.rows["id"].to_pylist() == case.said["id"]
    starts = case.said.get("start_datetime", [None] * len(case.said["id"]))
    wanted = [when or start for when, start in zip(case.said["datetime"], starts, strict=True)]
    assert case.rows["datetime"].to_pylist() == wanted


def test_geometries_are_those_of_the_file_brought_within_the_world(case: Case) -> None:
    given = shapely.from_wkb(np.array(case.source["geometry"].to_pylist(), object))
    found = shapely.from_wkb(np.array(case.rows["geometry"].to_pylist(), object))
    bounds = shapely.bounds(given)
    inside = (np.abs(bounds) <= (180, 90, 180, 90)).all(axis=1)
    assert shapely.equals_exact(given[inside], found[inside]).all()
    assert np.allclose(shapely.area(given), shapely.area(found), atol=1e-6)
    assert (np.abs(shapely.bounds(found)) <= (180, 90, 180, 90)).all()


def test_boxes_hold_their_geometry(case: Case) -> None:
    geometries = shapely.from_wkb(np.array(case.rows["geometry"].to_pylist(), object))
    for geometry, one in zip(geometries, case.rows["bbox"].to_pylist(), strict=True):
        if one["xmin"] <= one["xmax"]:
            assert geometry.bounds == (one["xmin"], one["ymin"], one["xmax"], one["ymax"])
        else:
            halves = (one["xmin"], 180.0), (-180.0, one["xmax"])
            around = [shapely.box(west, one["ymin"], east, one["ymax"]) for west, east in halves]
            assert shapely.union_all(around).covers(geometry)


def pruned(value: object) -> object:
    """The value without members that are null, which the normal form may add."""
    if isinstance(value, dict):
        members = {key: pruned(one) for key, one in value.items()}
        return {key: one for key, one in members.items() if one is not None} or None
    return value


def test_assets_say_what_duckdb_reads(case: Case) -> None:
    found = [pruned(row) for row in case.rows["assets"].to_pylist()]
    assert found == [pruned(row) for row in case.said["assets"]]


def test_all_other_columns_pass_unchanged(case: Case) -> None:
    canonical = {"id", "datetime", "geometry", "assets", "bbox"}
    others = [name for name in case.source.column_names if name not in canonical]
    assert [kept_name(name) for name in others] == [
        name
        for name in case.rows.column_names
        if name not in {*canonical, "bbox_source", SOURCE_ROW}
    ]
    for name in others:
        assert case.rows.schema.field(kept_name(name)).type == case.source.schema.field(name).type
        assert case.rows[kept_name(name)].to_pylist() == case.said[name]


def test_facts_agree_with_what_duckdb_counts(case: Case) -> None:
    keeper = FactKeeper()
    for part in (case.rows[:3], case.rows[3:]):
        keeper.add(StageBatch(rows=part))
    facts = keeper.facts()
    rows = case.rows
    with duckdb.connect() as database:
        database.sql("SET TimeZone = 'UTC'")
        database.register("rows", rows)
        months = database.sql(
            "SELECT strftime(datetime, '%Y-%m') AS m, count(*) FROM rows GROUP BY m ORDER BY m"
        ).fetchall()
    assert facts["months"] == dict(months)
    assert facts["rows"] == rows.num_rows
    assert facts["problems"] == {}


def test_geotiffs_are_told_from_other_assets(case: Case, request: pytest.FixtureRequest) -> None:
    raster, other = band_candidates(case.rows["assets"])
    name = request.node.callspec.params["case"][0]
    assert set(raster) == RASTER.get(name, set(raster))
    for key in other:
        for asset in case.rows["assets"].combine_chunks().field(key).to_pylist():
            said = asset or {}
            assert "tiff" not in (said.get("type") or "")
            assert said.get("type") or not (said.get("href") or "").endswith((".tif", ".tiff"))


@pytest.mark.parametrize("registered", [False, True], ids=["plain", "registered"])
def test_native_geometry_columns_without_a_geo_key_are_read(
    registered: bool,  # noqa: FBT001  # whether the process knows the extension types
    tmp_path: Path,
) -> None:
    path = tmp_path / "native.parquet"
    shape = shapely.box(500_000, 5_494_000, 506_000, 5_500_000)
    with geoarrow_types(known=True):
        kind = geoarrow.wkb().with_crs("EPSG:32633")
        geometry = kind.wrap_array(pa.array([shape.wkb], pa.binary()))
        assets = pa.array([{"B04": {"href": "4.tif"}}])
        table = pa.table(
            {"id": ["a"], "datetime": ["2024-01-01"], "geometry": geometry, "assets": assets}
        )
        pq.write_table(table, path)
    with geoarrow_types(known=registered):
        source = pq.read_table(path)
        assert isinstance(source.schema.field("geometry").type, pa.BaseExtensionType) == registered
        numbered = source.append_column(SOURCE_ROW, pa.array([0], pa.int64()))
        checked = validate(numbered, SPEC, IdState(), "native.parquet", geo=None)
        rows = remap(checked.rows, SPEC, None, "native.parquet").rows
    assert "GEOMETRY" in str(pq.ParquetFile(path).schema).upper()
    assert rows["bbox"][0].as_py()["xmin"] == pytest.approx(15)
