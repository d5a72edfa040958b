"""Transforms and control points from odd tags, against GDAL."""

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st

from tests.rig.headers import parse, struct_of
from tests.rig.tiff_builder import DOUBLE, SHORT, Entry, build, image

SCALE, TIEPOINT, MATRIX = 33550, 33922, 34264
AREA = [1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32632]
POINT = [*AREA[:11], 2, *AREA[12:]]
ROTATED = [1.0, 0.5, 0, 100, 0.25, -2, 0, 200, 0, 0, 0, 0, 0, 0, 0, 1]
ORIGIN = [0.0, 0, 0, 500, 600, 0]

CASES: dict[str, tuple[dict[int, list[float]], list[int]]] = {
    "plain": ({SCALE: [10, 20, 0], TIEPOINT: ORIGIN}, AREA),
    "point": ({SCALE: [10, 20, 0], TIEPOINT: ORIGIN}, POINT),
    "negative_y": ({SCALE: [10, -20, 0], TIEPOINT: ORIGIN}, AREA),
    "negative_x": ({SCALE: [-10, 20, 0], TIEPOINT: ORIGIN}, AREA),
    "two_scales": ({SCALE: [10, 20], TIEPOINT: ORIGIN}, AREA),
    "tiepoint_inside": ({SCALE: [10, 20, 0], TIEPOINT: [3, 4, 0, 500, 600, 0]}, AREA),
    "scale_and_points": ({SCALE: [10, 20, 0], TIEPOINT: [*ORIGIN, 5, 5, 0, 1, 2, 3]}, AREA),
    "rotated": ({MATRIX: ROTATED}, AREA),
    "rotated_point": ({MATRIX: ROTATED}, POINT),
    "straight_matrix": ({MATRIX: [2.0, 0, 0, 5, 0, 3, 0, 7, *ROTATED[8:]]}, AREA),
    "both": ({SCALE: [10, 20, 0], TIEPOINT: ORIGIN, MATRIX: ROTATED}, AREA),
    "zero_scale_and_matrix": ({SCALE: [10, 0, 0], TIEPOINT: ORIGIN, MATRIX: ROTATED}, AREA),
    "zero_scale": ({SCALE: [10, 0, 0], TIEPOINT: ORIGIN}, AREA),
    "one_scale": ({SCALE: [10], TIEPOINT: ORIGIN}, AREA),
    "short_matrix": ({MATRIX: ROTATED[:12]}, AREA),
    "one_point": ({TIEPOINT: [1, 2, 3, 500, 600, 7]}, AREA),
    "points": ({TIEPOINT: [*ORIGIN, 5, 5, 0, 1, 2, 3, 1, 1, 1, 1, 1, 1]}, AREA),
    "points_at_centres": ({TIEPOINT: [*ORIGIN, 5, 5, 0, 1, 2, 3, 1, 1, 1, 1, 1, 1]}, POINT),
    "nothing": ({}, AREA),
}


def _file(tags: dict[int, list[float]], keys: list[int], order: str = "<") -> bytes:
    entries = [Entry(tag=tag, kind=DOUBLE, values=values) for tag, values in tags.items()]
    entries.append(Entry(tag=34735, kind=SHORT, values=keys))
    entries.sort(key=lambda entry: entry.tag)
    return build([*image(), *entries], order=order)


def _struct(tags: dict[int, list[float]], keys: list[int] = AREA) -> dict[str, Any]:
    return struct_of(parse(_file(tags, keys)))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("order", ["<", ">"])
def test_the_place_is_where_gdal_puts_it(name: str, order: str, tmp_path: Path) -> None:
    path = tmp_path / "place.tif"
    path.write_bytes(_file(*CASES[name], order=order))
    struct = struct_of(parse(path.read_bytes()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(path) as dataset:
            transform, points = dataset.transform, dataset.gcps[0]
    if struct["transform"] is None:
        assert transform.is_identity
    elif len(struct["transform"]) == 6:
        assert struct["transform"] == pytest.approx(tuple(transform)[:6])
    else:
        assert struct["transform"] == [transform.a, transform.c, transform.e, transform.f]
        assert transform.b == transform.d == 0
    said = [[p.col, p.row, p.x, p.y, p.z] for p in points]
    ours = np.reshape(struct["gcps"] or [], (-1, 6))[:, [0, 1, 3, 4, 5]]
    assert ours.tolist() == said
    assert struct["crs"] == "EPSG:32632"


@pytest.mark.parametrize(
    "tags",
    [
        {SCALE: [10.0, 10, 0]},
        {SCALE: [10.0, 10, 0], TIEPOINT: [0.0, 0, 0, 500, 600]},
        {SCALE: [math.nan, 10, 0], TIEPOINT: ORIGIN},
        {SCALE: [10.0, 10, 0], TIEPOINT: [0, 0, 0, math.inf, 600, 0]},
        {MATRIX: [0.0] * 16},
        {MATRIX: [1.0, 2, 0, 0, 2, 4, 0, 0, *ROTATED[8:]]},
    ],
    ids=["no_tiepoint", "short_tiepoint", "nan", "inf", "zeros", "singular"],
)
def test_a_place_that_cannot_be_is_none_and_noted(tags: dict[int, list[float]]) -> None:
    """GDAL gives numbers here, which are at no place on earth."""
    struct = _struct(tags)
    assert struct["transform"] is struct["pixel_scale"] is struct["tiepoint"] is None
    assert struct["notes"]


def test_scale_and_tiepoint_are_kept_as_they_stand() -> None:
    struct = _struct({SCALE: [10, 20, 0], TIEPOINT: [*ORIGIN, 5, 5, 0, 1, 2, 3]}, POINT)
    assert struct["pixel_scale"] == [10, 20, 0]
    assert struct["tiepoint"] == ORIGIN
    assert struct["pixel_is_point"]


@given(
    scale=st.tuples(st.floats(0.001, 1e4), st.floats(0.001, 1e4)),
    corner=st.tuples(st.integers(-50, 50), st.integers(-50, 50)),
    place=st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)),
    point=st.booleans(),
)
def test_a_tiepoint_lies_where_its_pixel_does(
    scale: tuple[float, float],
    corner: tuple[int, int],
    place: tuple[float, float],
    point: bool,  # noqa: FBT001  # drawn
) -> None:
    keys = POINT if point else AREA
    struct = _struct({SCALE: [*scale, 0], TIEPOINT: [*corner, 0, *place, 0]}, keys)
    scale_x, origin_x, scale_y, origin_y = struct["transform"]
    column, row = corner[0] + 0.5 * point, corner[1] + 0.5 * point
    assert origin_x + scale_x * column == pytest.approx(place[0], abs=1e-6, rel=1e-9)
    assert origin_y + scale_y * row == pytest.approx(place[1], abs=1e-6, rel=1e-9)
