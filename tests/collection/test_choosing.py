import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from rasteret_assets import Collection, as_collection
from rasteret_assets.collection.choosing import Day
from rasteret_assets.errors import ConfigError, ReadError
from rasteret_assets.geo.bounds import lonlat_bounds
from tests.collection.conftest import reading_since_last_asked

Dates = tuple[Day | None, Day | None]

PERU = (-78.0, -14.0, -70.0, -6.0)
JAPAN = (130.0, 30.0, 142.0, 42.0)


def ids(rows: Collection | pa.Table) -> set[str]:
    table = rows.dataset.to_table(columns=["id"]) if isinstance(rows, Collection) else rows
    return set(table["id"].to_pylist())


def meeting(table: pa.Table, *areas: shapely.Geometry) -> set[str]:
    """The ids that shapely says meet one of the areas."""
    footprints = shapely.from_wkb(table["geometry"].to_numpy())
    met = np.any([shapely.intersects(footprints, area) for area in areas], axis=0)
    return ids(table.filter(pa.array(met)))


@pytest.mark.parametrize(
    "bbox",
    [PERU, JAPAN, (-1.0, -60.0, 1.0, 60.0), (179.0, -60.0, 180.0, 60.0), (-180, -90, 180, 90)],
    ids=["west", "east", "greenwich", "edge", "all"],
)
def test_a_box_gives_the_records_that_shapely_finds(
    world: Collection, world_source: pa.Table, bbox: tuple[float, float, float, float]
) -> None:
    assert ids(world.subset(bbox=bbox)) == meeting(world_source, shapely.box(*bbox))


def test_a_box_across_the_antimeridian_gives_both_sides(
    world: Collection, world_source: pa.Table
) -> None:
    halves = shapely.box(175, -30, 180, 30), shapely.box(-180, -30, -170, 30)
    assert ids(world.subset(bbox=(175, -30, -170, 30))) == meeting(world_source, *halves)


lon, side = st.floats(-180, 180), st.floats(0.1, 170)


@given(st.lists(st.tuples(lon, side), min_size=1, max_size=30), lon, side)
@settings(max_examples=60, deadline=None)
def test_longitudes_meet_as_arcs_of_the_circle_do(
    records: list[tuple[float, float]], west: float, width: float
) -> None:
    def box(start: float, extent: float) -> tuple[float, float]:
        stop = start + extent
        return start, stop - 360 if stop > 180 else stop

    def meets(start: float, extent: float) -> bool:
        return (west - start) % 360 <= extent or (start - west) % 360 <= width

    edges = [box(*record) for record in records]
    boxes = [{"xmin": a, "ymin": 0.0, "xmax": b, "ymax": 1.0} for a, b in edges]
    view = as_collection(rows_of(boxes)).subset(
        bbox=(*box(west, width)[:1], 0, box(west, width)[1], 1)
    )
    kept = sorted(int(name) for name in ids(view))
    assert kept == [n for n, record in enumerate(records) if meets(*record)]


def rows_of(boxes: list[dict[str, float]], **columns: pa.Array) -> pa.Table:
    count = len(boxes)
    made = {
        "id": pa.array([str(n) for n in range(count)]),
        "datetime": pa.array([datetime(2024, 1, 1, tzinfo=UTC)] * count, pa.timestamp("us", "UTC")),
        "geometry": pa.nulls(count, pa.binary()),
        "bbox": pa.array(
            boxes, pa.struct([(n, pa.float64()) for n in ("xmin", "ymin", "xmax", "ymax")])
        ),
    }
    return pa.table({**made, **columns})


def test_geometries_choose_by_footprint_not_by_box(
    world: Collection, world_source: pa.Table
) -> None:
    diagonal = shapely.LineString([(-160, -50), (170, 50)]).buffer(0.5)
    west, south, east, north = diagonal.bounds
    found = ids(world.subset(geometries=diagonal))
    assert found == meeting(world_source, diagonal)
    assert found < ids(world.subset(bbox=(west, south, east, north)))


def test_geometries_in_another_crs_are_brought_to_the_footprints(
    world: Collection, world_source: pa.Table
) -> None:
    lima = shapely.Point(200_000, 8_670_000).buffer(300_000)  # UTM 18 south
    around = shapely.box(-82, -16, -73, -9)
    found = ids(world.subset(geometries=lima, geometry_crs="EPSG:32718"))
    assert found
    assert found < meeting(world_source, around)


def test_many_places_far_apart_leave_what_lies_between_unread(world: Collection) -> None:
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.uniform(-75, -74, 200), rng.uniform(137, 138, 200)])
    points = [shapely.Point(*place) for place in zip(x, rng.uniform(-1, 1, 400), strict=True)]
    reading_since_last_asked()
    two = world.subset(geometries=points).dataset.to_table()
    places = reading_since_last_asked().size_bytes
    world.subset(bbox=(-75, -1, 138, 1)).dataset.to_table()
    assert two.num_rows
    assert places < 0.85 * reading_since_last_asked().size_bytes


