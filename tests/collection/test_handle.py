"""What the handle tells, other libraries' view of it, and what a later commit does to it."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import geopandas
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
import rasterio
import shapely

import rasteret_assets
from rasteret_assets import Collection, as_collection
from rasteret_assets.errors import ReadError, TableError, WorkspaceError
from tests.collection.conftest import BANDS, SCENES, reading_since_last_asked
from tests.rig.http_server import RangeServer
from tests.rig.peer import ask_peer
from tests.rig.scenes import FIRST_DAY, geotiff, record_table, write_table

BOX = (77.583, 13.0105, 77.585, 13.0120)


def test_it_tells_the_crs_that_gdal_sees(enriched: Collection) -> None:
    with rasterio.MemoryFile(geotiff(0)) as memory, memory.open() as raster:
        assert enriched.crs == {raster.crs.to_string()} == {"EPSG:32643"}


def test_the_crs_of_records_counts_where_no_header_tells(world_source: pa.Table) -> None:
    table = as_ready(world_source.slice(0, 3))
    assert as_collection(table).crs == set()
    coded = table.append_column("proj:epsg", pa.array([32601, None, 32702]))
    assert as_collection(coded).crs == {"EPSG:32601", "EPSG:32702"}
    named = coded.append_column("crs", pa.array(["EPSG:3857", None, None]))
    assert as_collection(named).crs == {"EPSG:3857"}


def as_ready(table: pa.Table) -> pa.Table:
    """Put shapely's boxes beside the geometries."""
    bounds = shapely.bounds(shapely.from_wkb(table["geometry"].to_numpy()))
    edges = [pa.array(column) for column in bounds.T]
    return table.append_column(
        "bbox", pa.StructArray.from_arrays(edges, ["xmin", "ymin", "xmax", "ymax"])
    )


def test_it_tells_bounds_and_times_of_the_view(world: Collection, world_source: pa.Table) -> None:
    view = world.subset(bbox=(10, 10, 60, 50), date_range=("2024-02-01", "2024-03-31"))
    ids = set(view.dataset.to_table(columns=["id"])["id"].to_pylist())
    rows = world_source.filter(pc.field("id").isin(list(ids)))
    footprints = shapely.from_wkb(rows["geometry"].to_numpy())
    assert view.bounds == tuple(shapely.total_bounds(footprints))
    times = pc.min_max(rows["datetime"]).as_py()
    assert view.time_range == (times["min"], times["max"])


def test_nothing_has_no_bounds_and_no_times(world: Collection) -> None:
    view = world.where("id = 'nobody'")
    assert (len(view), view.bounds, view.time_range, view.crs) == (0, None, None, set())


def test_bounds_and_times_read_thin_columns_alone(world: Collection) -> None:
    reading_since_last_asked()
    world.dataset.to_table()
    whole = reading_since_last_asked().size_bytes
    assert world.bounds is not None
    assert reading_since_last_asked().size_bytes < 0.1 * whole


def test_the_columns_are_those_of_the_dataset(enriched: Collection) -> None:
    assert enriched.schema == enriched.dataset.schema
    assert enriched.schema.names[-2:] == ["year", "month"]
    assert len(enriched) == enriched.count_rows() == SCENES
    assert "6 records, bands B04, B08" in repr(enriched)


def test_duckdb_polars_and_pyarrow_read_the_same_rows(enriched: Collection) -> None:
    view = enriched.subset(bands=["B04"]).where('"eo:cloud_cover" < 30')
    stream = pa.table(view)
    frame = pl.DataFrame(view)
    with duckdb.connect() as connection:
        rows = connection.sql(
            "SELECT id, B04_metadata.image_width FROM view ORDER BY id"
        ).fetchall()
    expected = sorted(zip(stream["id"].to_pylist(), [96] * len(stream), strict=True))
    assert rows == expected
    assert sorted(frame["id"].to_list()) == [name for name, _ in rows]
    assert frame.columns == stream.schema.names == view.schema.names


def test_geopandas_reads_its_footprints(enriched: Collection) -> None:
    table = pa.table(enriched.subset(bands=["B04"]))
    frame = geopandas.GeoDataFrame.from_arrow(
        table.set_column(
            table.schema.get_field_index("geometry"),
            pa.field("geometry", pa.binary(), metadata={"ARROW:extension:name": "geoarrow.wkb"}),
            table["geometry"],
        )
    )
    assert tuple(frame.total_bounds) == pytest.approx(enriched.bounds)
    folder = geopandas.read_parquet(enriched.path, columns=["id", "geometry"])
    assert len(folder) == SCENES
    assert folder.crs == "OGC:CRS84"


