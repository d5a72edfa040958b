"""Areas of scenes on one grid: pixel for pixel what rasterio reads."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.features
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from rasterio.windows import Window

from rasteret_assets import reads
from tests.reads.indexing import Scene, index, noise, write
from tests.rig.http_server import RangeServer

UTM = "EPSG:32632"
WIDTH, HEIGHT = 250, 300

LAYOUTS: dict[str, dict[str, Any]] = {
    "chunky_tiles": {"interleave": "pixel"},
    "planar_tiles": {"interleave": "band"},
    "strips": {"tiled": False, "blockysize": 37, "blockxsize": None},
    "predictor": {"predictor": 2, "compress": "ZSTD"},
    "big_endian": {"ENDIANNESS": "BIG", "predictor": 2},
    "raw": {"compress": None},
    "one_tile": {"blockxsize": 512, "blockysize": 512},
}


@pytest.fixture(scope="module")
def scenes(folder: Path, server: RangeServer) -> dict[str, Any]:
    tables = {}
    for number, (name, profile) in enumerate(LAYOUTS.items()):
        path = write(folder / f"{name}.tif", noise(number, 3, HEIGHT, WIDTH), nodata=0, **profile)
        url = server.url(path.name)
        files = {band: (url, at) for at, band in enumerate(("red", "green", "blue"))}
        tables[name] = index([Scene(id=name, files=files, path=path)])
    return tables


def bounds_of(col: int, row: int, width: int, height: int) -> tuple[float, float, float, float]:
    left, top = 500_000 + 10 * col, 5_500_000 - 10 * row
    return left, top - 10 * height, left + 10 * width, top


def read_by_rasterio(path: Path, col: int, row: int, width: int, height: int) -> NDArray[Any]:
    """Return a window that may reach beyond the file; 0, its nodata, is there then."""
    with rasterio.open(path) as dataset:
        return dataset.read(window=Window(col, row, width, height), boundless=True, fill_value=0)


@pytest.mark.parametrize("layout", LAYOUTS)
@settings(max_examples=40, deadline=None)
@given(
    col=st.integers(-40, WIDTH - 1),
    row=st.integers(-40, HEIGHT - 1),
    width=st.integers(41, 300),
    height=st.integers(41, 300),
)
def test_any_window_is_what_rasterio_reads(
    scenes: dict[str, Any], folder: Path, layout: str, col: int, row: int, width: int, height: int
) -> None:
    box = bounds_of(col, row, width, height)
    found = reads.get_numpy(scenes[layout], bands=["red", "blue"], geometries=box, geometry_crs=UTM)
    expected = read_by_rasterio(folder / f"{layout}.tif", col, row, width, height)
    assert found.shape == (1, 2, height, width)
    assert np.array_equal(found[0], expected[[0, 2]])


def test_a_box_between_pixel_edges_takes_all_it_touches(scenes: dict[str, Any]) -> None:
    data = reads.get_xarray(
        scenes["raw"],
        bands=["red"],
        geometries=(500_101, 5_499_001, 500_119, 5_499_029),
        geometry_crs=UTM,
    )
    assert data.x.values.tolist() == [500_105, 500_115]
    assert data.y.values.tolist() == [5_499_025, 5_499_015, 5_499_005]


def test_bands_of_one_file_share_its_tiles(scenes: dict[str, Any], server: RangeServer) -> None:
    server.forget()
    reads.get_numpy(
        scenes["one_tile"],
        bands=["red", "green", "blue"],
        geometries=bounds_of(5, 5, 9, 9),
        geometry_crs=UTM,
    )
    assert len(server.seen("one_tile.tif")) == 1


def test_tiles_beside_each_other_are_one_request(
    scenes: dict[str, Any], server: RangeServer
) -> None:
    server.forget()
    reads.get_numpy(scenes["chunky_tiles"], bands=["red"])
    assert len(server.seen("chunky_tiles.tif")) == 1


def test_without_an_area_all_pixels_come(scenes: dict[str, Any], folder: Path) -> None:
    found = reads.get_numpy(scenes["planar_tiles"], bands=["green"])
    with rasterio.open(folder / "planar_tiles.tif") as dataset:
        assert np.array_equal(found[0, 0], dataset.read(2))


POLYGON = shapely.Polygon(
    [(500_333, 5_499_871), (501_777, 5_499_111), (500_901, 5_498_012), (499_800, 5_498_600)]
)


@pytest.mark.parametrize("all_touched", [False, True])
def test_pixels_outside_a_polygon_are_left_out_as_rasterio_does(
    scenes: dict[str, Any], folder: Path, *, all_touched: bool
) -> None:
    data = reads.get_xarray(
        scenes["chunky_tiles"],
        bands=["red"],
        geometries=POLYGON,
        geometry_crs=UTM,
        all_touched=all_touched,
        masks=True,
    )
    left, bottom, right, top = POLYGON.bounds
    col, row = int((left - 500_000) // 10), int((5_500_000 - top) // 10)
    width = -int(-(right - 500_000) // 10) - col
    height = -int(-(5_500_000 - bottom) // 10) - row
    whole = read_by_rasterio(folder / "chunky_tiles.tif", col, row, width, height)[0]
    inside = rasterio.features.geometry_mask(
        [POLYGON],
        (height, width),
        rasterio.transform.from_origin(500_000 + 10 * col, 5_500_000 - 10 * row, 10, 10),
        all_touched=all_touched,
        invert=True,
    )
    assert np.array_equal(data["red"][0], np.where(inside, whole, 0))
    assert np.array_equal(data["red_mask"][0], inside & (whole != 0))


AREAS: dict[str, Any] = {
    "shapely": POLYGON,
    "wkb": shapely.to_wkb(POLYGON),
    "geojson": shapely.geometry.mapping(POLYGON),
    "feature": {"type": "Feature", "geometry": shapely.geometry.mapping(POLYGON)},
    "collection": {
        "type": "FeatureCollection",
        "features": [{"type": "Feature", "geometry": shapely.geometry.mapping(POLYGON)}],
    },
    "list": [POLYGON],
    "array": np.array([POLYGON], object),
}


@pytest.mark.parametrize("form", AREAS)
def test_every_form_of_an_area_gives_the_same(scenes: dict[str, Any], form: str) -> None:
    asked: dict[str, Any] = {"bands": ["red"], "geometry_crs": UTM}
    expected = reads.get_xarray(scenes["raw"], geometries=POLYGON, **asked)
    found = reads.get_xarray(scenes["raw"], geometries=AREAS[form], **asked)
    assert found.identical(expected)
