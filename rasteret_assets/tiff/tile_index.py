"""Where the tiles of a file's images lie: arrays of offsets and byte counts."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from rasteret_assets.errors import ProblemCode, TiffError
from rasteret_assets.tiff.directories import Directory
from rasteret_assets.tiff.family import Array, Family
from rasteret_assets.tiff.images import Storage
from rasteret_assets.tiff.reading import Reading

_UNCOMPRESSED: Final = 1

Numbers = NDArray[np.generic]


def take_array(reading: Reading, directory: Directory, array: Array) -> Numbers | None:
    """Return the numbers of one array as they stand in the file, or None for want of bytes."""
    data = reading.take(directory.start_of(array.place), array.size)
    return None if data is None else np.frombuffer(data, array.dtype)


def implied_byte_counts(storage: Storage) -> Numbers:
    """Return the byte counts of an image whose file leaves them out.

    Raises
    ------
    TiffError
        `corrupt`, if it is compressed, so that nothing implies them.
    """
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


def joined(parts: list[Numbers]) -> NDArray[np.int64]:
    """Return the arrays of all images, one after the other."""
    # beyond 2^63 the numbers turn negative, which `check_tiles` refuses
    return np.concatenate(parts, dtype=np.int64, casting="unsafe")


def check_tiles(
    family: Family, offsets: NDArray[np.int64], byte_counts: NDArray[np.int64], size: int | None
) -> None:
    """Refuse tiles that no file, or not this one, can hold.

    Raises
    ------
    TiffError
        `truncated` if a tile ends behind the file's `size`; `corrupt` if an offset or a count
        is beyond 2^63.
    """
    if family.wide and min(np.minimum.reduce(offsets), np.minimum.reduce(byte_counts)) < 0:
        detail = "a tile at, or of, more than 2^63 bytes"
        raise TiffError(ProblemCode.CORRUPT, detail)
    if size is None:
        return
    ends = (offsets + byte_counts).view(np.uint64)  # no sum of two int64 exceeds a uint64
    furthest = int(np.maximum.reduce(ends))
    if furthest > size:
        detail = f"tiles reach to byte {furthest} of a file of {size}"
        raise TiffError(ProblemCode.TRUNCATED, detail)
