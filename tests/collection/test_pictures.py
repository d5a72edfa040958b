"""Pictures are decoded by Pillow again, and looked at pixel by pixel."""

import io

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray
from PIL import Image

from rasteret_assets.collection.pictures import footprint_map
from rasteret_assets.collection.quicklooks import quicklook

GROUND = (244, 246, 246)
FRAME = (46, 34)
"""Left and top edge of a map's frame, in pixels."""


def opened(png: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def covered(png: bytes, width: int) -> NDArray[np.bool_]:
    """Where a map shows something other than ground or graticule: no red in the grey."""
    inside = opened(png)[FRAME[1] + 2 :, FRAME[0] + 2 : width - FRAME[0] - 2].astype(int)
    return np.asarray(np.ptp(inside, axis=-1) > 40)


def test_a_map_shows_footprints_where_they_lie() -> None:
    png = footprint_map(np.array([shapely.box(10, 50, 11, 51), shapely.box(13, 52, 14, 53)]))
    rows, columns = np.nonzero(covered(png, 720)[:600])
    west = rows[columns < columns.mean()]
    east = rows[columns > columns.mean()]
    assert west.min() > east.max()  # the western one lies further south


def test_places_covered_more_often_are_darker() -> None:
    shapes = np.array([shapely.box(0, 0, 2, 2), *[shapely.box(1, 0, 2, 2)] * 9])
    picture = opened(footprint_map(shapes)).sum(axis=-1)
    middle = picture[FRAME[1] : 600].shape[0] // 2
    assert picture[middle, 250] > picture[middle, 500] + 200


def test_the_count_of_many_boxes_equals_the_drawing_of_each() -> None:
    rng = np.random.default_rng(1)
    west, south = rng.uniform(0, 3, 4_000), rng.uniform(50, 52, 4_000)
    boxes = shapely.box(west, south, west + 0.3, south + 0.2)
    few = opened(footprint_map(boxes)).astype(int)
    # The same boxes and an empty remainder, past the number that is drawn one by one.
    repeated = np.concatenate([boxes, boxes])
    many = opened(footprint_map(repeated)).astype(int)
    inside = np.s_[40:400, 50:670]
    filled = [np.abs(each[inside] - GROUND).max(axis=-1) > 8 for each in (few, many)]
    assert (filled[0] != filled[1]).mean() < 0.01


def test_a_million_footprints_make_a_small_picture() -> None:
    rng = np.random.default_rng(2)
    west, south = rng.uniform(-180, 179, 1_000_000), rng.uniform(-90, 89, 1_000_000)
    assert len(footprint_map(shapely.box(west, south, west + 1, south + 1))) < 300_000


@pytest.mark.parametrize(
    "footprints",
    [
        np.array([], dtype=object),
        np.array([None, shapely.Polygon()]),
        np.array([shapely.Point(5, 5)]),
        np.array([shapely.box(-180, -90, 180, 90)]),
        np.array(
            [shapely.MultiPolygon([shapely.box(179, 0, 180, 1), shapely.box(-180, 0, -179, 1)])]
        ),
        np.array([shapely.box(5, 89, 6, 90), None]),
        np.array([shapely.LineString([(0, -80), (0, 80)])]),
    ],
    ids=["none", "nothing in them", "a point", "the world", "the date line", "the pole", "a line"],
)
def test_any_footprints_make_a_map(footprints: NDArray[np.object_]) -> None:
    picture = opened(footprint_map(footprints, title="x", width=400))
    assert picture.shape[1] == 400


def test_a_quicklook_spreads_the_2nd_to_98th_percentile_over_all_greys() -> None:
    values = np.arange(10_000, dtype=np.uint16).reshape(1, 100, 100)
    picture = opened(quicklook(values, np.ones((100, 100), bool), width=100))
    greys = picture[34:134, 12:112, 0].ravel()
    assert (greys[:150] <= 2).all()
    assert (greys[-150:] >= 253).all()
    assert greys[5_000] == pytest.approx(127, abs=3)


def test_pixels_without_data_are_hatched_and_do_not_shift_the_rest() -> None:
    values = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (3, 64, 1))
    valid = np.ones((3, 64, 64), bool)
    values[:, :8] = -9999
    valid[1, :8] = False
    picture = opened(quicklook(values, valid, width=64))[34:98, 12:76]
    assert (picture[:8] >= 215).all()
    assert picture[40, 60].mean() > 240
    assert picture[40, 3].mean() < 15


def test_three_bands_are_red_green_and_blue() -> None:
    values = np.zeros((3, 40, 40), np.uint8)
    values[0, :, 20:] = 200
    values[2, 20:] = 90
    picture = opened(quicklook(values, np.ones((40, 40), bool), width=40))[34:74, 12:52]
    assert picture[5, 30].tolist() == [255, 0, 0]
    assert picture[30, 5].tolist() == [0, 0, 255]
    assert picture[30, 30].tolist() == [255, 0, 255]


def test_bands_stretched_together_keep_their_balance() -> None:
    values = np.stack(
        [np.linspace(0, top, 100).repeat(40).reshape(100, 40) for top in (100, 50, 0)]
    )
    valid = np.ones((100, 40), bool)
    apart = opened(quicklook(values, valid, width=40))[34:134, 12:52]
    joined = opened(quicklook(values, valid, width=40, together=True))[34:134, 12:52]
    assert apart[98, 20, 1] > 250
    assert joined[98, 20, 1] == pytest.approx(joined[98, 20, 0] / 2, abs=12)
    assert joined[98, 20, 2] == 0


def test_small_arrays_are_enlarged_and_large_ones_shrunk() -> None:
    small = opened(quicklook(np.zeros((1, 10, 20)), np.ones((10, 20), bool), width=100))
    large = opened(quicklook(np.zeros((1, 1000, 3000)), np.ones((1000, 3000), bool), width=300))
    assert small.shape[0] == 50 + 85
    assert large.shape[0] == 100 + 85


def test_an_area_without_any_data_still_makes_a_picture() -> None:
    values = np.full((1, 20, 20), np.nan, np.float32)
    assert opened(quicklook(values, np.zeros((20, 20), bool), metres_per_pixel=10)).size


def test_two_bands_are_refused() -> None:
    with pytest.raises(ValueError, match="one band or three, not 2"):
        quicklook(np.zeros((2, 5, 5)), np.ones((5, 5), bool))
