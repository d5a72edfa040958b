"""Small inline SVG drawings of a Collection: where its records lie, and when.

They take the text's colour from the page, so that they suit a dark one too.
"""

from collections.abc import Mapping, Sequence
from html import escape
from math import cos, radians
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import shapely
from numpy.typing import NDArray

from rasteret_assets.collection.summary import boxes_of

Box = tuple[float, float, float, float]
"""Left, bottom, right, top in degrees."""

_WIDTH: Final = 360
_MOST_HEIGHT: Final = 240
_LEAST_DEGREES: Final = 0.05
_CELL: Final = 6
"""Pixels of a side, where records are too many for outlines."""
_LEVELS: Final = 5
_MOST_OUTLINES: Final = 300
_BARS_HEIGHT: Final = 64
_MOST_BARS: Final = 60
_HUE: Final = "#2171b5"


def draw_map(rows: ds.Dataset, bounds: Box) -> str:
    """Return a map of the footprints: their outlines, or of many, where most of them lie."""
    boxes = boxes_of(rows)
    if len(boxes) > _MOST_OUTLINES:
        return map_of_cells(boxes, bounds)
    column = rows.to_table(columns=["geometry"])["geometry"].cast(pa.large_binary())
    shapes = shapely.from_wkb(column.to_numpy(), on_invalid="ignore")
    return map_of_outlines(shapes[~shapely.is_missing(shapes)], bounds)


def map_of_outlines(geometries: NDArray[np.object_], bounds: Box) -> str:
    """Return a map with the outline of each footprint."""
    frame = _Frame(bounds)
    placed = shapely.transform(geometries, frame.place)
    # Half a pixel is not seen, and outlines of swaths have hundreds of vertices.
    rings = shapely.get_rings(shapely.get_parts(shapely.simplify(placed, 0.5)))
    path = "".join(
        "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in shapely.get_coordinates(ring)[:-1]) + "Z"
        for ring in rings
    )
    drawn = f'<path d="{path}" fill="{_HUE}" fill-opacity=".15" stroke="{_HUE}" stroke-width=".8"/>'
    return frame.svg(drawn, f"{len(geometries):,} footprints")


def map_of_cells(boxes: NDArray[np.float64], bounds: Box) -> str:
    """Return a map whose cells are the darker the more boxes (rows of xmin … ymax) lie there."""
    frame = _Frame(bounds)
    counts = _covered(_in_halves(boxes), frame)
    levels = np.ceil(np.sqrt(counts / max(1, counts.max())) * _LEVELS).astype(int)
    drawn = "".join(
        f'<path d="{_runs(levels == level)}" fill="{_HUE}" fill-opacity="{level / _LEVELS:.2f}"/>'
        for level in range(1, _LEVELS + 1)
        if (levels == level).any()
    )
    return frame.svg(drawn, f"{len(boxes):,} footprints, up to {counts.max():,} in one place")


def bars(months: Mapping[str, int]) -> str:
    """Return a bar for each month (`2024-06`) from the first to the last, or for each year."""
    if not months:
        return ""
    names, counts = _every(months)
    step = _WIDTH / len(names)
    highest = max(counts)
    drawn = "".join(
        f'<rect x="{at * step:.1f}" y="{_BARS_HEIGHT * (1 - count / highest):.1f}" '
        f'width="{max(1.0, step - 1):.1f}" height="{_BARS_HEIGHT * count / highest:.1f}">'
        f"<title>{name}: {count:,}</title></rect>"
        for at, (name, count) in enumerate(zip(names, counts, strict=True))
        if count
    )
    below = _BARS_HEIGHT + 12
    ends = (
        f'<text x="0" y="{below}">{names[0]}</text>'
        f'<text x="{_WIDTH}" y="{below}" text-anchor="end">{names[-1]}</text>'
        f'<text x="{_WIDTH / 2}" y="{below}" text-anchor="middle">up to {highest:,}</text>'
    )
    return _svg(_BARS_HEIGHT + 16, f'<g fill="{_HUE}">{drawn}</g>{ends}', "records over time")


