import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rasteret_assets.geo.hilbert import ORDER, hilbert

SIDE = 1 << ORDER


def cell_at(distance: int) -> tuple[int, int]:
    """The textbook inverse: the cell at a distance along the curve, one bit pair at a time."""
    x = y = 0
    size = 1
    while size < SIDE:
        right = 1 & (distance // 2)
        upper = 1 & (distance ^ right)
        if upper == 0:
            if right == 1:
                x, y = size - 1 - x, size - 1 - y
            x, y = y, x
        x += size * right
        y += size * upper
        distance //= 4
        size *= 2
    return x, y


def centre_of(cell: tuple[int, int]) -> tuple[float, float]:
    return -180 + (cell[0] + 0.5) * 360 / SIDE, -90 + (cell[1] + 0.5) * 180 / SIDE


@given(st.lists(st.integers(0, SIDE * SIDE - 1), min_size=1, max_size=50))
def test_every_cell_lies_where_the_textbook_curve_has_it(distances: list[int]) -> None:
    centres = np.array([centre_of(cell_at(distance)) for distance in distances])
    assert hilbert(centres[:, 0], centres[:, 1]).tolist() == distances


def test_points_outside_the_world_count_as_on_its_edge() -> None:
    inside = hilbert(np.array([-180.0, 179.999]), np.array([-90.0, 89.999]))
    beyond = hilbert(np.array([-200.0, 180.0]), np.array([-91.0, 90.0]))
    assert inside.tolist() == beyond.tolist()


def test_no_points_give_no_distances() -> None:
    assert hilbert(np.empty(0), np.empty(0)).tolist() == []