@pytest.mark.parametrize("bbox", [PERU, JAPAN], ids=["west", "east"])
def test_a_box_reads_only_row_groups_near_it(
    world: Collection, bbox: tuple[float, float, float, float]
) -> None:
    reading_since_last_asked()
    everything = world.dataset.to_table().num_rows
    whole = reading_since_last_asked().size_bytes
    few = world.subset(bbox=bbox).dataset.to_table().num_rows
    part = reading_since_last_asked().size_bytes
    assert 0 < few < everything / 50
    assert part < 0.35 * whole


def test_a_box_that_crosses_reads_only_row_groups_at_the_edges(world: Collection) -> None:
    reading_since_last_asked()
    world.dataset.to_table()
    whole = reading_since_last_asked().size_bytes
    assert len(world.subset(bbox=(178, -60, -178, 60)).dataset.to_table())
    assert reading_since_last_asked().size_bytes < 0.6 * whole


def test_geometries_are_decoded_only_of_row_groups_near_them(world: Collection) -> None:
    reading_since_last_asked()
    world.dataset.to_table()
    whole = reading_since_last_asked().size_bytes
    world.subset(geometries=shapely.box(*PERU)).dataset.to_table()
    assert reading_since_last_asked().size_bytes < 0.35 * whole


@pytest.mark.parametrize(
    ("dates", "months"),
    [
        (("2024-03-05", "2024-05-20"), {3, 4, 5}),
        (("2024-11-30", "2025-02-01"), {11, 12}),
        (("2023-12-31", "2024-01-01"), {1}),
        ((None, "2024-01-31"), {1}),
        (("2024-12-01T00:00:00Z", None), {12}),
        ((date(2024, 7, 1), date(2024, 7, 1)), {7}),
        ((datetime(2024, 3, 1, 4, tzinfo=timezone(timedelta(hours=5))), "2024-03-02"), {2, 3}),
    ],
    ids=["spring", "year's end", "year's start", "until", "from", "day", "zone"],
)
def test_a_date_range_opens_only_the_months_in_it(
    world: Collection, world_source: pa.Table, dates: Dates, months: set[int]
) -> None:
    fresh = replace(world, whole=world.origin.open())  # no footer is known yet
    reading_since_last_asked()
    found = ids(fresh.subset(date_range=dates))
    assert reading_since_last_asked().files == {f"month={month}" for month in months}
    assert found == within(world_source, *dates)


def within(table: pa.Table, first: Day | None, last: Day | None) -> set[str]:
    """The ids of days from `first` to `last`, found by comparing ISO text."""
    days = table["datetime"].to_numpy().astype("M8[D]").astype(str)
    start = "" if first is None else str(first)[:10]
    stop = "9999" if last is None else str(last)[:10]
    return ids(table.filter(pa.array((days >= start) & (days <= stop))))


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", ["UTC", None])
def test_times_of_every_kind_are_compared_as_moments(unit: str, zone: str | None) -> None:
    seconds = [0, 10, 20]
    times = pa.array(seconds, pa.int64()).cast(pa.timestamp("s")).cast(pa.timestamp(unit, zone))
    boxes = [{"xmin": 0.0, "ymin": 0.0, "xmax": 1.0, "ymax": 1.0}] * 3
    table = rows_of(boxes).set_column(1, "datetime", times)
    view = as_collection(table)
    assert len(view.subset(date_range=("1970-01-01T00:00:10Z", "1970-01-01T00:00:10Z"))) == 1
    assert len(view.subset(date_range=("1970-01-01T00:00:10.000001Z", None))) == 1
    assert len(view.subset(date_range=(None, "1970-01-01T00:00:19.999999Z"))) == 2
    assert len(view.subset(date_range=("1970-01-01", "1970-01-01"))) == 3


def test_columns_called_year_and_month_that_are_no_folders_are_left_alone() -> None:
    boxes = [{"xmin": 0.0, "ymin": 0.0, "xmax": 1.0, "ymax": 1.0}]
    fiscal = rows_of(boxes, year=pa.array([2025], pa.int32()), month=pa.array([4], pa.int32()))
    assert len(as_collection(fiscal).subset(date_range=("2024-01-01", "2024-01-02"))) == 1


def test_conditions_add_up(world: Collection, world_source: pa.Table) -> None:
    view = world.subset(bbox=(-90, -60, 90, 60), date_range=("2024-02-01", "2024-08-31"))
    view = view.subset(cloud_cover_lt=20, split=["train", "val"]).where("id LIKE 'scene-1%'")
    low = world_source.filter(
        (pc.field("eo:cloud_cover") < 20)
        & pc.field("split").isin(["train", "val"])
        & pc.starts_with(pc.field("id"), "scene-1")
    )
    inside = meeting(low, shapely.box(-90, -60, 90, 60))
    assert ids(view) == inside & within(low, "2024-02-01", "2024-08-31") != set()


def test_a_split_may_be_one_value(world: Collection) -> None:
    assert len(world.subset(split="val")) == 1000


