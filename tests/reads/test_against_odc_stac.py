"""Mosaics and stacks of scenes, against odc-stac reading the same files."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import odc.stac
import pystac
import pytest
import rasterio
import shapely
import xarray as xr
from odc.geo.geobox import GeoBox
from odc.geo.xr import ODCExtension  # noqa: F401  # makes .odc
from rasterio.transform import Affine

from rasteret_assets import reads
from tests.reads.indexing import START, Scene, footprint, index, noise, write
from tests.rig.http_server import RangeServer

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # odc-stac's own

UTM = "EPSG:32632"
BOX = (500_300, 5_498_200, 502_900, 5_499_700)


@pytest.fixture(scope="module")
def scenes(folder: Path, server: RangeServer) -> list[Scene]:
    """Five scenes on three days, of two bands of 10 and 20 m, with holes."""
    found = []
    for number, (cols, rows) in enumerate([(0, 0), (90, -30), (30, 60), (-40, 20), (60, 40)]):
        files = {}
        for band, step in (("fine", 1), ("coarse", 2)):
            pixels = noise(10 * number + step, 1, 200 // step, 220 // step)
            pixels[0, 10 * number : 20 + 10 * number, 15:60] = 0
            transform = Affine(
                10 * step, 0, 500_000 + 20 * cols, 0, -10 * step, 5_500_000 - 20 * rows
            )
            path = write(folder / f"{band}{number}.tif", pixels, nodata=0, transform=transform)
            files[band] = (server.url(path.name), 0)
        days = number // 2
        found.append(Scene(id=f"o{number}", files=files, path=path, days=days))
    return found


def items_of(scenes: list[Scene], folder: Path) -> list[pystac.Item]:
    """Return STAC items of the local files."""
    made = []
    for number, scene in enumerate(scenes):
        shape = shapely.from_wkb(footprint(scene.path))
        item = pystac.Item(
            id=scene.id,
            geometry=shapely.geometry.mapping(shape),
            bbox=list(shape.bounds),
            datetime=START + timedelta(days=scene.days),
            properties={},
        )
        for band in ("fine", "coarse"):
            href = str(folder / f"{band}{number}.tif")
            with rasterio.open(href) as dataset:
                extra = {
                    "proj:code": UTM,
                    "proj:shape": list(dataset.shape),
                    "proj:transform": list(dataset.transform)[:6],
                    "raster:bands": [{"nodata": 0, "data_type": "uint16"}],
                }
            item.add_asset(band, pystac.Asset(href=href, roles=["data"], extra_fields=extra))
        item.ext.add("proj")
        made.append(item)
    return made


def by_odc(items: list[pystac.Item], like: xr.Dataset, **asked: Any) -> xr.Dataset:  # noqa: ANN401  # any of its arguments
    grid = Affine.from_gdal(*map(float, like.spatial_ref.attrs["GeoTransform"].split()))
    box = GeoBox((like.sizes["y"], like.sizes["x"]), grid, like.spatial_ref.attrs["spatial_ref"])
    found: xr.Dataset = odc.stac.load(items, bands=["fine", "coarse"], geobox=box, **asked)
    return found


def test_the_first_valid_pixel_of_each_day_is_odc_stacs(scenes: list[Scene], folder: Path) -> None:
    data = reads.get_xarray(
        index(scenes),
        bands=["fine", "coarse"],
        geometries=BOX,
        geometry_crs=UTM,
        mosaic="first",
        mosaic_by="day",
    )
    expected = by_odc(items_of(scenes, folder), data, groupby="solar_day")
    assert data.sizes == {"time": 3, "y": 150, "x": 260}
    assert np.array_equal(data.time.values.astype("M8[D]"), expected.time.values.astype("M8[D]"))
    for band in ("fine", "coarse"):
        assert np.array_equal(data[band], expected[band]), band


def test_each_scene_is_odc_stacs(scenes: list[Scene], folder: Path) -> None:
    data = reads.get_xarray(
        index(scenes), bands=["fine", "coarse"], geometries=BOX, geometry_crs=UTM
    )
    expected = by_odc(items_of(scenes, folder), data, groupby="id")
    for band in ("fine", "coarse"):
        assert np.array_equal(data[band], expected[band]), band


@pytest.mark.parametrize("how", ["nearest", "bilinear"])
def test_another_crs_is_odc_stacs(scenes: list[Scene], folder: Path, how: str) -> None:
    data = reads.get_xarray(
        index(scenes[:2]),
        bands=["fine", "coarse"],
        geometries=BOX,
        geometry_crs=UTM,
        crs="EPSG:32633",
        resolution=10,
        resampling=how,
        mosaic="first",
    )
    expected = by_odc(items_of(scenes[:2], folder), data, groupby="solar_day", resampling=how)
    for band in ("fine", "coarse"):
        ours, theirs = data[band].values[0], expected[band].values[0]
        # where each warps another window, GDAL places pixels within an eighth of one
        assert ((ours == 0) == (theirs == 0)).mean() > 0.999
        assert np.mean(np.abs(ours.astype(int) - theirs) <= 80) > 0.97
