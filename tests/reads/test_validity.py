"""Masks, alpha, nodata and overviews: as GDAL's dataset mask and its overviews say."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray

from rasteret_assets import reads
from rasteret_assets.errors import ReadError
from tests.reads.indexing import Scene, index, noise, write
from tests.rig.http_server import RangeServer

UTM = "EPSG:32632"
BOX = (500_400, 5_498_300, 501_500, 5_499_600)
"""Columns 40 to 150, rows 40 to 170."""


def half_valid(height: int, width: int) -> NDArray[np.bool_]:
    y, x = np.indices((height, width))
    return (x // 7 + y // 5) % 3 > 0


FILES: dict[str, dict[str, Any]] = {
    "mask": {"count": 3, "profile": {"mask": half_valid(300, 250)}},
    "mask_and_nodata": {"count": 3, "profile": {"mask": half_valid(300, 250), "nodata": 7}},
    "alpha": {"count": 4, "profile": {"photometric": "RGB", "alpha": "YES"}},
    "planar_alpha": {
        "count": 4,
        "profile": {"photometric": "RGB", "alpha": "YES", "interleave": "band"},
    },
    "nodata": {"count": 3, "profile": {"nodata": 7}},
    "nodata_nowhere": {"count": 3, "profile": {"nodata": 255}},
    "nothing": {"count": 3, "profile": {}},
}


def pixels_of(count: int) -> NDArray[Any]:
    pixels = noise(count, count, 300, 250, dtype="uint8", top=20)
    if count == 4:
        pixels[3] = np.where(half_valid(300, 250), 255, 0)
    return pixels


@pytest.fixture(scope="module")
def tables(folder: Path, server: RangeServer) -> dict[str, Any]:
    found = {}
    for name, how in FILES.items():
        profile = {"interleave": "pixel", **how["profile"]}
        path = write(folder / f"{name}.tif", pixels_of(how["count"]), overviews=[2, 4], **profile)
        files = {"rgb": (server.url(path.name), None)}
        found[name] = index([Scene(id=name, files=files, path=path)])
    return found


def by_gdal(path: Path, level: int | None = None) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return red and which of its pixels GDAL takes for valid, within the box."""
    options = {} if level is None else {"overview_level": level}
    with rasterio.open(path, **options) as dataset:
        window = dataset.window(*BOX).round_offsets().round_lengths()
        return dataset.read(1, window=window), dataset.read_masks(1, window=window) != 0


@pytest.mark.parametrize("name", FILES)
def test_validity_is_that_of_gdal(tables: dict[str, Any], folder: Path, name: str) -> None:
    data = reads.get_xarray(
        tables[name], bands=["rgb[0]"], geometries=BOX, geometry_crs=UTM, masks=True
    )
    values, valid = by_gdal(folder / f"{name}.tif")
    assert np.array_equal(data["rgb[0]_mask"][0], valid)
    assert np.array_equal(data["rgb[0]"].values[0][valid], values[valid])


@pytest.mark.parametrize("name", FILES)
def test_invalid_pixels_hold_the_fill_value_or_nan(tables: dict[str, Any], name: str) -> None:
    asked: dict[str, Any] = {"bands": ["rgb[0]"], "geometries": BOX, "geometry_crs": UTM}
    plain = reads.get_xarray(tables[name], **asked)["rgb[0]"]
    masked = reads.get_xarray(tables[name], masked=True, masks=True, **asked)
    invalid = ~masked["rgb[0]_mask"].values
    assert masked["rgb[0]"].dtype == "float32"
    assert np.array_equal(np.isnan(masked["rgb[0]"].values), invalid)
    assert (plain.values[invalid] == plain.attrs.get("_FillValue")).all()
    assert np.array_equal(plain.values[~invalid], masked["rgb[0]"].values[~invalid])


