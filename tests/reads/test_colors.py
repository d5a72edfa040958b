"""Palettes: indices as they are, and the colours GDAL gives them on request."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rioxarray  # noqa: F401  # makes .rio
import tifffile
from numpy.typing import NDArray

from rasteret_assets import reads
from rasteret_assets.errors import ReadError
from rasteret_assets.reads.colors import color_table
from tests.reads.indexing import Scene, index, noise, write
from tests.reads.test_real_files import tables_of
from tests.rig.http_server import RangeServer


@pytest.fixture(scope="module")
def scenes(folder: Path, server: RangeServer) -> list[Scene]:
    """Two scenes with palettes of their own."""
    found = []
    for number in range(2):
        path = write(
            folder / f"classes{number}.tif",
            noise(number, 1, 90, 110, dtype="uint8", top=9),
            nodata=3,
        )
        with rasterio.open(path, "r+") as dataset:
            dataset.write_colormap(
                1, {n: (n * 9 + number, 255 - n, 7 * n, 255) for n in range(256)}
            )
        files = {"class": (server.url(path.name), 0)}
        found.append(Scene(id=f"c{number}", files=files, path=path, days=number))
    return found


def by_gdal(path: Path) -> NDArray[Any]:
    """Return red, green, blue, alpha (color, y, x), 0 where there is no data."""
    with rasterio.open(path) as dataset:
        table = np.array([dataset.colormap(1)[n] for n in range(256)], np.uint8)
        rgba = table[dataset.read(1)]
        rgba[dataset.read_masks(1) == 0] = 0
    return np.moveaxis(rgba, -1, 0)


def test_indices_come_as_they_are(scenes: list[Scene]) -> None:
    data = reads.get_xarray(index(scenes[:1]), bands=["class"])
    assert list(data.data_vars) == ["class"]
    assert np.array_equal(data["class"], noise(0, 1, 90, 110, dtype="uint8", top=9))


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("chunks", [None, {"y": 40, "x": 50}], ids=["at once", "in chunks"])
def test_colours_are_those_of_gdal_record_by_record(
    scenes: list[Scene],
    chunks: Any,  # noqa: ANN401  # any of xarray's forms
    *,
    masked: bool,
) -> None:
    data = reads.get_xarray(
        index(scenes), bands=["class"], colors=True, masked=masked, chunks=chunks
    )
    assert (data.class_rgba.chunks is None) == (chunks is None)
    assert data.class_rgba.dims == ("time", "color", "y", "x")
    assert data.class_rgba.dtype == np.uint8
    assert data.color.values.tolist() == ["red", "green", "blue", "alpha"]
    assert np.array_equal(data.class_rgba, [by_gdal(scene.path) for scene in scenes])


def test_colours_are_a_raster_of_four_bands_to_rioxarray(
    scenes: list[Scene], tmp_path: Path
) -> None:
    data = reads.get_xarray(index(scenes[:1]), bands=["class"], colors=True)
    data.class_rgba[0].rio.to_raster(tmp_path / "rgba.tif")
    with rasterio.open(tmp_path / "rgba.tif") as dataset, rasterio.open(scenes[0].path) as source:
        assert np.array_equal(dataset.read(), by_gdal(scenes[0].path))
        assert (dataset.crs, dataset.transform) == (source.crs, source.transform)


def test_mosaics_keep_colours_where_palettes_agree(scenes: list[Scene]) -> None:
    one = Scene(id="again", files=scenes[0].files, path=scenes[0].path, days=5)
    data = reads.get_xarray(index([scenes[0], one]), bands=["class"], colors=True, mosaic="first")
    assert np.array_equal(data.class_rgba[0], by_gdal(scenes[0].path))
    with pytest.raises(ReadError, match="differ"):
        reads.get_xarray(index(scenes), bands=["class"], colors=True, mosaic="first")


@pytest.mark.parametrize(
    "asked", [{"resampling": "bilinear"}, {"mosaic": "median"}, {"apply_scale": True}]
)
def test_numbers_that_are_no_indices_have_no_colours(
    scenes: list[Scene], asked: dict[str, Any]
) -> None:
    with pytest.raises(ReadError, match=next(iter(asked))):
        reads.get_xarray(index(scenes), bands=["class"], colors=True, **asked)


def test_bands_without_a_palette_have_no_colours(folder: Path, server: RangeServer) -> None:
    path = write(folder / "grey.tif", noise(4, 1, 30, 30))
    table = index([Scene(id="g", files={"B1": (server.url(path.name), 0)}, path=path)])
    with pytest.raises(ReadError, match="palette"):
        reads.get_xarray(table, bands=["B1"], colors=True)
    with pytest.raises(ReadError, match="get_xarray"):
        reads.get_numpy(table, bands=["B1"], colors=True)


@pytest.mark.parametrize("name", ["image-tiff__flower-palette-04.tif", "rio-tiler__cog_cmap.tif"])
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_palettes_of_real_files_are_brought_down_as_gdal_does(data_dir: Path, name: str) -> None:
    header = tables_of(data_dir / "geotiff", [name])[name]["data_metadata"][0]
    with rasterio.open(data_dir / "geotiff" / name) as dataset:
        expected = [color[:3] for _, color in sorted(dataset.colormap(1).items())]
    assert color_table(header["palette"].as_py()).tolist() == [list(one) for one in expected]


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("top", [255, 65280, 65535, 300])
def test_palettes_are_brought_down_as_gdal_does(tmp_path: Path, top: int) -> None:
    numbers = np.zeros((3, 256), np.uint16)
    numbers[:, :4] = [0, top, 256 * (top == 65280), top // 256 * 256]
    tifffile.imwrite(
        tmp_path / "p.tif", np.zeros((16, 16), np.uint8), photometric="palette", colormap=numbers
    )
    with rasterio.open(tmp_path / "p.tif") as dataset:
        expected = [list(color[:3]) for _, color in sorted(dataset.colormap(1).items())]
    assert color_table(numbers.ravel().tolist()).tolist() == expected


def test_missing_bands_are_transparent(scenes: list[Scene], folder: Path) -> None:
    other = Scene(id="o", files={"else": scenes[1].files["class"]}, path=scenes[1].path, days=1)
    table = index([scenes[0], other])
    data = reads.get_xarray(table, bands=["class", "else"], colors=True)
    assert np.array_equal(data.class_rgba[0], by_gdal(folder / "classes0.tif"))
    assert not data.class_rgba[1].any()
