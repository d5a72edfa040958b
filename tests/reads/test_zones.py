"""Statistics and pixels of geometries, against rasterio.mask and NumPy."""

from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import rasterio
import rasterio.mask
import shapely

from rasteret_assets import reads
from rasteret_assets.errors import ReadError
from rasteret_assets.reads.zones import get_gdf
from tests.reads.indexing import Scene, index, noise, write
from tests.rig.http_server import RangeServer

UTM = "EPSG:32632"
STATS = ("count", "mean", "min", "max", "std", "sum", "median", "p10")


@pytest.fixture(scope="module")
def scenes(folder: Path, server: RangeServer) -> list[Scene]:
    found = []
    for number in range(2):
        pixels = noise(number + 20, 1, 300, 250)
        pixels[0, 90:130] = 0
        path = write(folder / f"zone{number}.tif", pixels, nodata=0)
        files = {"B1": (server.url(path.name), 0)}
        found.append(Scene(id=f"z{number}", files=files, path=path, days=number))
    return found


@pytest.fixture(scope="module")
def fields() -> geopandas.GeoDataFrame:
    """Circles, one partly outside, one so small that it holds no pixel's centre."""
    x = [500_400, 501_200, 502_480, 500_800]
    y = [5_499_500, 5_498_800, 5_497_500, 5_499_100]
    radius = [205.0, 333.3, 150.0, 1.0]
    return geopandas.GeoDataFrame(geometry=shapely.buffer(shapely.points(x, y), radius), crs=UTM)


def by_rasterio(scene: Scene, geometry: shapely.Geometry) -> np.ma.MaskedArray[Any, Any]:
    with rasterio.open(scene.path) as dataset:
        pixels, _ = rasterio.mask.mask(dataset, [geometry], crop=True, filled=False)
    return pixels[0]


def test_statistics_are_those_of_the_pixels_rasterio_masks(
    scenes: list[Scene], fields: geopandas.GeoDataFrame
) -> None:
    frame = get_gdf(index(scenes), bands=["B1"], geometries=fields, stats=STATS)
    assert frame.crs == UTM
    assert len(frame) == 8
    for row in frame.itertuples():
        scene = next(one for one in scenes if one.id == row.id)
        geometry = fields.geometry[row.geometry_index]
        assert row.geometry.equals(geometry)
        if row.geometry_index == 3:
            assert row.B1_count == 0
            assert np.isnan(row.B1_mean)
            continue
        values = by_rasterio(scene, geometry).compressed()
        expected = [
            values.size,
            values.mean(),
            values.min(),
            values.max(),
            values.std(),
            values.sum(),
            np.median(values),
            np.percentile(values, 10),
        ]
        found = [getattr(row, f"B1_{name}") for name in STATS]
        assert np.allclose(found, expected, rtol=1e-12)


def test_pixels_are_those_rasterio_masks(
    scenes: list[Scene], fields: geopandas.GeoDataFrame
) -> None:
    frame = get_gdf(index(scenes[:1]), bands=["B1"], geometries=fields.iloc[:3])
    for row in frame.itertuples():
        expected = by_rasterio(scenes[0], row.geometry)
        assert row.B1.shape == expected.shape
        assert np.array_equal(np.ma.getmaskarray(row.B1), np.ma.getmaskarray(expected))
        assert np.array_equal(row.B1.compressed(), expected.compressed())


def test_overlapping_geometries_share_tiles(scenes: list[Scene], server: RangeServer) -> None:
    table = index(scenes[:1])
    circles = [shapely.Point(500_800 + step, 5_499_500).buffer(100) for step in range(50)]
    server.forget()
    frame = get_gdf(table, bands=["B1"], geometries=circles, geometry_crs=UTM, stats=["mean"])
    assert len(frame) == 50
    assert server.body_bytes() < scenes[0].path.stat().st_size


def test_the_grid_is_each_records_own(
    scenes: list[Scene], folder: Path, server: RangeServer, fields: geopandas.GeoDataFrame
) -> None:
    transform = rasterio.transform.from_origin(499_995, 5_500_005, 20, 20)
    path = write(folder / "coarse_zone.tif", noise(1, 1, 150, 125), nodata=0, transform=transform)
    coarse = Scene(id="c", files={"B1": (server.url(path.name), 0)}, path=path, days=5)
    frame = get_gdf(
        index([scenes[0], coarse]), bands=["B1"], geometries=fields.iloc[:1], stats=["count"]
    )
    counts = [by_rasterio(one, fields.geometry[0]).count() for one in (scenes[0], coarse)]
    assert frame.B1_count.tolist() == counts


@pytest.mark.parametrize("name", ["mode", "p101", "p"])
def test_an_unknown_statistic_is_refused(scenes: list[Scene], name: str) -> None:
    with pytest.raises(ReadError, match=name):
        get_gdf(index(scenes), bands=["B1"], geometries=(9, 49, 10, 50), stats=[name])


def test_pixels_beyond_the_limit_are_refused(scenes: list[Scene]) -> None:
    with pytest.raises(ReadError, match="max_bytes"):
        get_gdf(index(scenes), bands=["B1"], geometries=(9, 49, 10, 50), max_bytes=1000)


def test_a_geodataframe_names_its_own_crs(
    scenes: list[Scene], fields: geopandas.GeoDataFrame
) -> None:
    data = reads.get_xarray(index(scenes), bands=["B1"], geometries=fields)
    same = reads.get_xarray(
        index(scenes), bands=["B1"], geometries=list(fields.geometry), geometry_crs=UTM
    )
    assert data.identical(same)
