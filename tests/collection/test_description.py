import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import shapely

from rasteret_assets import Collection
from rasteret_assets.collection import drawing
from tests.collection.conftest import SCENES

SVG = "{http://www.w3.org/2000/svg}"


def drawings(html: str) -> list[ET.Element]:
    """The drawings, which have to be well-formed XML."""
    return [ET.fromstring(one) for one in re.findall(r"<svg.*?</svg>", html, re.DOTALL)]  # noqa: S314  # our own


def test_text_says_what_there_is(enriched: Collection) -> None:
    text = str(enriched.describe())
    assert re.search(r"^name +s2$", text, re.MULTILINE)
    assert re.search(r"^band B04 +6 of 6 records$", text, re.MULTILINE)
    assert re.search(r"^time +2024-01-15T05:30:00\+00:00 to 2024-04-24", text, re.MULTILINE)
    assert repr(enriched.describe()) == text


def test_html_has_a_map_bars_and_shares(enriched: Collection) -> None:
    html = enriched.describe()._repr_html_()
    place, times = drawings(html)
    assert place.findtext(f"{SVG}title") == f"{SCENES} footprints"
    assert [bar.findtext(f"{SVG}title") for bar in times.iter(f"{SVG}rect")] == [
        "2024-01: 1",
        "2024-02: 2",
        "2024-03: 1",
        "2024-04: 2",
    ]
    assert html.count("6 of 6") == 2
    assert len(html) < 8_000


def test_many_records_are_a_small_map_of_cells(world: Collection) -> None:
    html = world.describe()._repr_html_()
    place, times = drawings(html)
    assert (place.findtext(f"{SVG}title") or "").startswith("4,000 footprints, up to")
    assert len(list(times.iter(f"{SVG}rect"))) == 12
    assert len(html) < 60_000


def test_a_name_cannot_be_markup(world: Collection) -> None:
    told = world.describe()
    odd = type(told)({**told.summary, "name": "<b>x</b>"}, {}, lambda: "")
    assert "<b>" not in odd._repr_html_()


def test_nothing_can_be_described(world: Collection) -> None:
    told = world.where("id = 'nobody'").describe()
    assert "records" in str(told)
    assert drawings(told._repr_html_()) == []


def test_text_reads_no_footprints(world: Collection) -> None:
    def refuse() -> str:
        raise AssertionError

    told = world.describe()
    assert str(type(told)(told.summary, told.months, refuse))


def test_cells_count_the_boxes_that_shapely_finds_there() -> None:
    rng = np.random.default_rng(3)
    low = rng.uniform((-10, -5), (8, 4), (500, 2))
    boxes = np.hstack([low, low + rng.uniform(0.01, 2, (500, 2))])
    frame = drawing._Frame((-10, -5, 10, 6))
    counts = drawing._covered(boxes, frame)
    corners = [frame.place(boxes[:, at]) for at in ([0, 3], [2, 1])]
    placed = shapely.box(*np.hstack(corners).T)
    for row, column in [(5, 10), (12, 30), (20, 45)]:
        side = drawing._CELL
        cell = shapely.box(column * side, row * side, (column + 1) * side, (row + 1) * side)
        assert counts[row, column] == shapely.intersects(placed, cell).sum()


def test_boxes_across_the_antimeridian_are_drawn_at_both_edges() -> None:
    frame = drawing._Frame((-180, -10, 180, 10))
    boxes = drawing._in_halves(np.array([[178.0, -1, -178, 1]]))
    columns = np.flatnonzero(drawing._covered(boxes, frame).any(axis=0))
    middle = drawing._WIDTH / drawing._CELL / 2
    assert (columns < middle / 2).any()
    assert (columns > middle * 1.5).any()
    assert not ((columns > middle / 2) & (columns < middle * 1.5)).any()


@pytest.mark.parametrize("bounds", [(5, 5, 5, 5), (-180, -90, 180, 90), (10, 89, 10.1, 89.9)])
def test_any_extent_has_a_map_of_a_sane_size(bounds: tuple[float, float, float, float]) -> None:
    (drawn,) = drawings(drawing.map_of_outlines(np.array([shapely.box(*bounds)]), bounds))
    assert 60 <= float(drawn.get("height", 0)) <= 300


def test_many_years_are_bars_of_years() -> None:
    (drawn,) = drawings(drawing.bars({"1984-03": 2, "1984-04": 3, "2024-01": 7}))
    titles = [bar.findtext(f"{SVG}title") for bar in drawn.iter(f"{SVG}rect")]
    assert titles == ["1984: 5", "2024: 7"]
