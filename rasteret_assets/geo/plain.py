"""Polygons that need no decoding: one ring each, all of the same length.

Footprints mostly are such: a corner for each of a scene's, and the first again. As WKB they
are records of one size, so NumPy reads them where they lie.
"""

from functools import reduce
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rasteret_assets.contract.kinds import is_binary
from rasteret_assets.geo.geoparquet import GeometryForm

_HEAD: Final = b"\x01\x03\x00\x00\x00\x01\x00\x00\x00"
"""Little-endian, Polygon, one ring (OGC 06-103r4, section 8.2.8)."""
_POINTS_AT: Final = len(_HEAD) + 4
_POINT_BYTES: Final = 16
_LEAST_POINTS: Final = 4
_WORLD: Final = np.array((180.0, 90.0, 180.0, 90.0))


def plain_bounds(column: pa.Array, form: GeometryForm) -> NDArray[np.float64] | None:
    """Return left, bottom, right, top of each row, if the column needs no decoding at all.

    That is: little-endian ISO WKB in OGC:CRS84, every row a Polygon of one closed ring with
    as many points as the others, all within ±180 and ±90. None where any row is otherwise;
    `footprints` then tells the rows apart.
    """
    if form.crs is not None or not is_binary(column.type) or column.null_count or not len(column):
        return None
    records = _records(column)
    if records is None or not (records[:, :_POINTS_AT] == records[0, :_POINTS_AT]).all():
        return None
    count = int.from_bytes(records[0, len(_HEAD) : _POINTS_AT].tobytes(), "little")
    expected = _POINTS_AT + count * _POINT_BYTES
    head = records[0, : len(_HEAD)].tobytes()
    if head != _HEAD or count < _LEAST_POINTS or expected != records.shape[1]:
        return None
    points = np.ascontiguousarray(records[:, _POINTS_AT:]).view("<f8").reshape(-1, count, 2)
    if not (points[:, 0] == points[:, -1]).all():
        return None
    corners = points[:, 1:].transpose(1, 0, 2)  # the last is the first again
    bounds = np.concatenate([reduce(np.minimum, corners), reduce(np.maximum, corners)], axis=1)
    # nan passes through, compares as false, and so never lies within the world
    return bounds if (np.abs(bounds) <= _WORLD).all() else None


def _records(column: pa.Array) -> NDArray[np.uint8] | None:
    """Return the bytes of each value as a row, if all are equally long."""
    values = column.cast(pa.large_binary())
    _, offsets, data = values.buffers()
    ends = np.frombuffer(offsets, np.int64)[values.offset : values.offset + len(values) + 1]
    lengths = np.diff(ends)
    if not (lengths[0] > _POINTS_AT and (lengths == lengths[0]).all()):
        return None
    return np.frombuffer(data, np.uint8)[ends[0] : ends[-1]].reshape(len(values), -1)
