"""Codecs: the bytes of a tile to its packed rows, or straight to pixels.

Every decoder is given room for what the tile may hold and no more, so data that unpacks to
more is an error instead of a full memory. All release the GIL while they work.
"""

from collections.abc import Callable
from typing import Any, Final, cast

import imagecodecs
import numpy as np
from isal import igzip_lib
from numpy.typing import NDArray

from rasteret_assets.errors import ProblemCode, TiffError
from rasteret_assets.tiff.decode_format import (
    DEFLATE,
    DEFLATE_OLD,
    JPEG,
    JPEG2000,
    JPEG_XL,
    JPEG_XL_1_7,
    LERC,
    LZMA,
    LZW,
    NONE,
    PACKBITS,
    WEBP,
    YCBCR,
    ZSTD,
    TileFormat,
)

Bytes = NDArray[np.uint8]
Pixels = NDArray[Any]
StoredTile = bytes | memoryview

_MARK: Final = np.frombuffer(bytes.fromhex("8b1e5fa3c7d2409b76e83d0c91f4a25d"), np.uint8)
"""Bytes that are overwritten where a decoder has come past them; any that are seldom in data."""
_BEFORE_MARK: Final = 64
"""Bytes that libdeflate may write ahead of where it is: fewer than so many."""
_BEHIND_MARK: Final = 258
"""Bytes that it may leave empty where its room ends: its longest match less one."""
# its stub says that it is an exception, not a class of them
_ISAL_ERROR = cast("type[Exception]", igzip_lib.IsalError)
_WEBP_ALPHA_SAMPLES: Final = 4
_JPEG_SCAN: Final = b"\xff\xda"
_JPEG_END: Final = b"\xff\xd9"
_LERC_HEADROOM: Final = 4096


def corrupt(detail: str) -> TiffError:
    """Return the error for a tile whose data cannot be what its index says."""
    return TiffError(ProblemCode.CORRUPT, detail)


def unpack_stream(data: StoredTile, codec: int, room: int, needed: int | None = None) -> Bytes:
    """Return what `data` unpacks to, at most `room` bytes of it.

    Parameters
    ----------
    needed
        How many of its first bytes are of use; maybe no more are unpacked.

    Raises
    ------
    TiffError
        `corrupt`, if the data is damaged or unpacks to more than `room` bytes.
    """
    if codec == NONE:
        return np.frombuffer(data, np.uint8)[:room]
    decode, name = _STREAMS[codec]
    try:
        if needed is not None and needed < room and codec in _FIRST_BYTES:
            return _FIRST_BYTES[codec](data, needed)
        # LZW and LZMA stop silently where the room ends: one more byte tells that they did
        unpacked: Bytes = decode(data, out=np.empty(room + 1, np.uint8))
    except (RuntimeError, ValueError, _ISAL_ERROR) as error:
        detail = f"{name} tile of {len(data)} bytes does not decode: {error}"
        raise corrupt(detail) from error
    if unpacked.size > room:
        detail = f"{name} tile of {len(data)} bytes unpacks to more than its {room} bytes"
        raise corrupt(detail)
    return unpacked


def _first_inflated(data: StoredTile, needed: int) -> Bytes:
    """Return the first bytes of a deflate stream.

    libdeflate, which is behind imagecodecs, does not promise to stop early, but gives up where its
    room ends and leaves there what it has unpacked so far, from the first byte on. A mark behind
    the bytes needed tells whether it came so far: not so if a block that is stored as it is does
    not fit the room, nor if the data is damaged. ISA-L can stop early, but never before 64 KiB.
    """
    marked = needed + _BEFORE_MARK
    room = np.empty(marked + _MARK.size + _BEHIND_MARK, np.uint8)
    mark = room[marked : marked + _MARK.size]
    mark[:] = _MARK
    decode, _ = _STREAMS[DEFLATE]
    try:
        unpacked: Bytes = decode(data, out=room)
    except imagecodecs.DeflateError:
        if mark.tobytes() != _MARK.tobytes():
            return room[:needed]
    else:
        return unpacked
    stream = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_ZLIB)
    return np.frombuffer(stream.decompress(data, needed), np.uint8)


def _first_of_lzw(data: StoredTile, needed: int) -> Bytes:
    decode, _ = _STREAMS[LZW]
    unpacked: Bytes = decode(data, out=np.empty(needed, np.uint8))
    return unpacked


# imagecodecs' own annotations leave out that arrays are taken and given
_STREAMS: Final[dict[int, tuple[Callable[..., Any], str]]] = {
    DEFLATE: (imagecodecs.deflate_decode, "deflate"),
    DEFLATE_OLD: (imagecodecs.deflate_decode, "deflate"),
    ZSTD: (imagecodecs.zstd_decode, "zstd"),
    LZW: (imagecodecs.lzw_decode, "LZW"),
    PACKBITS: (imagecodecs.packbits_decode, "PackBits"),
    LZMA: (imagecodecs.lzma_decode, "LZMA"),
}
_FIRST_BYTES: Final[dict[int, Callable[..., Bytes]]] = {
    DEFLATE: _first_inflated,
    DEFLATE_OLD: _first_inflated,
    LZW: _first_of_lzw,
}
"""What unpacks the first bytes alone."""


