import json
from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyproj
import pytest
import shapely
from geoarrow import pyarrow as geoarrow
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon, Polygon, box

from rasteret_assets.contract.columns import BBOX, DATETIME, SOURCE_ROW
from rasteret_assets.contract.spec import CollectionSpec
from rasteret_assets.geo.geoparquet import EXTENSION_NAME
from rasteret_assets.stages import order_keys, remap
from tests.rig.extension_types import geoarrow_types

from .conftest import MakeRecords, MakeSpec

SPEC = CollectionSpec(name="demo", sources=("records.parquet",))
RING = Polygon([(179, 0), (-179, 0), (-179, 10), (179, 10)])


def run(table: pa.Table, spec: CollectionSpec = SPEC, geo: str | None = None) -> pa.Table:
    found = remap(table, spec, geo, "records.parquet")
    assert found.problems.num_rows == 0
    found.rows.validate(full=True)
    return found.rows


def test_canonical_columns_come_first_and_all_else_in_its_order(make_records: MakeRecords) -> None:
    table = make_records(2, zeta=[1, 2], collection=["s2", "s2"], alpha=["x", None])
    table = table.select(
        ["zeta", "assets", "id", "alpha", SOURCE_ROW, "geometry", "collection", "datetime"]
    )
    rows = run(table)
    assert rows.column_names == [
        *("id", "datetime", "geometry", "assets", "bbox"),
        *("zeta", "alpha", "collection", SOURCE_ROW),
    ]
    assert rows.schema.field("id").type == pa.string()
    assert rows.schema.field("datetime").type == DATETIME
    assert rows.schema.field("geometry").type == pa.binary()
    assert rows.schema.field("bbox").type == BBOX
    for name in ("zeta", "alpha", "collection"):
        assert rows[name].equals(table[name])


def test_names_that_mean_something_else_here_are_kept_under_others(
    make_records: MakeRecords,
) -> None:
    given = {"month": ["01", "02"], "year": [1, 2], "B04_metadata": ["x", "y"]}
    rows = run(make_records(2, **given, _source_file=["a", "b"]))
    assert rows.column_names[5:-1] == [
        *("month_source", "year_source", "B04_metadata_source", "_source_file_source"),
    ]
    assert rows["month_source"].to_pylist() == ["01", "02"]


def test_the_column_map_renames_and_what_it_takes_a_name_from_keeps_another(
    make_records: MakeRecords, make_spec: MakeSpec
) -> None:
    table = make_records(1, scene=["one"], cloud=[3.5])
    spec = make_spec(column_map={"scene": "id", "id": "old_id", "cloud": "eo:cloud_cover"})
    rows = run(table, spec)
    assert rows["id"].to_pylist() == ["one"]
    assert rows["old_id"].to_pylist() == ["scene-0"]
    assert rows["eo:cloud_cover"].to_pylist() == [3.5]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (pa.array([[9.0, 9, 9, 9]], pa.list_(pa.float64())), True),
        (
            pa.array(
                [{"xmin": 9.0, "ymin": 9.0, "zmin": 9.0, "xmax": 9.0, "ymax": 9.0, "zmax": 9.0}]
            ),
            True,
        ),
        (pa.array(["9,9,9,9"]), True),
        (pa.array([{"xmin": 9.0, "ymin": 9.0, "xmax": 9.0, "ymax": 9.0}], BBOX), False),
    ],
    ids=["list", "six members", "text", "canonical"],
)
def test_a_bbox_of_another_form_is_kept_beside_the_one_made_from_the_geometry(
    given: pa.Array,
    kept: bool,  # noqa: FBT001  # a case's outcome
    make_records: MakeRecords,
) -> None:
    rows = run(make_records(1, bbox=given))
    assert rows["bbox"].to_pylist() == [{"xmin": 0, "ymin": 0, "xmax": 1, "ymax": 1}]
    assert ("bbox_source" in rows.column_names) == kept
    if kept:
        assert rows["bbox_source"].to_pylist() == given.to_pylist()


