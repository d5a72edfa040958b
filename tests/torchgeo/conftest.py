"""An archive to learn from: scenes of two bands, classes of each pixel, and what each shows."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from rasterio.transform import Affine

import rasteret_assets
from rasteret_assets import Collection
from tests.reads.indexing import write
from tests.rig.http_server import RangeServer
from tests.rig.scenes import DAYS_APART, FIRST_DAY, record_table, write_table

SIDE = 192
PIXEL_M = 10
BANDS = ("B04", "B08")
KINDS = ("forest", "water", "forest", "city")
CRS = "EPSG:32632"


def corner(number: int) -> tuple[float, float]:
    """Return the upper left corner of a scene; each overlaps the one before by a quarter."""
    return 500_000 + number * SIDE * PIXEL_M * 3 // 4, 5_500_000


def classes(number: int) -> NDArray[np.uint8]:
    """Return the class, 1 or 2, of each pixel of a scene: blobs."""
    rng = np.random.default_rng(100 + number)
    return np.kron(rng.integers(1, 3, (SIDE // 16, SIDE // 16)), np.ones((16, 16))).astype("u1")


def image(number: int, band: str) -> NDArray[np.uint16]:
    """Return the numbers of a band: noise, on a level that tells the class; 0 is nodata."""
    rng = np.random.default_rng(10 * number + BANDS.index(band))
    second = classes(number) == 2
    level = {"B04": 1000 + 1000 * second, "B08": 3000 - 1000 * second}[band]
    pixels = (level + rng.integers(-300, 300, (SIDE, SIDE))).astype("u2")
    pixels[:9, :13] = 0
    return pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """Scenes on a server, and the same files here for others to read."""

    server: RangeServer
    folder: Path
    table: pa.Table

    def path(self, number: int, band: str) -> Path:
        return self.folder / f"{band}_{self.time(number):%Y%m%dT%H%M%S}.tif"

    def time(self, number: int) -> datetime:
        moment: datetime = self.table["datetime"][number].as_py().replace(tzinfo=None)
        return moment


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    folder = tmp_path_factory.mktemp("archive")
    with RangeServer(folder) as server:
        table = record_table(
            len(KINDS),
            lambda n, band: server.url(_name(n, band)),
            (*BANDS, "classes"),
            columns={"kind": pa.array(KINDS)},
        )
        archive = Archive(server=server, folder=folder, table=table)
        for number in range(len(KINDS)):
            place = Affine(PIXEL_M, 0, corner(number)[0], 0, -PIXEL_M, corner(number)[1])
            for band in BANDS:
                pixels = image(number, band)[None]
                write(folder / _name(number, band), pixels, transform=place, nodata=0)
            write(folder / _name(number, "classes"), classes(number)[None], transform=place)
        yield archive


def _name(number: int, band: str) -> str:
    time = FIRST_DAY + timedelta(days=DAYS_APART * number)
    return f"{band}_{time:%Y%m%dT%H%M%S}.tif"


@pytest.fixture(scope="session")
def collection(archive: Archive, tmp_path_factory: pytest.TempPathFactory) -> Collection:
    folder = tmp_path_factory.mktemp("collection")
    path = write_table(archive.table, folder / "items.parquet")
    return rasteret_assets.build_from_table(path, "scenes", enrich_cog=True, workspace_dir=folder)
