"""Where the tiles of an image lie: its arrays of offsets and byte counts."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rasteret_assets.errors import ProblemCode, TiffError
from rasteret_assets.tiff import tags
from rasteret_assets.tiff.directories import Directory, Place
from rasteret_assets.tiff.images import Storage
from rasteret_assets.tiff.reading import Reading

_UNCOMPRESSED: Final = 1


class RawArray(NamedTuple):
    """Numbers as they stand in the file."""

    code: str
    data: bytes


class TileIndex(NamedTuple):
    """The arrays of one image; byte counts are None where the file leaves them out."""

    offsets: RawArray
    byte_counts: RawArray | None


def take_tile_index(
    reading: Reading, directory: Directory, tiles: int, *, tiled: bool
) -> TileIndex | None:
    """Return the arrays of an image of so many `tiles`, or None for want of bytes.

    Raises
    ------
    TiffError
        `over_budget` for too many tiles; `corrupt` if an array is missing, too short, or not
        of whole numbers.
    """
    layout = directory.layout
    if tiles > reading.budget.tiles:
        detail = f"an image of {tiles} tiles, the limit is {reading.budget.tiles}"
        raise TiffError(ProblemCode.OVER_BUDGET, detail)
    if layout.offsets is None or (layout.offsets.tag == tags.TILE_OFFSETS and not tiled):
        detail = "tile offsets or tile size missing"
        raise TiffError(ProblemCode.CORRUPT, detail)
    offsets = _take(reading, directory, layout.offsets, tiles)
    if layout.byte_counts is None:
        return None if offsets is None else TileIndex(offsets, None)
    byte_counts = _take(reading, directory, layout.byte_counts, tiles)
    if offsets is None or byte_counts is None:
        return None
    return TileIndex(offsets, byte_counts)


def _take(reading: Reading, directory: Directory, place: Place, tiles: int) -> RawArray | None:
    if place.count < tiles or place.code not in tags.UNSIGNED:
        detail = f"tag {place.tag}: {place.count} values of type {place.code} for {tiles} tiles"
        raise TiffError(ProblemCode.CORRUPT, detail)
    data = reading.take(directory.start_of(place), tiles * place.item_bytes)
    return None if data is None else RawArray(place.code, data)


def joined(
    byte_order: str, indexes: list[TileIndex], storages: list[Storage], size: int | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return offsets and byte counts of all images, one after the other.

    Raises
    ------
    TiffError
        `truncated` if a tile ends behind the file's `size`; `corrupt` if an offset or a count
        is beyond any file.
    """
    offsets = np.concatenate(
        [np.frombuffer(index.offsets.data, byte_order + index.offsets.code) for index in indexes],
        dtype=np.int64,
        casting="unsafe",  # over 2^63 turns negative, which is refused below
    )
    byte_counts = np.concatenate(
        [
            _byte_counts(byte_order, index, storage)
            for index, storage in zip(indexes, storages, strict=True)
        ],
        dtype=np.int64,
        casting="unsafe",
    )
    _check(offsets, byte_counts, size)
    return offsets, byte_counts


def _byte_counts(byte_order: str, index: TileIndex, storage: Storage) -> NDArray[np.generic]:
    """Return the byte counts of one image; computed where it is not compressed and has none."""
    if index.byte_counts is not None:
        return np.frombuffer(index.byte_counts.data, byte_order + index.byte_counts.code)
    if storage.compression != _UNCOMPRESSED:
        detail = "byte counts missing"
        raise TiffError(ProblemCode.CORRUPT, detail)
    row_bits = storage.tile_width * storage.bits_per_sample
    row_bytes = -(-row_bits * (storage.samples_per_pixel // storage.planes) // 8)
    rows = np.full(storage.tiles, storage.tile_height)
    if not storage.tiled:
        last = storage.height - (storage.tiles_per_plane - 1) * storage.tile_height
        rows[storage.tiles_per_plane - 1 :: storage.tiles_per_plane] = last
    return rows * row_bytes


def _check(offsets: NDArray[np.int64], byte_counts: NDArray[np.int64], size: int | None) -> None:
    if int(offsets.min()) < 0 or int(byte_counts.min()) < 0:
        detail = "a tile at, or of, more than 2^63 bytes"
        raise TiffError(ProblemCode.CORRUPT, detail)
    if size is None:
        return
    ends = (offsets + byte_counts).view(np.uint64)  # no sum of two int64 exceeds a uint64
    furthest = int(ends.max())
    if furthest > size:
        detail = f"tiles reach to byte {furthest} of a file of {size}"
        raise TiffError(ProblemCode.TRUNCATED, detail)
