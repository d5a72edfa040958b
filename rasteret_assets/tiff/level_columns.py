"""Columns of the index that images have in common: how they are stored."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any, Final, Generic, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from rasteret_assets.tiff.images import Storage

Key = TypeVar("Key", bound=Hashable)

_STORAGE_FIELDS: Final[dict[str, str]] = {
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
    "t4_options": "t4_options",
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
        self.keys = list(index)
        """The distinct keys."""
        self.rows = pa.array(rows, pa.int32())
        """Which of them each row has."""

    def column(self, value_of: Callable[[Key], Any], kind: pa.DataType) -> pa.Array:
        """Return the value of each row."""
        return pa.array([value_of(key) for key in self.keys], kind).take(self.rows)


def flattened(lists: Shared[tuple[Key, ...]]) -> tuple[Shared[Key], pa.Array]:
    """Return the members of all rows' tuples in order, and where each row's begin and end."""
    members = Shared(chain.from_iterable(lists.keys))
    positions = iter(members.rows.to_pylist())
    own = [[next(positions) for _ in key] for key in lists.keys]
    taken = pa.array(own, pa.list_(pa.int32())).take(lists.rows)
    members.rows = taken.flatten()
    return members, taken.offsets


def storage_columns(kind: pa.StructType | pa.Schema, storages: Shared[Any]) -> dict[str, pa.Array]:
    """Return the fields of `kind` that say how images are stored; null where there is none."""
    return {
        name: storages.column(_optional(attribute), kind.field(name).type)
        for name, attribute in _STORAGE_FIELDS.items()
    }


def _optional(attribute: str) -> Callable[[Storage | None], object]:
    value_of = attrgetter(attribute)
    return lambda storage: None if storage is None else value_of(storage)


def levels(
    kind: pa.StructType,
    storages: Shared[Any],
    tiles: Sequence[pa.ListArray],
    **more: pa.Array,
) -> pa.StructArray:
    """Return a struct per image; null where there is none.

    Parameters
    ----------
    kind
        The contract's `MASK` or `OVERVIEW`.
    tiles
        Offsets and byte counts of each, empty for images that are not there.
    more
        Columns of `kind` that neither of them gives.
    """
    columns = {**more, **storage_columns(kind, storages)}
    columns["tile_offsets"], columns["tile_byte_counts"] = tiles
    return pa.StructArray.from_arrays(
        [columns[field.name] for field in kind],
        fields=list(kind),
        mask=pc.is_null(columns["image_width"]),
    )