@pytest.mark.parametrize("name", ["mask", "alpha", "nodata"])
@pytest.mark.parametrize("level", [1, 2])
def test_overviews_come_with_their_masks(
    tables: dict[str, Any], folder: Path, name: str, level: int
) -> None:
    data = reads.get_xarray(
        tables[name],
        bands=["rgb[0]"],
        geometries=BOX,
        geometry_crs=UTM,
        masks=True,
        overview=level,
    )
    with rasterio.open(folder / f"{name}.tif", overview_level=level - 1) as dataset:
        left, top = data.x.values[0], data.y.values[0]
        row, col = dataset.index(left, top)
        window = rasterio.windows.Window(col, row, data.sizes["x"], data.sizes["y"])
        values, valid = dataset.read(1, window=window), dataset.read_masks(1, window=window) != 0
    assert np.array_equal(data["rgb[0]_mask"][0], valid)
    assert np.array_equal(data["rgb[0]"].values[0][valid], values[valid])


def test_a_coarse_resolution_reads_the_overview_alone(
    tables: dict[str, Any], folder: Path, server: RangeServer
) -> None:
    server.forget()
    data = reads.get_xarray(tables["nothing"], bands=["rgb[1]"], resolution=20)
    with rasterio.open(folder / "nothing.tif", overview_level=0) as dataset:
        assert np.array_equal(data["rgb[1]"][0], dataset.read(2))
    assert server.body_bytes() < (folder / "nothing.tif").stat().st_size / 3


def test_an_overview_that_is_not_there_is_refused(tables: dict[str, Any]) -> None:
    with pytest.raises(ReadError, match="2 overviews"):
        reads.get_xarray(tables["mask"], bands=["rgb[0]"], overview=3)


def test_a_file_of_several_samples_has_to_be_asked_for_one(tables: dict[str, Any]) -> None:
    with pytest.raises(ReadError, match=r"rgb\[0\] to rgb\[2\]"):
        reads.get_xarray(tables["mask"], bands=["rgb"])
    with pytest.raises(ReadError, match="of 3 samples"):
        reads.get_xarray(tables["mask"], bands=["rgb[3]"])


def test_numpy_arrays_are_masked_where_masks_are_asked_for(tables: dict[str, Any]) -> None:
    asked: dict[str, Any] = {"bands": ["rgb[0]", "rgb[2]"], "geometries": BOX, "geometry_crs": UTM}
    found = reads.get_numpy(tables["mask"], masks=True, **asked)
    data = reads.get_xarray(tables["mask"], masks=True, **asked)
    assert isinstance(found, np.ma.MaskedArray)
    assert np.array_equal(np.ma.getmaskarray(found)[:, 1], ~data["rgb[2]_mask"].values)


def test_what_lies_outside_the_image_is_invalid(tables: dict[str, Any]) -> None:
    box = (499_900, 5_499_900, 500_050, 5_500_100)
    data = reads.get_xarray(
        tables["nothing"], bands=["rgb[0]"], geometries=box, geometry_crs=UTM, masks=True
    )
    inside = np.zeros((20, 15), bool)
    inside[10:, 10:] = True
    assert np.array_equal(data["rgb[0]_mask"][0], inside)
    assert data["rgb[0]"].attrs["_FillValue"] == 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_floats_near_nodata_hold_the_fill_where_gdal_masks_them(
    folder: Path, server: RangeServer, dtype: str
) -> None:
    nodata, near = -1.2676506e30, np.float32(-1.2676506e30) * np.float32(1 + 1e-7)
    pixels = noise(5, 1, 96, 80).astype(dtype)
    pixels[0, 10:20], pixels[0, 30:40] = nodata, near
    path = write(folder / f"near_{dtype}.tif", pixels, nodata=nodata)
    table = index([Scene(id="a", files={"B1": (server.url(path.name), 0)}, path=path)])
    with rasterio.open(path) as dataset:
        values, valid = dataset.read(1), dataset.read_masks(1) != 0
    expected = np.where(valid, values, values.dtype.type(nodata))
    assert (values != expected).sum() == 10 * 80
    assert np.array_equal(reads.get_xarray(table, bands=["B1"])["B1"][0], expected)
    assert np.array_equal(reads.get_numpy(table, bands=["B1"])[0, 0], expected)
