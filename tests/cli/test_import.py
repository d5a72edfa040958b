"""Every option of `import` has its effect: on rows, on columns, on what servers are asked."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from rasteret_assets.cli import main
from tests.rig.http_server import RangeServer
from tests.rig.scenes import geotiff, record_table, write_table

BANDS = ["B04", "B08"]


@dataclass(frozen=True, kw_only=True)
class Place:
    """A server of scenes, the table that lists the first four, and a workspace."""

    server: RangeServer
    table: Path
    workspace: Path

    def write(self, rows: int = 4, *, base: str | None = None, **renamed: str) -> None:
        """List `rows` scenes, their hrefs counted from `base`, columns renamed."""
        root = self.server.url() if base is None else base
        table = record_table(rows, lambda n, band: f"{root}{n}/{band}.tif", BANDS)
        names = [renamed.get(name, name) for name in table.column_names]
        write_table(table.rename_columns(names), self.table)

    def run(self, *options: str) -> set[str]:
        """Import, and return the paths that were asked for."""
        self.server.forget()
        place = ("--record-table", str(self.table), "--workspace", str(self.workspace))
        assert main(["collections", "import", "s2", *place, *options]) == 0
        return {seen.path for seen in self.server.seen()}

    def stored(self, what: str) -> list[tuple[object, ...]]:
        """What DuckDB finds in the Collection's files."""
        files = self.workspace / "s2_records" / "**" / "*.parquet"
        return duckdb.execute(f"SELECT {what} FROM read_parquet('{files}') ORDER BY id").fetchall()

    def columns(self) -> set[object]:
        """Names of the columns that DuckDB finds in the Collection's files."""
        files = self.workspace / "s2_records" / "**" / "*.parquet"
        found = duckdb.execute(f"DESCRIBE SELECT * FROM read_parquet('{files}')").fetchall()
        return {row[0] for row in found}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with RangeServer() as server:
        for number in range(6):
            for at, band in enumerate(BANDS):
                server.put(f"{number}/{band}.tif", geotiff(2 * number + at))
        (tmp_path / "source").mkdir()
        table = tmp_path / "source" / "items.parquet"
        place = Place(server=server, table=table, workspace=tmp_path / "workspace")
        place.write()
        yield place


def _files(numbers: range, bands: list[str]) -> set[str]:
    return {f"{number}/{band}.tif" for number in numbers for band in bands}


def test_filter_takes_the_rows_that_meet_it(place: Place) -> None:
    place.run("--filter", "eo:cloud_cover < 20")
    source = f"""SELECT id FROM read_parquet('{place.table}') WHERE "eo:cloud_cover" < 20"""
    wanted = duckdb.execute(f"{source} ORDER BY id").fetchall()
    assert 0 < len(wanted) < 4
    assert place.stored("id") == wanted


def test_columns_are_those_named_and_no_others(place: Place) -> None:
    place.run("--columns", "id, datetime,geometry,assets")
    assert "eo:cloud_cover" not in place.columns()
    place.run("--force")
    assert "eo:cloud_cover" in place.columns()


def test_map_gives_columns_the_names_of_the_contract(place: Place) -> None:
    place.write(id="scene_id", datetime="taken")
    place.run("--map", "scene_id=id", "--map", "taken=datetime")
    source = f"SELECT scene_id, taken FROM read_parquet('{place.table}') ORDER BY scene_id"
    assert place.stored("id, datetime") == duckdb.execute(source).fetchall()


def test_headers_are_fetched_where_enrich_says_so_and_of_the_bands_named(place: Place) -> None:
    assert place.run() == set()
    assert place.run("--enrich", "--bands", "B08", "--force") == _files(range(4), ["B08"])
    assert {"B08_metadata"} == {name for name in place.columns() if "_metadata" in str(name)}
    assert place.run("--enrich", "--force") == _files(range(4), BANDS)


def test_update_does_the_work_that_is_new_and_force_all_of_it(place: Place) -> None:
    assert place.run("--enrich") == _files(range(4), BANDS)
    place.write(6)
    assert place.run("--enrich", "--update") == _files(range(4, 6), BANDS)
    assert len(place.stored("id")) == 6
    assert place.run("--enrich", "--update") == set()
    assert place.run("--enrich", "--force") == _files(range(6), BANDS)


def test_base_uri_is_what_relative_hrefs_begin_with(place: Place) -> None:
    place.write(base="./")
    assert place.run("--enrich", "--base-uri", place.server.url()) == _files(range(4), BANDS)


@pytest.mark.parametrize("most", [1, 3])
def test_max_concurrent_is_how_many_requests_are_open(place: Place, most: int) -> None:
    place.server.latency_s = 0.1
    place.run("--enrich", "--max-concurrent", str(most))
    assert place.server.peak_in_flight == most