def rebuilt(folder: Path, archive: RangeServer) -> tuple[Collection, Collection]:
    """Return a Collection, and its later state with a scene more, its files replaced."""

    def build(scenes: int, *, update: bool = False) -> Collection:
        table = record_table(scenes, lambda n, band: archive.url(f"{n}/{band}.tif"))
        # One month, so that the file of the first state is among those replaced.
        times = pa.array([FIRST_DAY] * scenes, pa.timestamp("us", tz="UTC"))
        path = write_table(table.set_column(1, "datetime", times), folder / "items.parquet")
        return rasteret_assets.build_from_table(
            path, "s2", enrich_cog=True, workspace_dir=folder / "workspace", update=update
        )

    return build(SCENES - 1), build(SCENES, update=True)


def test_every_method_reads_the_newest_state_once_files_are_gone(
    tmp_path: Path, archive: RangeServer
) -> None:
    stale, newest = rebuilt(tmp_path, archive)
    with pytest.raises(FileNotFoundError):
        stale.dataset.to_table()
    assert len(stale) == len(newest) == SCENES
    assert len(stale.subset(cloud_cover_lt=30)) == len(newest.subset(cloud_cover_lt=30))
    assert len(stale.head(SCENES)) == SCENES
    assert len(pa.table(stale)) == SCENES
    assert (stale.crs, stale.bounds, stale.time_range) == (
        newest.crs,
        newest.bounds,
        newest.time_range,
    )
    assert stale.summary() == newest.summary()
    assert stale.get_xarray(BOX).identical(newest.get_xarray(BOX))
    assert (stale.get_numpy(BOX) == newest.get_numpy(BOX)).all()
    points = pa.table({"x": [77.584], "y": [13.011]})
    assert stale.sample_points(points) == newest.sample_points(points)
    assert stale.get_gdf(BOX, stats=["mean"]).equals(newest.get_gdf(BOX, stats=["mean"]))
    merged = rasteret_assets.merge(stale)
    assert len(merged) == SCENES


def test_a_collection_that_is_gone_says_so(tmp_path: Path, archive: RangeServer) -> None:
    _, newest = rebuilt(tmp_path, archive)
    for file in Path(newest.path).rglob("*.parquet"):
        file.unlink()
    with pytest.raises(WorkspaceError, match="missing"):
        pa.table(newest)


def test_counting_all_records_reads_the_manifest_alone(
    tmp_path: Path, archive: RangeServer
) -> None:
    stale, newest = rebuilt(tmp_path, archive)
    assert len(newest) == pa.table(newest).num_rows
    for file in Path(newest.path).rglob("*.parquet"):
        file.write_bytes(b"unreadable")
    assert len(newest) == SCENES
    for another in (stale, newest.subset(cloud_cover_lt=30)):
        with pytest.raises((OSError, pa.ArrowInvalid)):
            len(another)


@pytest.mark.parametrize("stats", [["mean", "max"], None])
def test_statistics_of_zones_are_those_of_the_pixels(
    enriched: Collection, stats: list[str] | None
) -> None:
    frame = enriched.get_gdf(BOX, ["B04"], time_range=("2024-01-15", "2024-02-10"), stats=stats)
    pixels = enriched.get_xarray(BOX, ["B04"], time_range=("2024-01-15", "2024-02-10"))
    assert len(frame) == pixels.sizes["time"] == 2
    if stats:
        assert frame["B04_mean"].tolist() == pixels["B04"].mean(("y", "x")).values.tolist()
        assert frame["B04_max"].tolist() == pixels["B04"].max(("y", "x")).values.tolist()
    else:
        assert [cell.shape for cell in frame["B04"]] == [pixels["B04"].shape[1:]] * 2


def test_points_have_the_pixels_that_gdal_gives(enriched: Collection) -> None:
    x, y = 780_105.0, 1_439_895.0  # UTM 43 north: column 10, row 10
    points = pa.table({"x": [x, x + 200], "y": [y, y]})
    found = enriched.sample_points(points, ["B04"], geometry_crs="EPSG:32643", mosaic=None)
    with rasterio.MemoryFile(geotiff(0)) as memory, memory.open() as raster:
        expected = [int(value[0]) for value in raster.sample([(x, y), (x + 200, y)])]
    first = found.filter(pc.field("record_id") == "scene-000")
    assert first["B04"].to_pylist() == expected


def test_points_read_only_the_records_near_them(enriched: Collection) -> None:
    far = pa.table({"lon": [10.0], "lat": [50.0]})
    assert enriched.sample_points(far, ["B04"])["B04"].to_pylist() == [None]


