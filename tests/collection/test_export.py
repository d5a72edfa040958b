import json
from pathlib import Path
from typing import IO, cast

import duckdb
import fsspec
import geopandas
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import shapely
import stac_geoparquet.arrow
from fsspec.implementations.memory import MemoryFileSystem

import rasteret_assets
from rasteret_assets import BuildSettings, Collection, as_collection
from rasteret_assets.collection.export import export_parquet
from rasteret_assets.errors import TableError, WorkspaceError
from rasteret_assets.geo.bounds import centres
from rasteret_assets.geo.hilbert import hilbert
from tests.collection.conftest import SCENES
from tests.rig.peer import ask_peer

BOX = (77.583, 13.0105, 77.585, 13.0120)


def rows_of(collection: Collection) -> pa.Table:
    names = [name for name in collection.schema.names if name not in ("year", "month")]
    return collection.dataset.to_table(columns=names).sort_by("id")


def place(table: pa.Table) -> list[int]:
    boxes = [pc.struct_field(table["bbox"], n).to_numpy() for n in ("xmin", "ymin", "xmax", "ymax")]
    return hilbert(*centres(np.stack(boxes, axis=1))).tolist()


@pytest.mark.parametrize("name", ["out.parquet", "out"], ids=["file", "folder"])
def test_what_is_exported_is_loaded_again(enriched: Collection, tmp_path: Path, name: str) -> None:
    enriched.export(tmp_path / name)
    again = rasteret_assets.load(tmp_path / name)
    names = rows_of(enriched).schema.names
    assert rows_of(again).select(names) == rows_of(enriched)
    assert (again.name, again.bands) == (enriched.name, enriched.bands)
    assert (again.get_numpy(BOX) == enriched.get_numpy(BOX)).all()
    assert len(again.subset(date_range=("2024-01-01", "2024-01-31"))) == 1


def test_a_view_is_exported_as_it_is(world: Collection, tmp_path: Path) -> None:
    view = world.subset(bbox=(0, 0, 90, 60)).head(50)
    view.export(tmp_path / "few.parquet")
    assert rows_of(rasteret_assets.load(tmp_path / "few.parquet"))["id"] == rows_of(view)["id"]


def test_one_file_is_in_the_order_of_space(world: Collection, tmp_path: Path) -> None:
    path = tmp_path / "world.parquet"
    world.export(path)
    places = place(pq.read_table(path))
    assert places == sorted(places)


def test_a_folder_has_months_each_in_the_order_of_space(world: Collection, tmp_path: Path) -> None:
    world.export(tmp_path / "world")
    files = sorted(tmp_path.rglob("*.parquet"))
    assert [str(f.relative_to(tmp_path / "world")) for f in files] == sorted(
        f"year=2024/month={month}/part-0.parquet" for month in range(1, 13)
    )
    for file in files:
        table = pq.ParquetFile(file).read()
        assert place(table) == sorted(place(table))
        months = set(pc.month(table["datetime"]).to_pylist())
        assert months == {int(file.parent.name.removeprefix("month="))}


def test_little_memory_gives_the_same_rows_in_the_same_order(
    world: Collection, tmp_path: Path
) -> None:
    spring = world.subset(date_range=("2024-03-01", "2024-05-31"))
    few = BuildSettings(file_bytes=2600 * 120)  # 120 rows, about
    for name in ("a.parquet", "a"):
        export_parquet(spring.dataset, str(tmp_path / name), few)
    spring.export(tmp_path / "b.parquet")
    assert pq.read_table(tmp_path / "a.parquet") == pq.read_table(tmp_path / "b.parquet")
    assert len(list((tmp_path / "a").rglob("*.parquet"))) >= 9
    assert rows_of(rasteret_assets.load(tmp_path / "a"))["id"] == rows_of(spring)["id"]


def test_geopandas_and_duckdb_read_it_as_geoparquet(world: Collection, tmp_path: Path) -> None:
    path = tmp_path / "world.parquet"
    world.export(path)
    frame = geopandas.read_parquet(path, columns=["id", "geometry"])
    assert frame.crs == "OGC:CRS84"
    near = geopandas.read_parquet(path, columns=["id", "geometry"], bbox=(10, 10, 40, 40))
    inside = frame[shapely.intersects(frame.geometry.to_numpy(), shapely.box(10, 10, 40, 40))]
    assert set(inside["id"]) <= set(near["id"])
    assert len(near) < len(frame) / 10
    with duckdb.connect() as connection:
        query = f"SELECT count(*) FROM '{path}' WHERE bbox.xmin > 10 AND datetime >= '2024-06-01'"
        (count,) = connection.sql(query).fetchall()[0]
    table = pq.read_table(path)
    later = pa.array(table["datetime"].to_numpy() >= np.datetime64("2024-06-01"))
    east = pc.greater(pc.struct_field(table["bbox"], "xmin"), 10)
    assert count == pc.sum(pc.and_(later, east)).as_py()


