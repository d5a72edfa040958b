"""Where tiles lie, for many headers at a time.

Headers of one family have their arrays cut alike; so arrays of neighbouring rows are put side
by side as one table, and that is cut, instead of each.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rasteret_assets.tiff.header import Header
from rasteret_assets.tiff.images import Storage

Numbers = NDArray[np.int64]

_LIST: Final = pa.list_(pa.int64())


class Cut(NamedTuple):
    """Where the tiles of some images of one band lie in a header's arrays."""

    lengths: Numbers
    """Tiles of each image."""
    parts: tuple[slice, ...]
    """Of the header's arrays; adjoining ones are joined, empty ones left out."""


class TileColumns(NamedTuple):
    """Offsets and byte counts of each image of each row, in order."""

    image: list[pa.ListArray]
    overviews: list[pa.ListArray]
    mask: list[pa.ListArray]
    overview_masks: list[pa.ListArray]


def tile_columns(headers: Sequence[Header], bands: Sequence[int | None]) -> TileColumns:
    """Return where the tiles of the given band of each header lie; of all planes where None."""
    known: dict[tuple[object, ...], tuple[Cut, ...]] = {}
    cuts = []
    for header, band in zip(headers, bands, strict=True):
        key = (header.image, header.overviews, header.mask, header.overview_masks, band)
        cuts.append(known.get(key) or known.setdefault(key, _cuts_of(header, band)))
    gathered = [_Gathered([], [], []) for _ in TileColumns._fields]
    first = 0
    for _, run in groupby(cuts, key=id):
        alike = list(run)
        rows = headers[first : first + len(alike)]
        first += len(alike)
        offsets = _beside([header.offsets for header in rows])
        byte_counts = _beside([header.byte_counts for header in rows])
        for into, cut in zip(gathered, alike[0], strict=True):
            into.lengths.extend([cut.lengths] * len(rows))
            if cut.parts:
                into.offsets.append(_taken(offsets, cut.parts))
                into.byte_counts.append(_taken(byte_counts, cut.parts))
    return TileColumns._make(
        [_lists(each.lengths, each.offsets), _lists(each.lengths, each.byte_counts)]
        for each in gathered
    )


class _Gathered(NamedTuple):
    """Parts of the arrays of many headers, in order."""

    lengths: list[Numbers]
    offsets: list[Numbers]
    byte_counts: list[Numbers]


def _cuts_of(header: Header, band_index: int | None) -> tuple[Cut, ...]:
    """Return where the tiles of a band lie, for each of `TileColumns`.

    Masks have one plane, and belong to every band.
    """
    at = 0

    def cut(storages: Sequence[Storage | None], plane: int | None) -> Cut:
        nonlocal at
        parts = []
        for storage in storages:
            start, at = at, at + (storage.tiles if storage else 0)
            if storage is None or plane is None or storage.planes == 1:
                parts.append((start, at))
            else:
                start += plane * storage.tiles_per_plane
                parts.append((start, start + storage.tiles_per_plane))
        return Cut(np.array([stop - start for start, stop in parts], np.int64), _joined(parts))

    return (
        cut([header.image], band_index),
        cut(header.overviews, band_index),
        cut([header.mask], None),
        cut(header.overview_masks, None),
    )


def _joined(parts: list[tuple[int, int]]) -> tuple[slice, ...]:
    joined: list[slice] = []
    for start, stop in parts:
        if joined and joined[-1].stop == start:
            joined[-1] = slice(joined[-1].start, stop)
        elif stop > start:
            joined.append(slice(start, stop))
    return tuple(joined)


def _beside(arrays: list[Numbers]) -> Numbers:
    """Return arrays of equal length as the rows of one."""
    if len(arrays) == 1:
        return arrays[0].reshape(1, -1)
    return np.concatenate(arrays).reshape(len(arrays), -1)


def _taken(beside: Numbers, parts: Sequence[slice]) -> Numbers:
    """Return the given columns of each row, row after row."""
    if len(parts) == 1:
        return beside[:, parts[0]].ravel()
    return np.concatenate([beside[:, part] for part in parts], axis=1).ravel()


def _lists(lengths: list[Numbers], values: list[Numbers]) -> pa.ListArray:
    nothing = np.empty(0, np.int64)
    ends = np.cumsum(np.concatenate([nothing, *lengths]))
    bounds = pa.array(np.concatenate([[0], ends]), pa.int32())
    return pa.ListArray.from_arrays(bounds, np.concatenate([nothing, *values]), type=_LIST)
