from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import rasterio
import rasterio.warp

import rasteret_assets
from rasteret_assets import Collection
from rasteret_assets.collection.tile_index import _images, _locations
from rasteret_assets.errors import ReadError, WorkspaceError
from tests.collection.conftest import BANDS
from tests.rig.scenes import geotiff, pixels, record_table, write_table


def on_disk(folder: Path, zones: dict[int, int]) -> Collection:
    """A Collection of files of this machine: scene number to its EPSG code."""
    for scene, epsg in zones.items():
        for at, band in enumerate(BANDS):
            data = geotiff(2 * scene + at, epsg=epsg)
            (folder / f"{scene}-{band}.tif").write_bytes(data)
    table = record_table(len(zones), lambda n, band: str(folder / f"{n}-{band}.tif"))
    path = write_table(table, folder / "items.parquet")
    return rasteret_assets.build_from_table(path, "s2", enrich_cog=True, workspace_dir=folder)


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    return on_disk(tmp_path_factory.mktemp("local"), dict.fromkeys(range(3), 32643))


@pytest.mark.parametrize("band", BANDS)
def test_gdal_opens_each_band_and_reads_the_latest_pixels(
    local: Collection, tmp_path: Path, band: str
) -> None:
    path = tmp_path / "s2.gti.gpkg"
    local.export(path, format="gti")
    latest = pixels(2 * 2 + BANDS.index(band))
    with rasterio.open(f"GTI:{path}", LAYER=band) as mosaic:
        assert mosaic.driver == "GTI"
        assert (mosaic.crs.to_epsg(), mosaic.res, mosaic.nodata) == (32643, (10, 10), 0)
        assert tuple(mosaic.bounds) == (780_000, 1_439_040, 780_960, 1_440_000)
        np.testing.assert_array_equal(mosaic.read(1), latest)


def test_images_of_several_crs_are_one_mosaic_in_degrees(tmp_path: Path) -> None:
    both = on_disk(tmp_path, {0: 32643, 1: 32644})
    both.subset(bands=["B04"]).export(tmp_path / "s2.gti.gpkg", format="gti")
    with rasterio.open(f"GTI:{tmp_path / 's2.gti.gpkg'}") as mosaic:
        assert mosaic.crs.is_geographic
        for scene, epsg in ((0, 32643), (1, 32644)):
            lon, lat = rasterio.warp.transform(f"EPSG:{epsg}", mosaic.crs, [780_485], [1_439_515])
            (value,) = next(mosaic.sample([(lon[0], lat[0])]))
            with rasterio.open(tmp_path / f"{scene}-B04.tif") as raster:
                around = raster.read(1, window=((47, 50), (47, 50)))
            assert value in around


def test_hrefs_are_written_as_gdal_reads_them() -> None:
    hrefs = ["https://h/a.tif", "s3://b/k.tif", "gs://b/k.tif", "/data/a.tif", "file:///d/a.tif"]
    assert _locations(pa.array(hrefs)).to_pylist() == [
        "/vsicurl/https://h/a.tif",
        "/vsis3/b/k.tif",
        "/vsigs/b/k.tif",
        "/data/a.tif",
        "/d/a.tif",
    ]


def test_what_cannot_be_indexed_is_refused(
    local: Collection, world: Collection, tmp_path: Path
) -> None:
    with pytest.raises(ReadError, match="no band"):
        world.export(tmp_path / "world.gti.gpkg", format="gti")
    with pytest.raises(ReadError, match="nothing to index"):
        local.head(0).export(tmp_path / "none.gti.gpkg", format="gti")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "taken.gti.gpkg").touch()
    with pytest.raises(WorkspaceError, match="something already"):
        local.export(tmp_path / "taken.gti.gpkg", format="gti")


def test_an_index_is_written_to_s3(local: Collection, s3: str) -> None:
    local.export(f"{s3}/s2.gti.gpkg", format="gti")
    with pytest.raises(WorkspaceError, match="something already"):
        local.export(f"{s3}/s2.gti.gpkg", format="gti")


def test_the_offsets_of_tiles_are_not_read(local: Collection) -> None:
    table = _images(local.dataset, "B04_metadata", "")
    assert "tile_offsets" not in [field.name for field in table["B04_metadata"].type]
    assert "href" in [field.name for field in table["B04_metadata"].type]