def test_without_geopandas_all_but_get_gdf_works(enriched: Collection) -> None:
    script = f"""
import sys
sys.modules["geopandas"] = None
import rasteret_assets
collection = rasteret_assets.load({enriched.path!r})
assert len(collection.get_numpy({BOX}))
try:
    collection.get_gdf({BOX})
except rasteret_assets.api.ConfigError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "pip install 'rasteret-assets[geopandas]'" in done.stdout


def test_a_band_that_is_not_there_is_named(enriched: Collection) -> None:
    with pytest.raises(ReadError, match=r"no band \['B12'\] among \['B04', 'B08'\]"):
        enriched.get_xarray(BOX, ["B12"])


def test_rows_taken_out_and_changed_become_a_collection_again(enriched: Collection) -> None:
    table = pa.table(enriched).append_column("label", pa.array(["water"] * SCENES))
    ours = as_collection(table, name="labelled")
    assert (ours.name, ours.path, ours.bands) == ("labelled", "", list(BANDS))
    assert ours.problems.num_rows == 0
    assert (ours.where("label = 'water'").get_numpy(BOX) == enriched.get_numpy(BOX)).all()


@pytest.mark.parametrize("frame", ["polars", "duckdb"])
def test_rows_of_other_libraries_become_a_collection(enriched: Collection, frame: str) -> None:
    if frame == "polars":
        rows = as_collection(pl.DataFrame(enriched))
    else:
        with duckdb.connect() as connection:
            rows = as_collection(connection.sql("SELECT * FROM enriched").to_arrow_table())
    assert (rows.get_numpy(BOX) == enriched.get_numpy(BOX)).all()


def test_a_dataset_stays_lazy(world: Collection) -> None:
    reading_since_last_asked()
    ours = as_collection(world.subset(bbox=(0, 0, 90, 60)).dataset)
    later = ours.subset(date_range=("2024-06-01", None))
    assert reading_since_last_asked().size_bytes == 0
    assert len(later) == len(world.subset(bbox=(0, 0, 90, 60), date_range=("2024-06-01", None)))


def test_rows_that_are_none_of_a_collection_are_refused_with_reasons() -> None:
    with pytest.raises(TableError, match=r"id is int64, not text; datetime is missing"):
        as_collection(pa.table({"id": [1]}))


def test_files_of_a_dataset_that_are_gone_are_missed(enriched: Collection, tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table(enriched), path)
    rows = as_collection(ds.dataset(path))
    path.unlink()
    with pytest.raises(WorkspaceError, match="open it again"):
        len(rows)


def test_times_are_those_of_the_records(enriched: Collection) -> None:
    assert enriched.time_range is not None
    assert enriched.time_range[0] == datetime(2024, 1, 15, 5, 30, tzinfo=UTC)


PEER_ENRICH = """
import json, sys, rasteret
table, folder = sys.argv[1:]
c = rasteret.build_from_table(
    table, name="theirs", workspace_dir=folder, enrich_cog=True, band_codes=["B04", "B08"]
)
print(json.dumps({"rows": c.dataset.count_rows(), "bands": c.bands}))
"""


@pytest.mark.slow
def test_pixels_are_read_by_headers_that_the_peer_wrote(
    tmp_path: Path, enriched: Collection
) -> None:
    for scene in range(SCENES):
        for at, band in enumerate(BANDS):
            (tmp_path / f"{scene}-{band}.tif").write_bytes(geotiff(2 * scene + at))
    table = record_table(SCENES, lambda n, band: str(tmp_path / f"{n}-{band}.tif"))
    told = ask_peer(PEER_ENRICH, write_table(table, tmp_path / "items.parquet"), str(tmp_path))
    theirs = rasteret_assets.load("theirs", workspace_dir=tmp_path)
    assert theirs.bands == told["bands"] == list(BANDS)
    assert theirs.crs == {"EPSG:32643"}
    assert (theirs.get_numpy(BOX) == enriched.get_numpy(BOX)).all()
    both = rasteret_assets.merge(theirs, enriched)
    assert both.get_numpy(BOX).shape[0] == 2 * len(enriched.get_numpy(BOX))


PEER_BUILD = """
import json, sys, rasteret
table, folder = sys.argv[1:]
c = rasteret.build_from_table(table, name="theirs", workspace_dir=folder)
print(json.dumps({"rows": c.dataset.count_rows(), "names": c.dataset.schema.names}))
"""


@pytest.mark.slow
def test_a_collection_that_the_peer_wrote_is_opened(
    archive_table: pa.Table, tmp_path: Path, enriched: Collection
) -> None:
    path = write_table(archive_table, tmp_path / "items.parquet")
    told = ask_peer(PEER_BUILD, path, str(tmp_path))
    theirs = rasteret_assets.load("theirs", workspace_dir=tmp_path)
    assert len(theirs) == told["rows"] == SCENES
    assert theirs.name == "theirs"
    assert theirs.bounds == pytest.approx(enriched.bounds)
    assert theirs.time_range is not None
    assert len(theirs.subset(date_range=("2024-01-01", "2024-01-31"), bbox=(77, 12, 79, 14))) == 1
    assert rasteret_assets.load(theirs.path).schema == theirs.schema
    both = rasteret_assets.merge(theirs, enriched)
    assert len(both) == 2 * SCENES
    assert both.time_range == enriched.time_range
