from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.enums import Resampling
from rasterio.shutil import copy as translate
from rasterio.transform import from_origin

from tests.rig.http_server import RangeServer
from tests.rig.stores import Store, gcs_store, s3_store


@pytest.fixture
def server() -> Iterator[RangeServer]:
    with RangeServer() as running:
        yield running


@pytest.fixture(scope="session")
def s3() -> Iterator[Store]:
    with s3_store() as store:
        yield store


@pytest.fixture(scope="session")
def gcs() -> Iterator[Store]:
    with gcs_store() as store:
        yield store


def write_plain(path: Path, side: int, *, overviews: bool = False) -> None:
    """A tiled TIFF as GDAL's GTiff driver writes it, the index before or behind the data."""
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=side,
        height=side,
        count=1,
        dtype="uint16",
        crs="EPSG:32633",
        transform=from_origin(500_000, 5_500_000, 10, 10),
        tiled=True,
        blockxsize=256,
        blockysize=256,
        compress="deflate",
        nodata=0,
    ) as dataset:
        rows = np.arange(side, dtype="uint16")
        dataset.write(np.add.outer(rows, rows)[None])
        if overviews:
            dataset.build_overviews([2, 4, 8], Resampling.nearest)


def cog_of(folder: Path, side: int, block: int) -> bytes:
    plain, cog = folder / f"plain_{side}.tif", folder / f"cog_{side}_{block}.tif"
    write_plain(plain, side)
    translate(plain, cog, driver="COG", blocksize=block, compress="deflate", predictor=2)
    return cog.read_bytes()


@pytest.fixture(scope="session")
def small_cog(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A COG whose index is well within 16 KiB, as those of Sentinel-2 are."""
    return cog_of(tmp_path_factory.mktemp("small"), 2048, 256)


@pytest.fixture(scope="session")
def wide_cog(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A COG whose index takes more than 32 KiB."""
    return cog_of(tmp_path_factory.mktemp("wide"), 6400, 128)


@pytest.fixture(scope="session")
def late_index(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A TIFF that was given overviews later, so that part of its index lies at the end."""
    path = tmp_path_factory.mktemp("late") / "late.tif"
    write_plain(path, 3000, overviews=True)
    return path.read_bytes()
