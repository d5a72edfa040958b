import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import GeometryCollection, MultiPolygon, Point, Polygon, box

from rasteret_assets.geo.bounds import bbox_column, centres, lonlat_bounds, total_bounds

FIJI = MultiPolygon([box(177, -20, 180, -16), box(-180, -20, -178, -16)])


def bounds_of(*geometries: object) -> list[list[float]]:
    return lonlat_bounds(np.array(geometries, object)).tolist()


def test_a_footprint_cut_at_the_antimeridian_has_its_west_beyond_its_east() -> None:
    assert bounds_of(FIJI) == [[177, -20, -178, -16]]  # RFC 7946, section 5.2


@pytest.mark.parametrize(
    "geometry",
    [
        box(-180, -90, 180, 90),
        box(-179.9, -10, 179.9, 10),
        MultiPolygon([box(-180, -5, -60, 5), box(-60, 5, 180, 15)]),
        MultiPolygon([box(-120, 30, -110, 40), box(100, 30, 110, 40)]),
        box(170, -10, 180, 10),
        Point(180, 5),
        GeometryCollection([box(0, 0, 1, 1), Point(3, 3)]),
    ],
    ids=["world", "wide", "two halves", "far apart", "at the edge", "point", "collection"],
)
def test_other_footprints_have_the_box_that_shapely_gives_them(geometry: Polygon) -> None:
    assert bounds_of(geometry) == [list(geometry.bounds)]


def test_what_passes_the_edge_by_rounding_is_drawn_back_to_it() -> None:
    assert bounds_of(box(179, 0, 180.0000004, 1)) == [[179, 0, 180, 1]]


def test_rows_without_a_geometry_have_no_box() -> None:
    bounds = lonlat_bounds(np.array([None, FIJI, Polygon()], object))
    assert bbox_column(bounds).to_pylist() == [
        None,
        {"xmin": 177.0, "ymin": -20.0, "xmax": -178.0, "ymax": -16.0},
        None,
    ]


@given(st.floats(100, 179), st.floats(-179, -100), st.floats(-80, 0), st.floats(1, 80))
def test_a_crossing_box_holds_just_the_parts(
    west: float, east: float, south: float, north: float
) -> None:
    parts = MultiPolygon([box(west, south, 180, north), box(-180, south, east, north)])
    assert bounds_of(parts) == [pytest.approx([west, south, east, north])]


def test_the_middle_of_a_crossing_box_is_on_its_own_side_of_the_world() -> None:
    lon, lat = centres(np.array([[170.0, 0.0, -160.0, 10.0], [10.0, 0.0, 20.0, 10.0]]))
    assert lon.tolist() == [-175, 15]
    assert lat.tolist() == [5, 5]


def test_one_box_around_all_spans_the_world_if_any_crosses() -> None:
    plain = np.array([[1.0, 2.0, 3.0, 4.0], [-5.0, 3.0, 0.0, 6.0], [np.nan] * 4])
    assert total_bounds(plain) == (-5, 2, 3, 6)
    assert total_bounds(np.vstack([plain, [[170, 0, -170, 1]]])) == (-180, 0, 180, 6)
    assert total_bounds(plain[2:]) is None


def test_a_hundred_thousand_boxes_agree_with_shapely() -> None:
    rng = np.random.default_rng(7)
    west, south = rng.uniform(-170, 170, 100_000), rng.uniform(-80, 80, 100_000)
    boxes = shapely.box(west, south, west + 5, south + 5)
    assert np.array_equal(lonlat_bounds(boxes), shapely.bounds(boxes))
