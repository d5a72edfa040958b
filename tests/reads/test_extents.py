"""Boxes of many images against rasterio's bounds, and the grid that they have in common."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import rasterio
import rasterio.warp
from rasterio.transform import Affine

from rasteret_assets.errors import ReadError
from rasteret_assets.reads.extents import boxes_in, common_grid, images_of_band
from rasteret_assets.reads.headers import band_headers
from rasteret_assets.reads.options import ReadOptions
from rasteret_assets.reads.records import crs_of_records
from tests.reads.indexing import Scene, index, noise, write
from tests.rig.http_server import RangeServer

PLACES = {
    "upright": {},
    "another zone": {"crs": "EPSG:32633", "transform": Affine(20, 0, 3e5, 0, -20, 5.5e6)},
    "rotated": {
        "transform": Affine.translation(5e5, 5.5e6) * Affine.rotation(30) * Affine.scale(7)
    },
    "south up": {"transform": Affine(10, 0, 5e5, 0, 10, 5.4e6)},
    "degrees": {"crs": "EPSG:4326", "transform": Affine(1e-4, 0, 9.1, 0, -1e-4, 49.5)},
}


@pytest.fixture(scope="module")
def table(folder: Path, server: RangeServer) -> pa.Table:
    """A record at each place; `red` half as large as `blue`, which the last one lacks."""
    scenes = []
    for at, (name, place) in enumerate(PLACES.items()):
        path = write(folder / f"{name}.tif", noise(at, 1, 80, 96), **place)
        small = write(folder / f"{name} small.tif", noise(at, 1, 40, 48), **place)
        files = {"red": (server.url(small.name), None), "blue": (server.url(path.name), None)}
        if at == len(PLACES) - 1:
            files.pop("blue")
        scenes.append(Scene(id=name, files=files, path=path))
    return index(scenes)


def bounds(path: Path, crs: str) -> tuple[float, ...]:
    with rasterio.open(path) as file:
        corners = [file.transform * (x, y) for x in (0, file.width) for y in (0, file.height)]
        x, y = np.array(corners).T
        own = (x.min(), y.min(), x.max(), y.max())
        if file.crs == crs:
            return own
        edge = np.linspace(0, 1, 500)
        left, bottom, right, top = own
        along = left + edge * (right - left), bottom + edge * (top - bottom)
        xs = np.concatenate([along[0], along[0], np.full(500, left), np.full(500, right)])
        ys = np.concatenate([np.full(500, bottom), np.full(500, top), along[1], along[1]])
        x, y = rasterio.warp.transform(file.crs, crs, xs, ys)
        return min(x), min(y), max(x), max(y)


@pytest.mark.parametrize("crs", ["EPSG:32632", "EPSG:4326", "EPSG:3035"])
def test_a_box_is_what_all_images_of_a_record_fill(table: pa.Table, folder: Path, crs: str) -> None:
    said = crs_of_records(table)
    of_bands = [images_of_band(band_headers(table, band), said) for band in ("red", "blue")]
    found = boxes_in(of_bands, crs)
    pixel = 1e-6 if crs == "EPSG:4326" else 0.5
    for row, name in enumerate(PLACES):
        if name == "rotated":  # the box of a tilted image's corners depends on where they are
            continue
        small, whole = (bounds(folder / f"{name}{end}.tif", crs) for end in (" small", ""))
        if name == "degrees":
            whole = small  # it lacks the other band
        low = [max(small[at], whole[at]) for at in (0, 1)]
        high = [min(small[at], whole[at]) for at in (2, 3)]
        np.testing.assert_allclose(found[row], [*low, *high], rtol=0, atol=pixel)


def test_the_grid_of_most_images_is_the_common_one(table: pa.Table) -> None:
    of_bands = [images_of_band(band_headers(table, "red"), crs_of_records(table))]
    grid = common_grid(of_bands, ReadOptions())
    assert grid.crs == "EPSG:32632"
    assert grid.resolution == pytest.approx((7, 7))
    asked = common_grid(of_bands, ReadOptions(crs="EPSG:32633"))
    assert (asked.crs, asked.resolution) == ("EPSG:32633", (20, 20))


def test_no_image_at_all_is_said(table: pa.Table) -> None:
    nobody = images_of_band(band_headers(table.slice(0, 0), "red"), [])
    with pytest.raises(ReadError, match="no record has an image"):
        common_grid([nobody], ReadOptions())


def test_an_image_across_the_antimeridian_has_no_box_in_degrees(
    folder: Path, server: RangeServer
) -> None:
    path = write(
        folder / "fiji.tif",
        noise(1, 1, 64, 64),
        crs="EPSG:32701",
        transform=Affine(1000, 0, 150_000, 0, -1000, 8e6),
    )
    scene = Scene(id="fiji", files={"red": (server.url(path.name), None)}, path=path)
    table = index([scene])
    of_bands = [images_of_band(band_headers(table, "red"), crs_of_records(table))]
    with pytest.raises(ReadError, match="antimeridian"):
        boxes_in(of_bands, "EPSG:4326")
    assert np.isfinite(boxes_in(of_bands, "EPSG:32701")).all()