def test_a_null_datetime_gets_the_start_and_the_range_stays(make_records: MakeRecords) -> None:
    ends = ["2024-02-01T00:00:00Z", "2024-02-02T00:00:00Z"]
    table = make_records(
        2,
        datetime=[None, "2024-03-01T00:00:00Z"],
        start_datetime=["2024-01-15T12:00:00+02:00", None],
        end_datetime=ends,
    )
    rows = run(table)
    wanted = [datetime(2024, 1, 15, 10, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC)]
    assert rows["datetime"].to_pylist() == wanted
    assert rows["start_datetime"].to_pylist() == ["2024-01-15T12:00:00+02:00", None]
    assert rows["end_datetime"].to_pylist() == ends


def test_a_table_with_a_range_alone_is_remapped(make_records: MakeRecords) -> None:
    rows = run(make_records(1, datetime=None, start_datetime=["2024-01-15"]))
    assert rows["datetime"].to_pylist() == [datetime(2024, 1, 15, tzinfo=UTC)]


def test_coordinates_in_metres_become_degrees(make_records: MakeRecords) -> None:
    shape = box(500_000, 5_494_000, 506_000, 5_500_000)
    crs = pyproj.CRS("EPSG:32633").to_json_dict()
    geo = json.dumps({"columns": {"geometry": {"encoding": "WKB", "crs": crs}}})
    rows = run(make_records(1, geometry=[shape.wkb]), geo=geo)
    to = pyproj.Transformer.from_crs(32633, 4326, always_xy=True)
    corners = np.array([to.transform(x, y) for x, y in shape.exterior.coords])
    found = rows["bbox"][0].as_py()
    assert [found[name] for name in ("xmin", "ymin", "xmax", "ymax")] == pytest.approx(
        [*corners.min(axis=0), *corners.max(axis=0)], abs=1e-12
    )


def test_the_crs_is_looked_up_under_the_name_in_the_source(
    make_records: MakeRecords, make_spec: MakeSpec
) -> None:
    table = make_records(1, geometry=None, geom=[box(500_000, 0, 506_000, 6000).wkb])
    geo = json.dumps({"columns": {"geom": {"encoding": "WKB", "crs": "EPSG:32633"}}})
    rows = run(table, make_spec(column_map={"geom": "geometry"}), geo)
    assert rows["bbox"][0].as_py()["xmin"] == pytest.approx(15)


SPLIT = MultiPolygon([box(179, 0, 180, 10), box(-180, 0, -179, 10)])


@pytest.mark.parametrize(
    "bbox",
    [
        pa.array([[179.0, 0, -179, 10]]),
        pa.array([[179.0, 0, 0, -179, 10, 5]], pa.large_list(pa.float64())),
        pa.array([{"xmin": 179.0, "ymin": 0.0, "xmax": -179.0, "ymax": 10.0}], BBOX),
    ],
    ids=["list", "list of six", "struct"],
)
def test_a_ring_whose_bbox_says_it_crosses_is_cut_at_the_antimeridian(
    bbox: pa.Array, make_records: MakeRecords
) -> None:
    rows = run(make_records(1, geometry=[RING.wkb], bbox=bbox))
    assert shapely.from_wkb(rows["geometry"][0].as_py()).equals(SPLIT)
    assert rows["bbox"].to_pylist() == [{"xmin": 179, "ymin": 0, "xmax": -179, "ymax": 10}]


def test_without_such_a_bbox_a_wide_ring_is_what_it_says(make_records: MakeRecords) -> None:
    wide = pa.array([[-179.0, 0, 179, 10], None, []], pa.list_(pa.float64()))
    rows = run(make_records(3, geometry=[RING.wkb] * 3, bbox=wide))
    assert rows["bbox"].to_pylist() == [{"xmin": -179, "ymin": 0, "xmax": 179, "ymax": 10}] * 3


