import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, box
from shapely.geometry.base import BaseGeometry

from rasteret_assets.geo.antimeridian import cut_crossing, cut_overhang, is_wide

ALL = np.ones(1, np.bool_)


def cut(geometry: BaseGeometry) -> BaseGeometry:
    found: BaseGeometry = cut_overhang(np.array([geometry], object), ALL)[0]
    return found


def test_a_ring_that_crosses_becomes_a_part_on_either_side() -> None:
    ring = Polygon([(179, 0), (-179, 0), (-179, 10), (179, 10)])
    found = cut_crossing(np.array([ring], object), ALL)[0]
    assert found.equals(MultiPolygon([box(179, 0, 180, 10), box(-180, 0, -179, 10)]))


def test_rows_not_marked_stay_as_they_are() -> None:
    rows = np.array([box(170, 0, 190, 10), None, box(0, 0, 1, 1)], object)
    found = cut_overhang(rows, np.array([True, False, False]))
    assert found[0].geom_type == "MultiPolygon"
    assert found[1] is None
    assert found[2] is rows[2]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (box(200, 10, 210, 20), box(-160, 10, -150, 20)),
        (box(-181, 0, -179, 1), MultiPolygon([box(-180, 0, -179, 1), box(179, 0, 180, 1)])),
        (box(180, 0, 190, 1), box(-180, 0, -170, 1)),
        (box(10, 89, 20, 90.004), box(10, 89, 20, 90)),
        (box(-180.001, -90, 180.001, 90), box(-180, -90, 180, 90)),
        (Point(190, 5), Point(-170, 5)),
        (LineString([(170, 0), (190, 0)]), None),
    ],
    ids=["0 to 360", "half a pixel", "touching", "pole", "world", "point", "line"],
)
def test_what_reaches_over_the_edge_is_brought_back(
    given: BaseGeometry, wanted: BaseGeometry | None
) -> None:
    found = cut(given)
    expected = wanted or shapely.MultiLineString([[(170, 0), (180, 0)], [(-180, 0), (-170, 0)]])
    assert found.bounds == pytest.approx(expected.bounds)
    assert shapely.hausdorff_distance(found, expected) < 1e-9


def test_a_bow_tie_over_the_edge_is_mended_and_cut() -> None:
    found = cut(Polygon([(179, 0), (181, 2), (181, 0), (179, 2)]))
    assert found.is_valid
    assert found.area == pytest.approx(2)


@given(st.floats(-179, 179), st.floats(-80, 70), st.floats(0.5, 60), st.floats(0.5, 10))
def test_cutting_keeps_the_area_and_stays_in_the_world(
    west: float, south: float, width: float, height: float
) -> None:
    given_box = box(west + 180, south, west + 180 + width, south + height)
    found = cut(given_box)
    assert found.area == pytest.approx(given_box.area)
    assert found.bounds[0] >= -180
    assert found.bounds[2] <= 180
    assert found.geom_type in ("Polygon", "MultiPolygon")


def test_only_single_geometries_over_more_than_half_the_world_are_wide() -> None:
    fiji = MultiPolygon([box(170, 0, 180, 1), box(-180, 0, -170, 1)])
    rows = [box(-100, 0, 100, 1), box(0, 0, 170, 1), None, fiji]
    assert is_wide(np.array(rows, object)).tolist() == [True, False, False, False]
