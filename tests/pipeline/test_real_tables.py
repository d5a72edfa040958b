"""Real record tables: every row that is kept reads as DuckDB reads it from the source."""

import json
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

import rasteret_assets
from rasteret_assets.contract.columns import kept_name

TABLES = {
    "rustac__100-landsat-items": 100,
    "rustac__100-sentinel-2-items": 100,
    "rustac__sentinel-2-c1-l2a": 10,
    "rustac__sentinel-1-global-mosaics": 4,
    "rustac__extended-item": 1,
    "stac-fastapi-geoparquet__naip": 10_000,
    "stac-geoparquet__naip": 5,
    "stac-geoparquet__sentinel-2-l2a-pc": 4,
    "stac-geoparquet__landsat-c2-l2-pc": 4,
    "stac-geoparquet__sentinel-1-rtc-pc": 4,
    "stac-geoparquet__3dep-lidar-dsm-pc": 4,
    "stac-geoparquet__cop-dem-glo-30-pc": 4,
    "odc-stac__ga_ls8c_ard_3-1-0_088080_2020-05-25_final": 1,
    "local_records": 60,
}
OURS = {"id", "datetime", "geometry", "assets", "bbox"}


@pytest.mark.parametrize(("name", "rows"), TABLES.items(), ids=TABLES)
def test_each_builds_and_passes_its_columns_through(
    name: str, rows: int, data_dir: Path, tmp_path: Path
) -> None:
    source = data_dir / "tables" / f"{name}.parquet"
    collection = rasteret_assets.build_from_table(source, "real", workspace_dir=tmp_path)
    assert collection.dataset.count_rows() == rows
    assert collection.problems.num_rows == 0
    through = [c for c in pq.read_schema(source).names if c not in OURS and "geometry" not in c]
    expected = _by_id(source, through)
    files = tmp_path / "real_records" / "year=*" / "month=*" / "*.parquet"
    assert _by_id(files, [kept_name(c) for c in through]) == expected


def test_bodies_of_hrefs_and_times_stay(data_dir: Path, tmp_path: Path) -> None:
    source = data_dir / "tables" / "rustac__100-sentinel-2-items.parquet"
    rasteret_assets.build_from_table(source, "real", workspace_dir=tmp_path)
    files = tmp_path / "real_records" / "*" / "*" / "*.parquet"
    columns = "id, assets.visual.href, epoch_us(datetime)"
    assert (
        duckdb.execute(f"SELECT {columns} FROM read_parquet('{files}') ORDER BY ALL").fetchall()
        == duckdb.execute(f"SELECT {columns} FROM read_parquet('{source}') ORDER BY ALL").fetchall()
    )


def _by_id(path: Path, columns: list[str]) -> list[tuple[object, ...]]:
    names = ", ".join(f'"{name}"' for name in ["id", *columns])
    query = f"SELECT {names} FROM read_parquet('{path}', hive_partitioning=false) ORDER BY id"
    with duckdb.connect() as connection:
        # DuckDB refuses the `geo` key of 2022's drafts; the other columns are what matters
        connection.execute("SET enable_geoparquet_conversion = false")
        return connection.execute(query).fetchall()


def test_local_records_enrich_to_what_gdal_says_of_each_file(
    data_dir: Path, tmp_path: Path
) -> None:
    geotiffs = data_dir / "geotiff"
    collection = rasteret_assets.build_from_table(
        data_dir / "tables" / "local_records.parquet",
        "local",
        enrich_cog=True,
        workspace_dir=tmp_path,
        base_uri=f"{geotiffs}/",
    )
    truth = {
        one["file"]: one
        for one in map(json.loads, (geotiffs / "truth.jsonl").read_text().splitlines())
    }
    table = collection.dataset.to_table()
    problems = collection.problems
    checked = 0
    for band in collection.bands:
        for header in table[f"{band}_metadata"].to_pylist():
            if header is None:
                continue
            told = truth[Path(header["href"]).name]
            assert (header["image_width"], header["image_height"]) == (
                told["width"],
                told["height"],
            )
            height, width = told["block_shapes"][header["band_index"] or 0]
            assert header["tile_width"] == width
            assert header["tile_height"] in {height, told["tifffile"].get("rows_per_strip", height)}
            assert header["samples_per_pixel"] == told["tifffile"]["samples_per_pixel"]
            checked += 1
    assets = table["assets"].to_pylist()
    asked = sum(
        1 for one in assets for band in collection.bands if (one.get(band) or {}).get("href")
    )
    failed = problems.filter(ds.field("code") != "href_missing")
    assert checked + failed.num_rows == asked
    broken = {name for name, one in truth.items() if not one["openable"] or one.get("read_error")}
    assert {Path(href).name for href in failed["href"].to_pylist()} <= broken
    assert isinstance(failed, pa.Table)
