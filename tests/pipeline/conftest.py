"""An archive on a counting HTTP server, and the tables that list it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest

from tests.rig.http_server import RangeServer
from tests.rig.scenes import geotiff, record_table, write_table


@dataclass(frozen=True)
class Archive:
    server: RangeServer
    folder: Path

    def href(self, number: int, band: str) -> str:
        return self.server.url(f"{number:03}/{band}.tif")

    def add(self, rows: int, *, start: int = 0) -> None:
        """Serve the files of `rows` more scenes."""
        for number in range(start, start + rows):
            for at, band in enumerate(("B04", "B08")):
                self.server.put(f"{number:03}/{band}.tif", geotiff(2 * number + at))

    def table(self, rows: int, *, start: int = 0) -> pa.Table:
        return record_table(rows, self.href, start=start)

    def write(self, table: pa.Table, name: str = "items.parquet") -> str:
        return write_table(table, self.folder / name)

    def gets(self) -> int:
        """Requests for files since last asked."""
        count = len(self.server.seen())
        self.server.forget()
        return count


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with RangeServer() as server:
        (tmp_path / "source").mkdir()
        archive = Archive(server, tmp_path / "source")
        archive.add(10)
        yield archive


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return tmp_path / "workspace"
