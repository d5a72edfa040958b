"""Chips against rasterio's windows; what they share is fetched once."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window

from rasteret_assets.errors import ReadError
from rasteret_assets.geo.grid import Grid
from rasteret_assets.reads.chips import Chip, Part, read_chips
from rasteret_assets.reads.options import ReadOptions
from rasteret_assets.reads.records import select
from rasteret_assets.reads.transfer import Access
from tests.reads.indexing import Scene, index, noise, write
from tests.rig.http_server import RangeServer

CORNERS = ((0, 0), (10, 20), (100, 3), (130, 150), (60, 60))
FIRST = ReadOptions(mosaic="first", masks=True)


def chip(col: int, row: int, rows: tuple[int, ...] = (0,)) -> Chip:
    left, top = 500_000 + 10 * col, 5_500_000 - 10 * row
    grid = Grid(crs="EPSG:32632", a=10, c=left, e=-10, f=top, width=40, height=30)
    return Chip(grid=grid, rows=rows)


@pytest.fixture(scope="module")
def scenes(folder: Path, server: RangeServer) -> dict[str, Path]:
    paths = {
        "red": write(folder / "red.tif", noise(1, 1, 192, 192), nodata=7),
        "blue": write(folder / "blue.tif", noise(2, 1, 192, 192, dtype="int16")),
    }
    assert server.url()
    return paths


def test_chips_and_parts_are_windows_of_each_file_and_tiles_are_fetched_once(
    scenes: dict[str, Path], server: RangeServer
) -> None:
    files = {band: (server.url(path.name), None) for band, path in scenes.items()}
    table = index([Scene(id="one", files=files, path=scenes["red"])])
    (record,) = select(table, ["red", "blue"], None, FIRST).records
    parts = [Part(bands=(band,), options=FIRST) for band in ("red", "blue")]
    server.forget()
    read = read_chips([chip(*at) for at in CORNERS], {0: record}, parts, Access())
    for (col, row), of_parts in zip(CORNERS, read, strict=True):
        for path, layers in zip(scenes.values(), of_parts, strict=True):
            assert layers is not None
            with rasterio.open(path) as file:
                window = Window(col, row, 40, 30)
                expected = file.read(1, window=window, boundless=True, fill_value=layers[0].fill)
                inside = file.dataset_mask(window=window, boundless=True) != 0
            np.testing.assert_array_equal(layers[0].values[0], expected)
            assert layers[0].valid is not None
            np.testing.assert_array_equal(layers[0].valid[0], inside)
    asked = [one.range for one in server.seen("red.tif")]
    assert len(asked) == len(set(asked))
    assert server.body_bytes("red.tif") <= scenes["red"].stat().st_size


def test_a_part_that_no_record_has_gives_nothing(
    scenes: dict[str, Path], server: RangeServer
) -> None:
    only_red = Scene(id="0", files={"red": (server.url("red.tif"), None)}, path=scenes["red"])
    only_blue = Scene(
        id="1", files={"blue": (server.url("blue.tif"), None)}, path=scenes["blue"], days=1
    )
    table = index([only_red, only_blue])
    records = dict(enumerate(select(table, ["red", "blue"], None, FIRST).records))
    parts = [Part(bands=(band,), options=FIRST) for band in ("red", "blue")]
    chips = [chip(5, 5, (0,)), chip(5, 5, (1,)), chip(5, 5, (0, 1))]
    there = [
        [layers is not None for layers in one]
        for one in read_chips(chips, records, parts, Access())
    ]
    assert there == [[True, False], [False, True], [True, True]]


def test_a_chip_beyond_the_memory_allowed_is_refused(
    scenes: dict[str, Path], server: RangeServer
) -> None:
    files = {"red": (server.url("red.tif"), None)}
    table = index([Scene(id="one", files=files, path=scenes["red"])])
    records = dict(enumerate(select(table, ["red"], None, FIRST).records))
    small = ReadOptions(mosaic="first", max_bytes=1000)
    with pytest.raises(ReadError, match="ask for smaller chips"):
        read_chips([chip(0, 0)], records, [Part(bands=("red",), options=small)], Access())