def test_head_gives_the_first_rows_and_reads_little(world: Collection) -> None:
    first = world.dataset.to_table(columns=["id"])["id"].to_pylist()[:7]
    reading_since_last_asked()
    world.dataset.to_table()
    whole = reading_since_last_asked().size_bytes
    assert world.head(7).dataset.to_table()["id"].to_pylist() == first
    assert reading_since_last_asked().size_bytes < 0.02 * whole
    assert world.head(40).dataset.to_table()["id"].to_pylist()[:7] == first
    assert reading_since_last_asked().size_bytes < 0.04 * whole


def test_head_of_rows_met_here_and_there_is_the_start_of_them_all(world: Collection) -> None:
    for chosen in (world.where('"eo:cloud_cover" > 97'), world.where("id LIKE 'scene-7%'")):
        all_ids = chosen.dataset.to_table(columns=["id"])["id"].to_pylist()
        for n in (1, 30, 90, len(all_ids) + 1):
            assert chosen.head(n).dataset.to_table()["id"].to_pylist() == all_ids[:n]


def test_head_of_a_dataset_that_somebody_filtered(world: Collection) -> None:
    cloudy = pc.field("eo:cloud_cover") > 50
    assert len(as_collection(world.dataset.filter(cloudy)).head(3)) == 3


def test_head_is_a_step_of_its_own(world: Collection) -> None:
    cloudy = pc.field("eo:cloud_cover") > 50
    assert len(world.where(cloudy).head(10)) == 10
    assert len(world.head(10).where(cloudy)) < 10
    assert len(world.head(10).head(3)) == len(world.head(3).head(10)) == 3
    assert len(world.head(0)) == 0


def test_choosing_reads_nothing(world: Collection) -> None:
    while reading_since_last_asked().size_bytes:  # what a `head` before began to read ahead
        time.sleep(0.1)
    view = world.subset(bbox=PERU, geometries=shapely.box(*PERU), date_range=("2024", None)[1:] * 2)
    view = view.where("id = 'x'").head(3).where("split = 'val'")
    assert view.schema == world.schema
    assert reading_since_last_asked().size_bytes == 0


def test_other_bands_are_neither_shown_nor_read(enriched: Collection) -> None:
    view = enriched.subset(bands=["B08"])
    assert view.bands == ["B08"]
    assert "B04_metadata" not in view.schema.names
    assert view.schema == view.dataset.schema == pa.table(view).schema
    assert view.dataset.to_table().column("B08_metadata").null_count == 0
    assert list(view.get_xarray(bands=None).data_vars) == ["B08"]
    with pytest.raises(ReadError, match="no band \\['B04'\\]"):
        view.get_numpy(bands=["B04"])


def test_bands_are_shown_in_the_order_asked(enriched: Collection) -> None:
    assert enriched.subset(bands=["B08", "B04"]).bands == ["B08", "B04"]


def test_a_condition_about_a_hidden_band_still_holds(enriched: Collection) -> None:
    wide = pc.field("B04_metadata", "image_width") > 10_000
    assert len(enriched.subset(bands=["B08"]).where(wide)) == 0
    assert len(enriched.where(wide).subset(bands=["B08"])) == 0


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"bbox": (1, 2, 3)}, ReadError, "no area|no geometry|box"),
        ({"bbox": (0, 5, 1, 2)}, ReadError, "not left, bottom, right, top"),
        ({"bbox": (0, 0, float("nan"), 2)}, ReadError, "not left, bottom, right, top"),
        ({"date_range": ("2024-05-01", "2024-04-01")}, ReadError, "swap them"),
        ({"date_range": ("May", None)}, ReadError, "no date"),
        ({"bands": ["B99"]}, ReadError, "no band \\['B99'\\] among \\['B04', 'B08'\\]"),
        ({"bands": []}, ReadError, "no band"),
        ({"split": "val"}, ConfigError, "split.*the columns are"),
        ({"geometries": []}, ReadError, "empty"),
    ],
)
def test_what_cannot_be_is_refused_at_once(
    enriched: Collection, arguments: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        enriched.subset(**arguments)


def test_a_condition_on_a_column_that_is_not_there_names_those_that_are(world: Collection) -> None:
    with pytest.raises(ConfigError, match=r"clouds.*eo:cloud_cover"):
        world.where(ds.field("clouds") < 3)


def test_a_negative_number_of_rows_is_refused(world: Collection) -> None:
    with pytest.raises(ReadError, match="n is -1"):
        world.head(-1)


def test_a_box_far_wider_than_half_the_world_is_found_from_both_sides() -> None:
    swath = shapely.MultiPolygon([shapely.box(-180, 0, 20, 1), shapely.box(60, 0, 180, 1)])
    edges = dict(
        zip(("xmin", "ymin", "xmax", "ymax"), *lonlat_bounds(np.array([swath])), strict=True)
    )
    view = as_collection(rows_of([edges]))
    assert len(view.subset(bbox=(10, 0, 11, 1))) == len(view.subset(bbox=(70, 0, 71, 1))) == 1
