"""The demo archive, judged by GDAL, DuckDB and the STAC and GeoParquet specifications."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
import rasterio
import requests
import shapely
from pyproj import Transformer

from examples.demo_archive import CUT, MISSING, generate
from examples.serve import serving

AREA = shapely.box(77.55, 13.01, 77.58, 13.08)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(tmp_path_factory.mktemp("archive")).parent


@pytest.fixture(scope="module")
def url(archive: Path) -> Iterator[str]:
    with serving(archive) as address:
        yield address


def test_every_file_is_a_cloud_optimised_geotiff(archive: Path) -> None:
    layouts, zones = set(), set()
    for path in archive.rglob("*.tif"):
        with rasterio.open(path) as file:
            layouts.add(file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"])
            zones.add(file.crs.to_epsg())
            assert file.overviews(1), path
    assert layouts == {"COG"}
    assert zones == {32643, 32644}


def test_one_file_named_by_the_table_is_missing(archive: Path) -> None:
    assets = pq.read_table(archive / "items.parquet", columns=["id", "assets"]).to_pylist()
    lacking = [
        (row["id"], key)
        for row in assets
        for key, asset in row["assets"].items()
        if not (archive / asset["href"]).is_file()
    ]
    assert lacking == [MISSING]


def test_one_scene_has_pixels_without_data(archive: Path) -> None:
    with rasterio.open(archive / CUT / "B04.tif") as file:
        assert 0.05 < (file.read_masks(1) == 0).mean() < 0.5


def test_outlines_in_the_table_are_those_of_the_files(archive: Path) -> None:
    rows = pq.read_table(archive / "items.parquet", columns=["id", "geometry", "bbox"]).to_pylist()
    for row in rows:
        with rasterio.open(archive / row["id"] / "B04.tif") as file:
            west, south, east, north = file.bounds
            corners = [(west, south), (east, south), (east, north), (west, north)]
            to_degrees = Transformer.from_crs(file.crs, "OGC:CRS84", always_xy=True)
        expected = shapely.Polygon([to_degrees.transform(*corner) for corner in corners])
        assert (
            shapely.from_wkb(row["geometry"]).normalize().equals_exact(expected.normalize(), 1e-9)
        )
        assert tuple(row["bbox"].values()) == pytest.approx(expected.bounds)


def test_the_area_of_the_guides_needs_both_tiles_on_every_date(archive: Path) -> None:
    table = pq.read_table(archive / "items.parquet", columns=["id", "geometry"])
    shapes = shapely.from_wkb(table["geometry"].to_numpy(zero_copy_only=False))
    hits = shapely.intersects(shapes, AREA)
    assert hits.sum() == 8
    assert shapely.union_all(shapes[hits]).covers(AREA)


def test_the_footer_says_geoparquet_and_stac(archive: Path) -> None:
    footer = pq.ParquetFile(archive / "items.parquet").metadata.metadata
    geo, stac = json.loads(footer[b"geo"]), json.loads(footer[b"stac-geoparquet"])
    assert geo["version"] == "1.1.0"
    assert geo["columns"][geo["primary_column"]]["encoding"] == "WKB"
    assert list(stac["collections"]) == ["demo-archive"]


def test_duckdb_reads_the_table(archive: Path) -> None:
    query = f"""
        select count(*), count(distinct id), min(assets.red.band_index), max(assets.blue.band_index)
        from '{archive / "items.parquet"}' where "eo:cloud_cover" < 20 and bbox.xmin < 78
    """
    assert duckdb.connect().execute(query).fetchone() == (6, 6, 0, 2)


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [("bytes=0-15", 0, 16), ("bytes=100-", 100, None), ("bytes=-10", -10, None)],
)
def test_ranges_are_served_byte_for_byte(
    archive: Path, url: str, asked: str, start: int, stop: int | None
) -> None:
    path = f"{CUT}/B04.tif"
    whole = (archive / path).read_bytes()
    answer = requests.get(f"{url}/{path}", headers={"Range": asked}, timeout=10)
    assert answer.status_code == 206
    assert answer.content == whole[start:stop]
    assert answer.headers["Content-Range"].endswith(f"/{len(whole)}")


def test_a_range_past_the_end_and_a_missing_file_are_told_apart(url: str) -> None:
    past = requests.get(f"{url}/items.parquet", headers={"Range": "bytes=99999999-"}, timeout=10)
    assert past.status_code == 416
    assert requests.get(f"{url}/{MISSING[0]}/B08.tif", timeout=10).status_code == 404


def test_nothing_outside_the_folder_is_served(archive: Path, url: str) -> None:
    (archive.parent / "secret.txt").write_text("no")
    assert requests.get(f"{url}/%2e%2e/secret.txt", timeout=10).status_code == 404


def test_gdal_reads_through_the_server(archive: Path, url: str) -> None:
    path = f"{CUT}/B11.tif"
    # In a process of its own: rasterio opens files holding the lock the server's threads need.
    code = "import sys, rasterio; print(rasterio.open(sys.argv[1]).checksum(1))"
    said = subprocess.run(
        [sys.executable, "-c", code, f"/vsicurl/{url}/{path}"],
        capture_output=True,
        check=True,
        timeout=60,
        text=True,
    )
    with rasterio.open(archive / path) as file:
        assert int(said.stdout) == file.checksum(1)
