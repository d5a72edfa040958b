"""A world of records on storage that counts what is read, and a small archive with pixels."""

import io
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, ClassVar, cast

import fsspec
import numpy as np
import pyarrow as pa
import pytest
import shapely
from fsspec.implementations.memory import MemoryFileSystem

import rasteret_assets
from rasteret_assets import BuildSettings, Collection
from tests.rig.http_server import RangeServer
from tests.rig.scenes import geotiff, record_table, write_table
from tests.rig.stores import Store, s3_store

BANDS = ("B04", "B08")
SCENES = 6


class CountedFile(io.BytesIO):
    """A file that adds up what is read of it."""

    def __init__(self, path: str, data: bytes) -> None:
        super().__init__(data)
        self._path = path

    def read(self, size: int | None = -1, /) -> bytes:
        found = super().read(size)
        CountedFileSystem.read_bytes[self._path] = CountedFileSystem.read_bytes.get(
            self._path, 0
        ) + len(found)
        return found


class CountedFileSystem(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    """Files in memory; `read_bytes` says how much was read of each."""

    protocol = ("counted", "memory")
    root_marker = "/"
    read_bytes: ClassVar[dict[str, int]] = {}

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(path.replace("counted://", "memory://")))

    def _open(self, path: str, mode: str = "rb", **options: object) -> IO[bytes]:
        if mode != "rb":
            return cast("IO[bytes]", super()._open(path, mode, **options))  # fsspec has no types
        return CountedFile(path, self.store[self._strip_protocol(path)].getvalue())


fsspec.register_implementation("counted", CountedFileSystem, clobber=True)


@dataclass(frozen=True)
class Reading:
    """What reading took."""

    files: set[str]
    size_bytes: int


def reading_since_last_asked() -> Reading:
    counted = {p: n for p, n in CountedFileSystem.read_bytes.items() if p.endswith(".parquet")}
    CountedFileSystem.read_bytes.clear()
    return Reading(
        files={Path(path).parent.name for path in counted}, size_bytes=sum(counted.values())
    )


def world_table(rows: int, *, seed: int = 5) -> pa.Table:
    """Return records all over the world in 2024, each with two kilobytes that do not compress.

    Every fiftieth crosses the antimeridian.
    """
    rng = np.random.default_rng(seed)
    west, south = rng.uniform(-175, 174, rows), rng.uniform(-60, 59, rows)
    footprints = shapely.box(west, south, west + 1, south + 1)
    for n in range(0, rows, 50):
        low = south[n]
        halves = [(179.5, low, 180, low + 1), (-180, low, -179.6, low + 1)]
        footprints[n] = shapely.MultiPolygon([shapely.box(*half) for half in halves])
    days = rng.integers(0, 366, rows)
    table = record_table(rows, lambda n, band: f"https://nowhere.invalid/{n}/{band}.tif")
    table = table.set_column(
        1,
        "datetime",
        pa.array(
            np.datetime64("2024-01-01", "us") + days.astype("m8[D]"), pa.timestamp("us", "UTC")
        ),
    )
    table = table.set_column(2, "geometry", pa.array(shapely.to_wkb(footprints), pa.binary()))
    table = table.append_column("noise", pa.array([rng.bytes(2048) for _ in range(rows)]))
    return table.append_column("split", pa.array(["train", "val", "test", "train"] * (rows // 4)))


@pytest.fixture(scope="session")
def world_source() -> pa.Table:
    return world_table(4000)


@pytest.fixture(scope="session")
def world(world_source: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """4,000 records in 12 files with row groups of 25."""
    path = write_table(world_source, tmp_path_factory.mktemp("world") / "items.parquet")
    return rasteret_assets.build_from_table(
        path,
        "world",
        workspace_dir=f"counted://{secrets.token_hex(4)}",
        settings=BuildSettings(batch_rows=25),
    )


@pytest.fixture(scope="session")
def archive() -> Iterator[RangeServer]:
    with RangeServer() as server:
        for number in range(SCENES):
            for at, band in enumerate(BANDS):
                server.put(f"{number}/{band}.tif", geotiff(2 * number + at))
        yield server


@pytest.fixture(scope="session")
def archive_table(archive: RangeServer) -> pa.Table:
    return record_table(SCENES, lambda n, band: archive.url(f"{n}/{band}.tif"))


@pytest.fixture(scope="session")
def enriched(archive_table: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """Six scenes of two bands, with headers."""
    folder = tmp_path_factory.mktemp("enriched")
    path = write_table(archive_table, folder / "items.parquet")
    return rasteret_assets.build_from_table(
        path, "s2", enrich_cog=True, workspace_dir=folder / "workspace"
    )


@pytest.fixture(scope="session")
def s3_server() -> Iterator[Store]:
    with s3_store() as store:
        store.make_bucket("bucket")
        yield store


@pytest.fixture
def s3(s3_server: Store, monkeypatch: pytest.MonkeyPatch) -> str:
    """A prefix of its own, on S3."""
    s3_server.apply(monkeypatch)
    return f"s3://bucket/{secrets.token_hex(4)}"
