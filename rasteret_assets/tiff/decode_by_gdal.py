"""Rare codecs, decoded by GDAL: each tile is put into a small TIFF of its own, in memory."""

import struct
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rasteret_assets.errors import ProblemCode, TiffError
from rasteret_assets.tiff import tags
from rasteret_assets.tiff.decode_codecs import StoredTile
from rasteret_assets.tiff.decode_format import LZW, PREDICTED, TileFormat

_HEADER: Final = 8
_LONG: Final = 4
_MARKS: Final = {"<": b"II", ">": b"MM"}
_PLANAR_CHUNKY: Final = 1


def is_old_lzw(data: StoredTile, form: TileFormat) -> bool:
    """Whether a tile is LZW with its bits the other way round, as was written before 1990.

    Its first code, 256 of nine bits, tells them apart (libtiff: LZW_COMPAT).
    """
    return (
        form.compression == LZW and data[:1] == b"\\x00" and bool(data[1:2]) and bool(data[1] & 1)
    )


def decode_by_gdal(data: StoredTile, form: TileFormat, rows: int) -> NDArray[Any]:
    """Return the first `rows` rows of pixels (y, x, sample) of a tile.

    Raises
    ------
    TiffError
        `corrupt`, if GDAL cannot decode it.
    """
    # imported where it is needed: rare, and slow to import
    import rasterio.io  # noqa: PLC0415
    from rasterio.errors import RasterioError  # noqa: PLC0415

    height = form.tile_height if form.tiled else rows
    try:
        with (
            rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"),
            rasterio.io.MemoryFile(_as_file(bytes(data), form, height)) as memory,
            memory.open(driver="GTiff") as dataset,
        ):
            pixels = np.moveaxis(dataset.read(), 0, -1)
    except RasterioError as error:
        detail = f"tile of {len(data)} bytes, compression {form.compression}: {error}"
        raise TiffError(ProblemCode.CORRUPT, detail) from error
    return pixels[:rows].astype(form.dtype, copy=False)


def _as_file(data: bytes, form: TileFormat, height: int) -> bytes:
    """Return a TIFF of one strip (TIFF 6.0, section 2), which holds the tile."""
    entries: dict[int, int | tuple[int, ...]] = {
        tags.WIDTH: form.tile_width,
        tags.HEIGHT: height,
        tags.BITS_PER_SAMPLE: (form.bits_per_sample,) * form.samples,
        tags.COMPRESSION: form.compression,
        tags.PHOTOMETRIC: form.photometric,
        tags.STRIP_OFFSETS: _HEADER,
        tags.SAMPLES_PER_PIXEL: form.samples,
        tags.ROWS_PER_STRIP: height,
        tags.STRIP_BYTE_COUNTS: len(data),
        tags.PLANAR_CONFIGURATION: _PLANAR_CHUNKY,
        tags.T4_OPTIONS: form.t4_options,
        tags.SAMPLE_FORMAT: (form.sample_format,) * form.samples,
    }
    if form.compression in PREDICTED:
        entries[tags.PREDICTOR] = form.predictor
    order = form.byte_order
    stored = data + b"\\0" * (len(data) % 2)  # a directory begins at an even byte
    start = _HEADER + len(stored)
    lists = start + 2 + 12 * len(entries) + 4
    directory, beyond = struct.pack(f"{order}H", len(entries)), b""
    for tag, value in sorted(entries.items()):
        numbers = value if isinstance(value, tuple) else (value,)
        packed = struct.pack(f"{order}{len(numbers)}I", *numbers)
        if len(packed) > _LONG:
            where = lists + len(beyond)
            beyond += packed
            packed = struct.pack(f"{order}I", where)
        directory += struct.pack(f"{order}HHI", tag, _LONG, len(numbers)) + packed
    mark = _MARKS[order] + struct.pack(f"{order}HI", 42, start)
    return mark + stored + directory + bytes(4) + beyond
