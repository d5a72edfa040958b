"""Columns of the index that images have in common: how they are stored, where tiles lie."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import pairwise
from operator import attrgetter
from typing import Any, Final, Generic, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rasteret_assets.tiff.header import Header
from rasteret_assets.tiff.images import Storage

Key = TypeVar("Key", bound=Hashable)

_TILES: Final = pa.list_(pa.int64())

STORAGE_FIELDS: Final[dict[str, str]] = {
    "image_width": "width",
    "image_height": "height",
    "tile_width": "tile_width",
    "tile_height": "tile_height",
    "tiled": "tiled",
    "bits_per_sample": "bits_per_sample",
    "samples_per_pixel": "samples_per_pixel",
    "planar_configuration": "planar_configuration",
    "photometric": "photometric",
    "compression": "compression",
    "predictor": "predictor",
    "fill_order": "fill_order",
    "ycbcr_subsampling": "ycbcr_subsampling",
    "jpeg_tables": "jpeg_tables",
    "lerc_parameters": "lerc_parameters",
}
"""Fields of the contract's `MASK` and `OVERVIEW`, and the attribute of `Storage` in each."""


class Shared(Generic[Key]):
    """Values that many rows have in common: each is made once, then repeated.

    Parameters
    ----------
    keys
        One per row; rows of equal keys have equal values. None is a key like any other.
    """

    def __init__(self, keys: Iterable[Key]) -> None:
        index: dict[Key, int] = {}
        rows = [index.setdefault(key, len(index)) for key in keys]
        self._rows = pa.array(rows, pa.int32())
        self._keys = list(index)

    def column(self, value_of: Callable[[Key], Any], kind: pa.DataType) -> pa.Array:
        """Return the value of each row."""
        return pa.array([value_of(key) for key in self._keys], kind).take(self._rows)


class Cut(NamedTuple):
    """Where the tiles of one band lie in a header's arrays, image by image."""

    image: slice
    overviews: tuple[slice, ...]
    mask: slice
    overview_masks: tuple[slice, ...]


def cut_of(header: Header, band_index: int | None) -> Cut:
    """Return where the tiles of a band lie; of all planes if it is None.

    Masks have one plane, and belong to every band.
    """
    at = 0

    def take(storage: Storage | None, plane: int | None) -> slice:
        nonlocal at
        if storage is None:
            return slice(at, at)
        start, at = at, at + storage.tiles
        if plane is None or storage.planes == 1:
            return slice(start, at)
        start += plane * storage.tiles_per_plane
        return slice(start, start + storage.tiles_per_plane)

    return Cut(
        take(header.image, band_index),
        tuple(take(storage, band_index) for storage in header.overviews),
        take(header.mask, None),
        tuple(take(storage, None) for storage in header.overview_masks),
    )


class Tiles:
    """Gathers tile offsets and byte counts of many images, in order."""

    def __init__(self) -> None:
        self._lengths: list[int] = []
        self._offsets: list[NDArray[np.int64]] = []
        self._byte_counts: list[NDArray[np.int64]] = []

    def add(self, header: Header, parts: Sequence[slice]) -> None:
        """Take in one image of `header` for each of `parts`."""
        self._lengths += [part.stop - part.start for part in parts]
        if len(parts) > 1 and _adjoining(parts):
            parts = (slice(parts[0].start, parts[-1].stop),)
        for part in parts:
            self._offsets.append(header.offsets[part])
            self._byte_counts.append(header.byte_counts[part])

    def columns(self) -> tuple[pa.ListArray, pa.ListArray]:
        """Return offsets and byte counts, one list per image."""
        bounds = list_bounds(self._lengths)
        return (
            pa.ListArray.from_arrays(bounds, _concatenated(self._offsets), type=_TILES),
            pa.ListArray.from_arrays(bounds, _concatenated(self._byte_counts), type=_TILES),
        )


def _adjoining(parts: Sequence[slice]) -> bool:
    return all(one.stop == two.start for one, two in pairwise(parts))


def _concatenated(arrays: list[NDArray[np.int64]]) -> pa.Array:
    return pa.array(np.concatenate([np.empty(0, np.int64), *arrays]), pa.int64())


def list_bounds(lengths: Sequence[int]) -> pa.Array:
    """Return where each of several lists begins, and where the last one ends."""
    return pa.array(np.cumsum([0, *lengths], dtype=np.int64), pa.int32())


def levels(
    kind: pa.StructType, storages: Sequence[Storage | None], tiles: Tiles, **more: pa.Array
) -> pa.StructArray:
    """Return a struct per image; null where there is none.

    Parameters
    ----------
    kind
        The contract's `MASK` or `OVERVIEW`.
    tiles
        Holds the arrays of each, none for images that are not there.
    more
        Columns of `kind` that neither of them gives.
    """
    columns = {**more, **storage_columns(kind, storages)}
    columns["tile_offsets"], columns["tile_byte_counts"] = tiles.columns()
    return pa.StructArray.from_arrays(
        [columns[field.name] for field in kind],
        fields=list(kind),
        mask=pa.array([storage is None for storage in storages], pa.bool_()),
    )


def storage_columns(kind: pa.StructType, storages: Iterable[Storage | None]) -> dict[str, pa.Array]:
    """Return the fields of `kind` that say how images are stored."""
    shared = Shared(storages)
    columns = {}
    for name, attribute in STORAGE_FIELDS.items():
        columns[name] = shared.column(_optional(attribute), kind.field(name).type)
    return columns


def _optional(attribute: str) -> Callable[[Storage | None], object]:
    value_of = attrgetter(attribute)
    return lambda storage: None if storage is None else value_of(storage)
