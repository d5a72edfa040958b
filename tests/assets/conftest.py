"""An archive on a counting HTTP server, the tables that list it, and collections of it."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest

from rasteret_assets.assets import EnrichmentResource
from tests.assets.runs import Deployment, declared
from tests.rig.http_server import RangeServer
from tests.rig.scenes import geotiff, record_table, write_table

BANDS = ("B04", "B08", "B11")


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """Scenes behind HTTP, three bands each, and tables of them in a folder."""

    server: RangeServer
    folder: Path

    def href(self, number: int, band: str) -> str:
        """The address of one file."""
        return self.server.url(f"{number:03}/{band}.tif")

    def add(self, start: int, stop: int, name: str, bands: Sequence[str] = BANDS) -> Path:
        """Serve scenes `start` to `stop`, and list them in the table `name`."""
        for number in range(start, stop):
            for at, band in enumerate(bands):
                self.server.put(f"{number:03}/{band}.tif", geotiff(10 * number + at, side=64))
        table = record_table(stop - start, self.href, bands, start=start)
        return Path(write_table(table, self.folder / name))

    def headers_asked(self) -> list[str]:
        """Files whose beginning was asked for since last asked; quick-looks read tiles besides."""
        asked = [one.path for one in self.server.seen() if one.range.startswith("bytes=0-")]
        self.server.forget()
        return asked

    def gets(self) -> int:
        """Requests for files since last asked."""
        count = len(self.server.seen())
        self.server.forget()
        return count


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with RangeServer() as server:
        archive = Archive(server=server, folder=tmp_path / "source")
        archive.add(0, 4, "items.parquet")
        yield archive


def collection_yaml(name: str, source: Path | str, **attributes: object) -> str:
    """Return the YAML that declares a collection; values are written as JSON, which YAML reads."""
    given = {"name": name, "source": str(source), **attributes}
    lines = [f"  {key}: {json.dumps(value)}" for key, value in given.items()]
    return "\n".join(["type: rasteret_assets.RecordTableCollection", "attributes:", *lines, ""])


@pytest.fixture(autouse=True)
def _no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A workspace that a test forgets to name is not the one in the home folder."""
    monkeypatch.setenv("RASTERET_WORKSPACE", str(tmp_path / "stray"))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


class HeadersAlone(EnrichmentResource):
    """Small chunks, and no looks at pixels, whatever else run config sets.

    Tests count requests for headers; the looks have tests of their own.
    """

    chunk_headers: int = 4
    look_at_pixels: bool = False


@pytest.fixture
def deployment(archive: Archive, instance: dg.DagsterInstance, tmp_path: Path) -> Deployment:
    """The archive's first table with its three bands declared."""
    return Deployment(
        declared=declared("demo", archive.folder / "items.parquet", bands=BANDS),
        root=str(tmp_path / "workspace"),
        instance=instance,
        enrichment=HeadersAlone(),
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Dagster calls range runs a beta, and says so each time."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore::dagster.BetaWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore::dagster.PreviewWarning"))
