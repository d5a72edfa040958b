"""GeoArrow's native encodings: nested lists of coordinates (GeoParquet 1.1, "Native encodings")."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray
from shapely import GeometryType

_BY_DEPTH: Final = (
    GeometryType.POINT,
    GeometryType.LINESTRING,
    GeometryType.POLYGON,
    GeometryType.MULTIPOLYGON,
)
_BY_NAME: Final = {
    "multipoint": (1, GeometryType.MULTIPOINT),
    "multilinestring": (2, GeometryType.MULTILINESTRING),
}
"""Those whose nesting another type shares: only a name tells them apart."""

_RING_POINTS: Final = 4
_LINE_POINTS: Final = 2


def native_depth(kind: pa.DataType) -> int:
    """Return how many lists lie around the coordinates, -1 if this is no geometry."""
    depth = 0
    while _is_list(kind):
        kind = kind.value_type
        depth += 1
    return depth if depth < len(_BY_DEPTH) and _is_coordinate(kind) else -1


def from_native(column: pa.Array, encoding: str | None) -> NDArray[np.object_]:
    """Return the geometries of nested lists, None where null or where a ring is not one.

    Shapely reads interleaved pairs of coordinates where they lie; others are copied once.

    Parameters
    ----------
    encoding
        GeoParquet's name of the encoding; without it one list is a line, two are a polygon.
    """
    depth = native_depth(column.type)
    named_depth, named = _BY_NAME.get(encoding or "", (depth, _BY_DEPTH[depth]))
    kind = named if named_depth == depth else _BY_DEPTH[depth]
    present = np.flatnonzero(pc.is_valid(column).to_numpy(zero_copy_only=False))
    parts = _unnest(_only(column, present))
    sound = parts.sound(kind)
    if not sound.all():
        present = present[sound]
        parts = _unnest(_only(column, present))
    offsets = tuple(reversed(parts.offsets)) or None
    found = np.full(len(column), None, object)
    found[present] = shapely.from_ragged_array(kind, parts.points, offsets)
    return found


@dataclass(frozen=True, slots=True)
class _Ragged:
    """Coordinates, and where each list of every level begins in the next, outermost first."""

    points: NDArray[np.float64]
    offsets: list[NDArray[np.int64]]

    def sound(self, kind: GeometryType) -> NDArray[np.bool_]:
        """Return which rows GEOS would build: rings closed, lines of two points or more."""
        if not self.offsets:
            return np.ones(len(self.points), np.bool_)
        starts, stops = self.offsets[-1][:-1], self.offsets[-1][1:]
        count = stops - starts
        if kind in (GeometryType.POLYGON, GeometryType.MULTIPOLYGON):
            safe = count > 0
            first, last = self.points[starts[safe]], self.points[stops[safe] - 1]
            good = count >= _RING_POINTS
            good[safe] &= (first == last).all(axis=1)
        elif kind in (GeometryType.LINESTRING, GeometryType.MULTILINESTRING):
            good = (count == 0) | (count >= _LINE_POINTS)
        else:
            good = np.ones(len(count), np.bool_)
        for level in reversed(self.offsets[:-1]):
            bad = np.concatenate([[0], np.cumsum(~good)])
            good = bad[level[1:]] == bad[level[:-1]]
        return good


def _unnest(column: pa.Array) -> _Ragged:
    offsets = []
    while _is_list(column.type):
        lengths = pc.fill_null(pc.list_value_length(column), 0)
        offsets.append(np.concatenate([[0], np.cumsum(lengths.to_numpy())]).astype(np.int64))
        column = column.flatten()
    if pa.types.is_struct(column.type):
        axes = [column.field(name) for name in ("x", "y")]
        points = np.stack([axis.to_numpy(zero_copy_only=False) for axis in axes], axis=1)
    else:
        size = column.type.list_size
        axes = column.values.slice(column.offset * size, len(column) * size)
        points = axes.to_numpy(zero_copy_only=False).reshape(-1, size)[:, :2]
    return _Ragged(np.ascontiguousarray(points, np.float64), offsets)


def _only(column: pa.Array, rows: NDArray[np.intp]) -> pa.Array:
    """Return ascending rows of `column`, itself where they are all: coordinates are many."""
    return column if len(rows) == len(column) else column.take(pa.array(rows))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _is_coordinate(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        names = {field.name for field in kind if pa.types.is_floating(field.type)}
        return {"x", "y"} <= names
    return bool(pa.types.is_fixed_size_list(kind) and pa.types.is_floating(kind.value_type))