def decode_pixels(data: bytes, form: TileFormat, rows: int) -> Pixels:
    """Return the first `rows` of pixels (y, x, sample) of a tile whose codec gives pixels.

    Raises
    ------
    TiffError
        `corrupt` or `truncated`, if the data is damaged, cut off, or of another size or
        type than its index says.
    """
    decode = _PIXELS[form.compression]
    # a last strip is short and a last tile whole (TIFF 6.0, section 15); writers err in both
    heights = (form.tile_height, rows) if form.tiled else (rows, form.tile_height)
    for height in heights:
        shape = (height, form.tile_width, form.samples)
        try:
            return decode(data, form, shape)[:rows]
        except (RuntimeError, ValueError) as error:
            if height == heights[-1]:
                detail = f"{_NAMES[form.compression]} tile of {shape} does not decode: {error}"
                raise corrupt(detail) from error
    raise AssertionError


def _room(form: TileFormat, shape: tuple[int, int, int]) -> Pixels:
    """Return an array to decode into; single samples have no axis of their own."""
    return np.empty(shape if shape[2] > 1 else shape[:2], form.dtype)


def _jpeg(data: bytes, form: TileFormat, shape: tuple[int, int, int]) -> Pixels:
    # the decoder goes on with grey where data ends early, so the end marker is looked for;
    # within a scan 0xff is always followed by 0 or a marker (ITU-T T.81, B.1.1.5)
    if data.rfind(_JPEG_END) < data.find(_JPEG_SCAN):
        detail = f"JPEG tile of {len(data)} bytes ends before its image does"
        raise TiffError(ProblemCode.TRUNCATED, detail)
    colours = form.photometric == YCBCR and form.samples > 1
    pixels = imagecodecs.jpeg8_decode(
        data,
        tables=form.jpeg_tables,
        colorspace="YCBCR" if colours else "UNKNOWN",
        outcolorspace="RGB" if colours else "UNKNOWN",
        out=_room(form, shape),
    )
    return pixels.reshape(shape)


def _webp(data: bytes, form: TileFormat, shape: tuple[int, int, int]) -> Pixels:
    alpha = form.samples == _WEBP_ALPHA_SAMPLES  # left out of tiles that are opaque throughout
    pixels = imagecodecs.webp_decode(data, hasalpha=alpha, out=_room(form, shape))
    return pixels.reshape(shape)


def _jpeg2000(data: bytes, form: TileFormat, shape: tuple[int, int, int]) -> Pixels:
    pixels = imagecodecs.jpeg2k_decode(data, planar=False, out=_room(form, shape))
    return pixels.reshape(shape)


def _jpeg_xl(data: bytes, form: TileFormat, shape: tuple[int, int, int]) -> Pixels:
    pixels = imagecodecs.jpegxl_decode(data, out=_room(form, shape))
    return pixels.reshape(shape)


def _lerc(data: bytes, form: TileFormat, shape: tuple[int, int, int]) -> Pixels:
    if form.lerc_codec != NONE:
        pixels_stored = shape[0] * shape[1]
        largest = pixels_stored * shape[2] * form.dtype.itemsize + pixels_stored + _LERC_HEADROOM
        data = unpack_stream(data, form.lerc_codec, largest + largest // 3).tobytes()
    room = _room(form, shape)
    if form.dtype.kind == "f":
        pixels, valid = imagecodecs.lerc_decode(data, masks=True, out=room)
        if valid is not None:  # libtiff: pixels that a LERC mask leaves out are not a number
            pixels[~valid] = np.nan
        return pixels.reshape(shape)
    try:
        return imagecodecs.lerc_decode(data, out=room).reshape(shape)
    except ValueError:
        if form.samples == 1:
            raise
    return _lerc_with_alpha(data, form, shape)


def _lerc_with_alpha(data: bytes, form: TileFormat, shape: tuple[int, int, int]) -> Pixels:
    """Return pixels whose last sample, an alpha of 0 or 255 alone, is kept as LERC's mask."""
    colours = (*shape[:2], shape[2] - 1)
    pixels, valid = imagecodecs.lerc_decode(data, masks=True, out=_room(form, colours))
    alpha = np.where(valid, form.dtype.type(255), form.dtype.type(0))
    return np.concatenate([pixels.reshape(colours), alpha.reshape(*shape[:2], -1)[..., :1]], axis=2)


_PIXELS: Final[dict[int, Callable[[bytes, TileFormat, tuple[int, int, int]], Pixels]]] = {
    JPEG: _jpeg,
    WEBP: _webp,
    JPEG2000: _jpeg2000,
    JPEG_XL: _jpeg_xl,
    JPEG_XL_1_7: _jpeg_xl,
    LERC: _lerc,
}
_NAMES: Final = {
    JPEG: "JPEG",
    WEBP: "WebP",
    JPEG2000: "JPEG 2000",
    JPEG_XL: "JPEG XL",
    JPEG_XL_1_7: "JPEG XL",
    LERC: "LERC",
}
