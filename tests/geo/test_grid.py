"""Windows and grids: against rasterio's window arithmetic, and against themselves."""

import numpy as np
import pytest
import rasterio.windows
from hypothesis import given
from hypothesis import strategies as st
from rasterio.transform import Affine

from rasteret_assets.geo.grid import Grid, Window, grid_of

UTM = Grid(crs="EPSG:32632", a=10, c=500_000, e=-10, f=5_500_000, width=300, height=200)

offsets = st.integers(-500, 500)
sides = st.integers(1, 300)
windows = st.builds(Window, offsets, offsets, sides, sides)


@given(window=windows, scale=st.sampled_from([10.0, 0.1, 1 / 3600, 30.0]), south=st.booleans())
def test_the_bounds_of_a_window_give_it_back(window: Window, scale: float, south: bool) -> None:  # noqa: FBT001  # hypothesis passes by name
    grid = Grid(
        crs="EPSG:4326", a=scale, c=11.7, e=scale if south else -scale, f=48.3, width=9, height=9
    )
    assert grid.window_of(grid.cut(window).bounds) == window


@given(left=st.floats(-1e4, 1e4), top=st.floats(-1e4, 1e4), width=st.floats(1, 9e3))
def test_windows_cover_what_rasterio_says_they_do(left: float, top: float, width: float) -> None:
    bounds = (500_000 + left, 5_500_000 + top - width, 500_000 + left + width, 5_500_000 + top)
    window = UTM.window_of(bounds)
    exact = rasterio.windows.from_bounds(*bounds, transform=Affine(*UTM.transform))
    (rows, cols) = exact.toranges()
    assert window.col_off <= exact.col_off + 1e-5
    assert window.row_off <= exact.row_off + 1e-5
    assert window.col_off + window.width >= exact.col_off + exact.width - 1e-5
    assert window.row_off + window.height >= exact.row_off + exact.height - 1e-5
    assert abs(window.width - (cols[1] - cols[0])) < 2
    assert abs(window.height - (rows[1] - rows[0])) < 2


@given(one=windows, two=windows)
def test_intersections_are_those_of_sets_of_pixels(one: Window, two: Window) -> None:
    both = one.intersect(two)
    for off, size in (("col_off", "width"), ("row_off", "height")):
        first = range(getattr(one, off), getattr(one, off) + getattr(one, size))
        second = range(getattr(two, off), getattr(two, off) + getattr(two, size))
        assert getattr(both, size) == len(set(first) & set(second))


@given(window=windows)
def test_a_cut_grid_begins_where_its_window_says(window: Window) -> None:
    assert UTM.offset_of(UTM.cut(window)) == (window.col_off, window.row_off)


@pytest.mark.parametrize(
    "changes",
    [
        {"c": 500_000.2},
        {"a": 10.1},
        {"e": 10.0},
        {"b": 0.5},
        {"crs": "EPSG:32633"},
        {"a": 20.0, "e": -20.0},
    ],
)
def test_grids_that_differ_have_no_offset(changes: dict[str, object]) -> None:
    facts = {name: getattr(UTM, name) for name in UTM.__slots__}
    other = Grid(**{**facts, **changes})
    assert UTM.offset_of(other) is None


def test_pixels_of_a_rotated_grid_are_found_again() -> None:
    a, b, c, d, e, f = (Affine.translation(500, 900) @ Affine.rotation(30) @ Affine.scale(10, -10))[
        :6
    ]
    grid = grid_of([a, b, c, d, e, f], "EPSG:32632", 20, 10)
    x, y = Affine(a, b, c, d, e, f) @ (np.array([3.5, 7.0]), np.array([2.0, 9.5]))
    cols, rows = grid.pixels_of(x, y)
    assert np.allclose(cols, [3.5, 7.0])
    assert np.allclose(rows, [2.0, 9.5])
    assert not grid.is_upright
    assert np.allclose(grid.resolution, (10, 10))


def test_an_overview_covers_the_area_of_the_whole() -> None:
    assert UTM.reduced(75, 67).bounds == pytest.approx(UTM.bounds)


def test_coordinates_are_those_of_pixel_centres() -> None:
    small = UTM.cut(Window(1, 2, 2, 3))
    assert small.xs().tolist() == [500_015, 500_025]
    assert small.ys().tolist() == [5_499_975, 5_499_965, 5_499_955]


def test_a_grid_without_area_is_refused() -> None:
    with pytest.raises(ValueError, match="on a line"):
        grid_of([10, 0, 0, 0], "EPSG:32632", 5, 5)