def test_a_footprint_that_is_cut_already_has_a_bbox_that_crosses(
    make_records: MakeRecords,
) -> None:
    rows = run(make_records(1, geometry=[SPLIT.wkb]))
    assert rows["bbox"].to_pylist() == [{"xmin": 179, "ymin": 0, "xmax": -179, "ymax": 10}]


def test_hrefs_stay_as_the_source_has_them(make_records: MakeRecords) -> None:
    assets = [{"B04": {"href": "../x y.tif", "alternate": {"s3": {"href": "s3://b/k"}}}}]
    assert run(make_records(1, assets=assets))["assets"].to_pylist() == assets


@pytest.fixture
def registered() -> Iterator[None]:
    with geoarrow_types(known=True):
        yield


@pytest.mark.usefixtures("registered")
def test_columns_of_extension_types_are_kept_as_if_none_were_registered(
    make_records: MakeRecords,
) -> None:
    shapes = geoarrow.as_wkb(pa.array([box(0, 0, 1, 1).wkb]))
    rows = run(make_records(1, geometry=shapes, **{"proj:geometry": shapes}))
    field = rows.schema.field("proj:geometry")
    assert field.type == pa.binary()
    assert field.metadata[EXTENSION_NAME] == b"geoarrow.wkb"
    assert rows["proj:geometry"].to_pylist() == rows["geometry"].to_pylist()


def test_no_rows_keep_their_columns(make_records: MakeRecords) -> None:
    table = make_records(1, extra=["x"])
    assert run(table[:0]).schema == run(table).schema


def test_chunked_and_sliced_columns_are_read_whole(make_records: MakeRecords) -> None:
    whole = make_records(9)
    parts = pa.concat_tables([whole[:2], whole[2:3], whole[3:]])
    assert run(parts[1:8]).equals(run(whole[1:8].combine_chunks()))


places = st.tuples(
    st.datetimes(datetime(1999, 11, 1), datetime(2000, 3, 1)),  # noqa: DTZ001  # naive is UTC
    st.floats(-179, 178),
    st.floats(-89, 88),
)


def grid_distance(lon: float, lat: float) -> int:
    """The textbook's place of a cell along the Hilbert curve, for one point."""
    side = 1 << 16
    x, y = int((lon + 180) / 360 * side), int((lat + 90) / 180 * side)
    distance, size = 0, side // 2
    while size:
        right, upper = int(x & size > 0), int(y & size > 0)
        distance += size * size * ((3 * right) ^ upper)
        if upper == 0:
            if right == 1:
                x, y = side - 1 - x, side - 1 - y
            x, y = y, x
        size //= 2
    return distance


@given(st.lists(places, min_size=1, max_size=30))
def test_rows_stand_by_month_then_along_the_curve_then_by_source_row(
    given_places: list[tuple[datetime, float, float]],
) -> None:
    count = len(given_places)
    table = pa.table(
        {
            "id": [str(row) for row in range(count)],
            "datetime": pa.array([when for when, _, _ in given_places], pa.timestamp("us")),
            "geometry": [box(x, y, x + 1, y + 1).wkb for _, x, y in given_places],
            "assets": [{"a": {"href": "1"}}] * count,
            SOURCE_ROW: pa.array(range(count), pa.int64()),
        }
    )
    wanted = sorted(
        range(count),
        key=lambda row: (
            given_places[row][0].year,
            given_places[row][0].month,
            grid_distance((2 * given_places[row][1] + 1) / 2, (2 * given_places[row][2] + 1) / 2),
            row,
        ),
    )
    rows = run(table)
    months, values = order_keys(rows)
    assert (np.diff(months) >= 0).all()
    assert months.tolist() == [
        one.year * 12 + one.month - 1 for one in rows["datetime"].to_pylist()
    ]
    found = rows[SOURCE_ROW].to_pylist()
    distances = [grid_distance((2 * x + 1) / 2, (2 * y + 1) / 2) for _, x, y in given_places]
    if all(distances[row] == value for row, value in zip(found, values.tolist(), strict=True)):
        assert found == wanted
    else:  # a centre on the edge of a cell, rounded to its other side
        assert sorted(found) == sorted(wanted)
