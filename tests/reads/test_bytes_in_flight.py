"""How many bytes a read asks for before it has dealt with others."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from rasteret_assets import reads
from rasteret_assets.reads import transfer
from tests.reads.indexing import Scene, index, noise, write
from tests.rig.http_server import RangeServer

FILES = 12
TILE_BYTES = 64 * 64 * 2
"""Of the one tile of each file, which is not compressed."""


@pytest.fixture(scope="module")
def slow_server(folder: Path) -> Iterator[RangeServer]:
    """A server whose answers wait until all requests that may come have come."""
    with RangeServer(folder, latency_s=0.1) as running:
        yield running


@pytest.fixture(scope="module")
def table(folder: Path, slow_server: RangeServer) -> pa.Table:
    scenes = []
    for number in range(FILES):
        path = write(folder / f"flight{number}.tif", noise(number, 1, 64, 64), compress="NONE")
        files = {"B1": (slow_server.url(path.name), 0)}
        scenes.append(Scene(id=f"s{number}", files=files, path=path, days=number))
    return index(scenes)


@pytest.mark.parametrize(
    ("limit_bytes", "requests"),
    [
        (TILE_BYTES - 1, 1),
        (TILE_BYTES, 1),
        (3 * TILE_BYTES + 100, 3),
        (FILES * TILE_BYTES, FILES),
    ],
    ids=["less than a tile", "one tile", "three tiles", "all"],
)
def test_bytes_in_flight_are_limited(
    table: pa.Table,
    slow_server: RangeServer,
    monkeypatch: pytest.MonkeyPatch,
    limit_bytes: int,
    requests: int,
) -> None:
    monkeypatch.setattr(transfer, "IN_FLIGHT_BYTES", limit_bytes)
    slow_server.forget()
    found = reads.get_numpy(table, bands=["B1"])
    assert slow_server.peak_in_flight == requests
    assert slow_server.body_bytes() == FILES * TILE_BYTES
    assert all(np.array_equal(found[at], noise(at, 1, 64, 64)) for at in range(FILES))
