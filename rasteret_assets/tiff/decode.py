"""Tile bytes to arrays. No I/O; safe in threads, which run it side by side."""

from typing import Any, Final

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from rasteret_assets.errors import ProblemCode, TiffError
from rasteret_assets.tiff.decode_by_gdal import decode_by_gdal, is_old_lzw
from rasteret_assets.tiff.decode_codecs import (
    StoredTile,
    corrupt,
    decode_pixels,
    unpack_stream,
)
from rasteret_assets.tiff.decode_format import CCITT, JPEG, NONE, PIXEL_CODECS, TileFormat
from rasteret_assets.tiff.decode_samples import row_bytes, samples_of

_REVERSED_BITS: Final = 2


def decode_tile(
    data: StoredTile | None,
    form: TileFormat,
    *,
    tile_row: int = 0,
    sample: int | None = None,
    rows: range | None = None,
) -> NDArray[Any]:
    """Return the samples of one tile or strip.

    Parameters
    ----------
    data
        The tile as it is stored; None if it is not (byte count 0), which gives `form.fill`.
    tile_row
        Row of tiles it lies in.
    sample
        Index within the pixel of the one sample to return; None returns all.
    rows
        Rows wanted, with a step of 1; None returns all. What is wrong with the data of those
        below may go unnoticed, as may what only a checksum at the data's end tells.

    Returns
    -------
    numpy.ndarray
        (sample, y, x), or (y, x) of the asked sample; type `form.dtype`, maybe read-only.
        As high as `rows`, and as wide as a tile, also over the right edge of the image; rows
        below its lower edge are left out, since some writers do not store them.

    Raises
    ------
    TiffError
        `truncated`, if there is less data than uncompressed pixels take or than JPEG says;
        `corrupt`, if the data does not decode to exactly the tile; `unsupported`, for what
        only the data tells. Pixels are never made up for what is missing.
    """
    stored = form.rows_of(tile_row)
    rows = range(stored) if rows is None else range(stored)[rows.start : rows.stop]
    if data is None:
        shape = (len(rows), form.tile_width)
        filled = np.full(shape, form.fill, form.dtype)
        return filled if sample is not None else np.broadcast_to(filled, (form.samples, *shape))
    if form.fill_order == _REVERSED_BITS and form.compression != JPEG:
        data = bytes(imagecodecs.bitorder_decode(bytes(data)))
    if form.compression in CCITT or is_old_lzw(data, form):
        pixels = decode_by_gdal(data, form, stored)[rows.start : rows.stop]
    elif form.compression in PIXEL_CODECS:
        pixels = decode_pixels(bytes(data), form, stored)[rows.start : rows.stop]
    else:
        pixels = samples_of(_packed_rows(data, form, rows), form, len(rows))
    return pixels[..., sample] if sample is not None else np.moveaxis(pixels, -1, 0)


def decode_mask(
    data: StoredTile | None, form: TileFormat, *, tile_row: int = 0
) -> NDArray[np.bool_]:
    """Return one tile (y, x) of a mask image, True where valid.

    A tile that is not stored is invalid throughout, as in GDAL.

    Raises
    ------
    TiffError
        As `decode_tile` does.
    """
    return decode_tile(data, form, tile_row=tile_row, sample=0) != 0


def _packed_rows(data: StoredTile, form: TileFormat, rows: range) -> NDArray[np.uint8]:
    """Return the bytes of some rows of a tile; predictors never reach from row to row."""
    per_row = row_bytes(form)
    needed = rows.stop * per_row
    packed = unpack_stream(data, form.compression, form.tile_height * per_row, needed)
    if packed.size >= needed:
        return packed[rows.start * per_row : needed]
    detail = f"tile of {len(data)} bytes gives {packed.size} of {needed} bytes of pixels"
    if form.compression == NONE:
        raise TiffError(ProblemCode.TRUNCATED, detail)
    raise corrupt(detail)