def test_its_footer_is_that_of_geoparquet_and_stac_geoparquet(
    world: Collection, world_source: pa.Table, tmp_path: Path
) -> None:
    path = tmp_path / "world.parquet"
    world.export(path)
    file = pq.ParquetFile(path)
    geo = json.loads(file.metadata.metadata[b"geo"])
    column = geo["columns"]["geometry"]
    assert (geo["version"], geo["primary_column"]) == ("1.1.0", "geometry")
    assert column["encoding"] == "WKB"
    assert column["geometry_types"] == ["MultiPolygon", "Polygon"]
    assert column["covering"]["bbox"] == {n: ["bbox", n] for n in ("xmin", "ymin", "xmax", "ymax")}
    south, north = shapely.total_bounds(shapely.from_wkb(world_source["geometry"].to_numpy()))[
        [1, 3]
    ]
    assert column["bbox"] == [-180, south, 180, north]
    stac = json.loads(file.metadata.metadata[b"stac-geoparquet"])
    assert stac == {"version": "1.1.0", "collections": {}}
    required = {"stac_extensions", "id", "geometry", "bbox", "links", "assets"}
    assert required <= set(file.schema_arrow.names)
    assert file.read(["links", "stac_extensions"])["links"].null_count == 0


def test_stac_items_come_out_of_it(enriched: Collection, tmp_path: Path) -> None:
    path = tmp_path / "items.parquet"
    enriched.export(path)
    table = pq.read_table(path).drop_columns(["B04_metadata", "B08_metadata"])
    items = list(stac_geoparquet.arrow.stac_table_to_items(table))
    assert {item["id"] for item in items} == {f"scene-{n:03}" for n in range(SCENES)}
    first = next(item for item in items if item["id"] == "scene-000")
    assert first["properties"]["datetime"].startswith("2024-01-15T05:30:00")
    assert first["geometry"]["type"] == "Polygon"
    assert len(first["bbox"]) == 4
    assert first["links"] == []
    assert set(first["assets"]) == {"B04", "B08", "thumbnail"}


@pytest.mark.parametrize("name", ["out.parquet", "out"], ids=["file", "folder"])
def test_the_store_s3_takes_and_gives_it(world: Collection, s3: str, name: str) -> None:
    world.head(40).export(f"{s3}/{name}")
    again = rasteret_assets.load(f"{s3}/{name}")
    assert rows_of(again)["id"] == rows_of(world.head(40))["id"]
    with pytest.raises(WorkspaceError, match="something already"):
        world.head(1).export(f"{s3}/{name}")


@pytest.mark.parametrize("name", ["out.parquet", "out"], ids=["file", "folder"])
def test_nothing_is_overwritten(enriched: Collection, tmp_path: Path, name: str) -> None:
    enriched.export(tmp_path / name)
    with pytest.raises(WorkspaceError, match="something already"):
        enriched.head(1).export(tmp_path / name)
    assert len(rasteret_assets.load(tmp_path / name)) == SCENES


def test_an_export_that_fails_leaves_nothing(enriched: Collection, tmp_path: Path) -> None:
    table = pa.table(enriched)
    geometry = pa.array([*table["geometry"].to_pylist()[:-1], b"no geometry"], pa.binary())
    broken = as_collection(table.set_column(2, "geometry", geometry))
    with pytest.raises(TableError, match="no WKB"):
        broken.export(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


class FullFileSystem(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    """Takes the files of January, then no more."""

    protocol = ("full", "memory")

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(path.replace("full://", "memory://")))

    def _open(self, path: str, mode: str = "rb", **options: object) -> IO[bytes]:
        if mode == "wb" and "month=1/" not in path:
            msg = "no space left"
            raise OSError(msg)
        return cast("IO[bytes]", super()._open(path, mode, **options))


def test_an_export_that_fails_half_way_leaves_nothing(enriched: Collection) -> None:
    fsspec.register_implementation("full", FullFileSystem, clobber=True)
    with pytest.raises(WorkspaceError, match=r"full://out: cannot be written \(no space left\)"):
        enriched.export("full://out")
    assert not FullFileSystem().find("/out")


def test_no_records_make_a_file_of_no_rows(enriched: Collection, tmp_path: Path) -> None:
    enriched.where("id = 'nobody'").export(tmp_path / "none.parquet")
    assert len(rasteret_assets.load(tmp_path / "none.parquet")) == 0


def test_wkb_of_any_kind_is_written_little_endian_and_iso(
    enriched: Collection, tmp_path: Path
) -> None:
    table = pa.table(enriched)
    shapes = shapely.from_wkb(table["geometry"].to_numpy())
    deep = shapely.force_3d(shapes, 7.0)
    big = pa.array(shapely.to_wkb(deep, byte_order=0, flavor="extended"), pa.large_binary())
    as_collection(table.set_column(2, "geometry", big)).export(tmp_path / "out.parquet")
    file = pq.ParquetFile(tmp_path / "out.parquet")
    geo = json.loads(file.metadata.metadata[b"geo"])
    assert geo["columns"]["geometry"]["geometry_types"] == ["Polygon Z"]
    assert geopandas.read_parquet(tmp_path / "out.parquet").geometry.has_z.all()


PEER_LOADS = """
import json, sys, rasteret
c = rasteret.load(sys.argv[1])
print(json.dumps({
    "bands": sorted(c.bands), "bounds": c.bounds,
    "ids": sorted(c.dataset.to_table(columns=["id"])["id"].to_pylist()),
}))
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["out.parquet", "out"], ids=["file", "folder"])
def test_the_peer_loads_it(enriched: Collection, tmp_path: Path, name: str) -> None:
    enriched.export(tmp_path / name)
    told = ask_peer(PEER_LOADS, str(tmp_path / name))
    assert told["bands"] == ["B04", "B08"]
    assert told["ids"] == rows_of(enriched)["id"].to_pylist()
    assert tuple(told["bounds"]) == enriched.bounds
