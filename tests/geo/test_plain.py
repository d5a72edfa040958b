import numpy as np
import pyarrow as pa
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from rasteret_assets.geo.geoparquet import GeometryForm
from rasteret_assets.geo.plain import plain_bounds

LONLAT = GeometryForm(encoding="wkb", crs=None)

corners = st.tuples(st.floats(-180, 180), st.floats(-90, 90))
rings = st.integers(3, 7).flatmap(
    lambda count: st.lists(
        st.lists(corners, min_size=count, max_size=count), min_size=1, max_size=5
    )
)


@given(rings)
def test_rings_of_one_length_have_the_bounds_that_shapely_gives(
    rings: list[list[tuple[float, float]]],
) -> None:
    polygons = np.array([shapely.Polygon([*ring, ring[0]]) for ring in rings])
    column = pa.array(shapely.to_wkb(polygons), pa.binary())
    found = plain_bounds(column, LONLAT)
    assert found is not None
    np.testing.assert_array_equal(found, shapely.bounds(polygons))


def test_a_slice_of_a_column_is_read_where_it_begins() -> None:
    boxes = np.array([shapely.box(west, 0, west + 1, 1) for west in range(5)])
    column = pa.array(shapely.to_wkb(boxes), pa.binary()).slice(2, 2)
    np.testing.assert_array_equal(plain_bounds(column, LONLAT), shapely.bounds(boxes[2:4]))


BOX = shapely.to_wkb(shapely.box(0, 0, 1, 1))
OTHERS = {
    "a null": [BOX, None],
    "an empty polygon": [BOX, shapely.to_wkb(shapely.Polygon())],
    "a point": [BOX, shapely.to_wkb(shapely.Point(1, 2))],
    "another length": [BOX, shapely.to_wkb(shapely.Polygon([(0, 0), (1, 0), (0, 1)]))],
    "a hole": [shapely.to_wkb(shapely.box(0, 0, 9, 9).difference(shapely.box(1, 1, 2, 2)))],
    "big-endian": [shapely.to_wkb(shapely.box(0, 0, 1, 1), byte_order=0)],
    "heights": [shapely.to_wkb(shapely.Polygon([(0, 0, 1), (1, 0, 1), (0, 1, 1)]))],
    "beyond the world": [BOX, shapely.to_wkb(shapely.box(179, 0, 181, 1))],
    "not a number": [BOX, BOX[:-8] + np.float64(np.nan).tobytes()],
    "an open ring": [BOX, BOX[:-8] + np.float64(0.5).tobytes()],
    "too short": [b"\x01\x03"],
    "other bytes of one length": [BOX, b"x" * len(BOX)],
    "no rows": [],
}


@pytest.mark.parametrize("values", OTHERS.values(), ids=OTHERS)
def test_a_column_with_anything_else_is_left_to_be_decoded(values: list[bytes | None]) -> None:
    assert plain_bounds(pa.array(values, pa.binary()), LONLAT) is None


def test_another_crs_is_left_to_be_transformed() -> None:
    assert plain_bounds(pa.array([BOX]), GeometryForm(encoding="wkb", crs="EPSG:32633")) is None