class _Frame:
    """Where longitudes and latitudes lie on a map, in pixels."""

    def __init__(self, bounds: Box) -> None:
        left, bottom, right, top = bounds
        middle = (bottom + top) / 2
        squeeze = max(0.2, cos(radians(middle)))
        across = max(right - left, _LEAST_DEGREES) * 1.1
        up = max((top - bottom) * 1.1, _LEAST_DEGREES, across * squeeze / 6)
        self.scale = min(_WIDTH / (across * squeeze), _MOST_HEIGHT / up)
        self.height = max(60, round(up * self.scale))
        self._squeeze = squeeze
        self._centre = ((left + right) / 2, middle)
        self._bounds = bounds

    def place(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return where points (longitude, latitude) lie: to the right, down."""
        x = _WIDTH / 2 + (points[:, 0] - self._centre[0]) * self._squeeze * self.scale
        y = self.height / 2 - (points[:, 1] - self._centre[1]) * self.scale
        return np.stack([x, y], axis=1)

    def svg(self, drawn: str, title: str) -> str:
        """Return the map with its extent written below."""
        left, bottom, right, top = self._bounds
        said = f"{_degrees(left, 'EW')} to {_degrees(right, 'EW')}, "
        said += f"{_degrees(bottom, 'NS')} to {_degrees(top, 'NS')}"
        frame = (
            f'<rect x=".5" y=".5" width="{_WIDTH - 1}" height="{self.height - 1}" fill="none" '
            'stroke="currentColor" stroke-opacity=".25"/>'
        )
        below = f'<text x="0" y="{self.height + 13}">{said}</text>'
        return _svg(self.height + 18, frame + drawn + below, title)


def _svg(height: int, drawn: str, title: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" role="img" '
        f'aria-label="{escape(title)}" font-family="sans-serif" font-size="11" '
        f'fill="currentColor"><title>{escape(title)}</title>{drawn}</svg>'
    )


def _degrees(value: float, sides: str) -> str:
    return f"{abs(value):.4g}°{sides[int(value < 0)] if round(value, 4) else ''}"


def _in_halves(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return boxes of which those that cross the antimeridian are two."""
    crossing = boxes[:, 0] > boxes[:, 2]
    west, east = boxes[crossing].copy(), boxes[crossing].copy()
    west[:, 2], east[:, 0] = 180, -180
    return np.concatenate([boxes[~crossing], west, east])


def _covered(boxes: NDArray[np.float64], frame: _Frame) -> NDArray[np.int64]:
    """Return for each cell (row, column) how many boxes touch it."""
    shape = (-(-frame.height // _CELL), -(-_WIDTH // _CELL))
    low, high = frame.place(boxes[:, [0, 3]]), frame.place(boxes[:, [2, 1]])
    most = np.array([shape[1], shape[0]]) - 1
    first = np.clip(low // _CELL, 0, most).astype(np.int64)
    stop = np.clip(high // _CELL, 0, most).astype(np.int64) + 1
    # Each box adds 1 from its first corner on, and takes it away past the others.
    edges = np.zeros((shape[0] + 1, shape[1] + 1), np.int64)
    for rows, columns, sign in (
        (first[:, 1], first[:, 0], 1),
        (stop[:, 1], first[:, 0], -1),
        (first[:, 1], stop[:, 0], -1),
        (stop[:, 1], stop[:, 0], 1),
    ):
        np.add.at(edges, (rows, columns), sign)
    counts: NDArray[np.int64] = edges.cumsum(axis=0).cumsum(axis=1)[:-1, :-1]
    return counts


def _runs(cells: NDArray[np.bool_]) -> str:
    """Return a path of the true cells, neighbours in a row as one rectangle."""
    padded = np.pad(cells, ((0, 0), (1, 1))).astype(np.int8)
    changes = np.diff(padded, axis=1)
    rows, starts = np.nonzero(changes == 1)
    _, stops = np.nonzero(changes == -1)
    return "".join(
        f"M{start * _CELL},{row * _CELL}h{(stop - start) * _CELL}v{_CELL}h{(start - stop) * _CELL}z"
        for row, start, stop in zip(rows, starts, stops, strict=True)
    )


def _every(months: Mapping[str, int]) -> tuple[Sequence[str], Sequence[int]]:
    """Return every month from the first to the last with its count, or every year."""
    first, last = np.datetime64(min(months), "M"), np.datetime64(max(months), "M")
    names = [str(month) for month in np.arange(first, last + 1)]
    if len(names) <= _MOST_BARS:
        return names, [months.get(name, 0) for name in names]
    years = [str(year) for year in np.arange(first.astype("M8[Y]"), last.astype("M8[Y]") + 1)]
    return years, [sum(n for m, n in months.items() if m.startswith(year)) for year in years]
