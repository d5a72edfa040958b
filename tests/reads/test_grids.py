"""Scenes of several grids, resolutions and times: against rasterio's warp and merge."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.merge
import rasterio.warp
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.transform import Affine

from rasteret_assets import reads
from rasteret_assets.errors import ReadError
from rasteret_assets.geo.grid import Grid
from rasteret_assets.reads.resample import resample
from tests.reads.indexing import Scene, index, noise, write
from tests.rig.http_server import RangeServer

UTM = "EPSG:32632"
BOX = (500_300, 5_498_200, 502_900, 5_499_700)


def shifted(cols: int, rows: int) -> Affine:
    return Affine(10, 0, 500_000 + 10 * cols, 0, -10, 5_500_000 - 10 * rows)


@pytest.fixture(scope="module")
def scenes(folder: Path, server: RangeServer) -> list[Scene]:
    """Three overlapping scenes of one grid, with holes."""
    found = []
    for number, (cols, rows) in enumerate([(0, 0), (90, -30), (30, 60)]):
        pixels = noise(number + 50, 1, 200, 220)
        pixels[0, 20 * number : 40 + 20 * number, 30:120] = 0
        path = write(folder / f"scene{number}.tif", pixels, nodata=0, transform=shifted(cols, rows))
        files = {"B1": (server.url(path.name), 0)}
        found.append(Scene(id=f"s{number}", files=files, path=path, days=number))
    return found


def merged(scenes: list[Scene], method: str) -> NDArray[Any]:
    image, _ = rasterio.merge.merge([s.path for s in scenes], bounds=BOX, res=10, method=method)
    return image[0]


@pytest.mark.parametrize("method", ["first", "last"])
def test_mosaics_are_those_of_rasterio(scenes: list[Scene], method: Any) -> None:  # noqa: ANN401  # a literal type
    data = reads.get_xarray(
        index(scenes), bands=["B1"], geometries=BOX, geometry_crs=UTM, mosaic=method
    )
    assert data.sizes == {"time": 1, "y": 150, "x": 260}
    assert np.array_equal(data["B1"][0], merged(scenes, method))


def test_the_order_of_a_mosaic_is_that_of_time(scenes: list[Scene]) -> None:
    table = index(scenes[::-1])
    data = reads.get_numpy(table, bands=["B1"], geometries=BOX, geometry_crs=UTM, mosaic="first")
    assert np.array_equal(data[0, 0], merged(scenes, "first"))


def cube(scenes: list[Scene]) -> NDArray[Any]:
    """Return the scenes as (record, y, x), nan where invalid, by rasterio."""
    images = [
        rasterio.merge.merge([scene.path], bounds=BOX, res=10)[0][0].astype(float)
        for scene in scenes
    ]
    stack = np.stack(images)
    stack[stack == 0] = np.nan
    return stack


@pytest.mark.filterwarnings("ignore:All-NaN slice:RuntimeWarning")
def test_medians_are_of_valid_pixels(scenes: list[Scene]) -> None:
    found = reads.get_numpy(
        index(scenes), bands=["B1"], geometries=BOX, geometry_crs=UTM, mosaic="median"
    )
    assert np.array_equal(found[0, 0], np.nanmedian(cube(scenes), axis=0), equal_nan=True)


def test_a_function_may_combine_records(scenes: list[Scene]) -> None:
    def most(values: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[Any]:
        return np.where(valid, values, 0).max(axis=0)

    found = reads.get_numpy(
        index(scenes), bands=["B1"], geometries=BOX, geometry_crs=UTM, mosaic=most
    )
    assert np.array_equal(found[0, 0], np.nan_to_num(cube(scenes)).max(axis=0))


def test_each_record_is_a_time_without_a_mosaic(scenes: list[Scene]) -> None:
    data = reads.get_xarray(index(scenes), bands=["B1"], geometries=BOX, geometry_crs=UTM)
    assert data.id.values.tolist() == ["s0", "s1", "s2"]
    assert data.time.values.astype("M8[D]").astype(str).tolist() == [
        "2024-01-01",
        "2024-01-02",
        "2024-01-03",
    ]
    assert np.array_equal(data["B1"], np.nan_to_num(cube(scenes)))


def test_periods_are_combined_apart(scenes: list[Scene]) -> None:
    same_day = [scenes[0], Scene(id="x", files=scenes[1].files, path=scenes[1].path), scenes[2]]
    data = reads.get_xarray(
        index(same_day),
        bands=["B1"],
        geometries=BOX,
        geometry_crs=UTM,
        mosaic="first",
        mosaic_by="day",
    )
    assert data.sizes["time"] == 2
    assert np.array_equal(data["B1"][0], merged(scenes[:2], "first"))


@pytest.mark.parametrize("how", ["nearest", "bilinear", "cubic", "average"])
def test_another_crs_is_what_gdal_warps(scenes: list[Scene], how: str) -> None:
    data = reads.get_xarray(
        index(scenes[:1]),
        bands=["B1"],
        geometries=(9.01, 49.64, 9.02, 49.65),
        crs="EPSG:4326",
        resolution=0.0001,
        resampling=how,
        masked=True,
    )
    with rasterio.open(scenes[0].path) as dataset:
        expected = np.full((data.sizes["y"], data.sizes["x"]), np.nan, np.float32)
        a = data.spatial_ref.attrs["GeoTransform"].split()
        rasterio.warp.reproject(
            np.where(dataset.read(1) == 0, np.nan, dataset.read(1)).astype(np.float32),
            expected,
            src_transform=dataset.transform,
            src_crs=dataset.crs,
            dst_transform=Affine.from_gdal(*map(float, a)),
            dst_crs="EPSG:4326",
            src_nodata=np.nan,
            dst_nodata=np.nan,
            resampling=Resampling[how],
            tolerance=0,
        )
    if how != "nearest":
        expected = np.clip(np.floor(expected + 0.5), 0, 65535)
    assert np.isfinite(expected).any()
    assert np.array_equal(data["B1"][0], expected, equal_nan=True)


def test_bands_of_two_resolutions_come_at_the_finer(folder: Path, server: RangeServer) -> None:
    fine, coarse = noise(7, 1, 120, 160), noise(8, 1, 60, 80)
    paths = [
        write(folder / "fine.tif", fine),
        write(folder / "coarse.tif", coarse, transform=Affine(20, 0, 500_000, 0, -20, 5_500_000)),
    ]
    files = {band: (server.url(path.name), 0) for band, path in zip("fc", paths, strict=True)}
    data = reads.get_xarray(index([Scene(id="a", files=files, path=paths[0])]), bands=["c", "f"])
    assert np.array_equal(data["f"][0], fine[0])
    assert np.array_equal(data["c"][0], coarse[0].repeat(2, axis=0).repeat(2, axis=1))


def test_scenes_of_two_zones_come_onto_one_grid(
    scenes: list[Scene], folder: Path, server: RangeServer
) -> None:
    pixels = noise(9, 1, 200, 220)
    transform, width, height = rasterio.warp.calculate_default_transform(
        UTM, "EPSG:32633", 220, 200, 500_000, 5_498_000, 502_200, 5_500_000, resolution=10
    )
    there = np.zeros((1, height, width), np.uint16)
    rasterio.warp.reproject(
        pixels,
        there,
        src_transform=shifted(0, 0),
        src_crs=UTM,
        dst_transform=transform,
        dst_crs="EPSG:32633",
    )
    path = write(folder / "zone33.tif", there, nodata=0, crs="EPSG:32633", transform=transform)
    other = Scene(id="z", files={"B1": (server.url(path.name), 0)}, path=path, days=9)
    data = reads.get_xarray(
        index([*scenes[:2], other]), bands=["B1"], geometries=BOX, geometry_crs=UTM
    )
    assert data.spatial_ref.attrs["projected_crs_name"] == "WGS 84 / UTM zone 32N"
    assert np.array_equal(data["B1"][:2], np.nan_to_num(cube(scenes[:2])))
    back = data["B1"].values[2, 10:150, :180]
    same = back == pixels[0, 40:180, 30:210]
    assert same.mean() > 0.3  # twice nearest: many pixels end up one off


def test_rotated_scenes_are_turned_upright(folder: Path, server: RangeServer) -> None:
    pixels = noise(3, 1, 100, 120)
    transform = shifted(0, 0) @ Affine.rotation(30)
    path = write(folder / "rotated.tif", pixels, nodata=0, transform=transform)
    table = index([Scene(id="r", files={"B1": (server.url(path.name), 0)}, path=path)])
    data = reads.get_xarray(table, bands=["B1"], masks=True)
    expected = np.zeros((data.sizes["y"], data.sizes["x"]), np.uint16)
    rasterio.warp.reproject(
        pixels[0],
        expected,
        src_transform=transform,
        src_crs=UTM,
        dst_transform=Affine.from_gdal(*map(float, data.spatial_ref.attrs["GeoTransform"].split())),
        dst_crs=UTM,
        tolerance=0,
    )
    assert np.array_equal(data["B1"][0], expected)


@pytest.mark.parametrize(
    "dtype", ["int8", "float16", "int64", "uint64", "complex64", "complex128", "float32"]
)
def test_nearest_keeps_numbers_of_every_type(dtype: str) -> None:
    rng = np.random.default_rng(4)
    raw = rng.integers(-(2**62), 2**62, (30, 40, 2))
    values = (raw[..., 0] + 1j * raw[..., 1]) if dtype.startswith("complex") else raw[..., 0]
    values = values.astype(dtype) if dtype != "float16" else (raw[..., 0] % 1000).astype(dtype)
    source = Grid(crs=UTM, a=10, c=0, e=-10, f=0, width=40, height=30)
    target = Grid(crs=UTM, a=5, c=0, e=-5, f=0, width=80, height=60)
    found, valid = resample(values, None, source, target, "nearest")
    assert np.array_equal(found, values.repeat(2, axis=0).repeat(2, axis=1))
    assert valid.all()


def test_a_result_too_large_is_refused_with_a_way_out(scenes: list[Scene]) -> None:
    with pytest.raises(ReadError, match=r"260 x 150 pixels.*max_bytes"):
        reads.get_xarray(
            index(scenes), bands=["B1"], geometries=BOX, geometry_crs=UTM, max_bytes=50_000
        )


def test_an_area_without_records_is_refused(scenes: list[Scene]) -> None:
    with pytest.raises(ReadError, match="none of 3 records"):
        reads.get_xarray(index(scenes), bands=["B1"], geometries=(20, 20, 21, 21))
