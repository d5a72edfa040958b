"""Packed rows of a tile to samples of a native type: bit widths, byte orders, predictors."""

from typing import Any, Final

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from rasteret_assets.errors import ProblemCode, TiffError
from rasteret_assets.tiff.decode_format import COMPLEX_INT, FLOAT, PREDICTED, TileFormat

Bytes = NDArray[np.uint8]
Pixels = NDArray[Any]

_WHOLE_BITS: Final = frozenset({8, 16, 32, 64, 128})
_THREE_BYTES: Final = 24
_HORIZONTAL, _FLOATING = 2, 3
"""Values of the Predictor tag."""
_FEW: Final = 2048
"""Samples of which NumPy adds up differences sooner than a lock that others want is had again."""


def row_bytes(form: TileFormat) -> int:
    """Return how many bytes one row of a tile takes; rows begin at whole bytes."""
    return -(-form.tile_width * form.samples * form.bits_per_sample // 8)


def samples_of(packed: Bytes, form: TileFormat, rows: int) -> Pixels:
    """Return the samples (y, x, sample) of `rows` packed rows, in native byte order.

    Raises
    ------
    TiffError
        `unsupported`, for a predictor that libtiff does not define for such samples.
    """
    shape = (rows, form.tile_width, form.samples)
    predictor = form.predictor if form.compression in PREDICTED else 1
    if predictor == _FLOATING:
        return _floating(packed, form, shape)
    if predictor == _HORIZONTAL:
        return _horizontal(packed, form, shape)
    if form.bits_per_sample not in _WHOLE_BITS:
        return _odd_bits(packed, form, shape)
    if form.sample_format == COMPLEX_INT:
        return _complex(packed.view(f"{form.byte_order}i{form.bits_per_sample // 16}"), form, shape)
    stored = packed.view(form.dtype.newbyteorder(form.byte_order))
    return stored.astype(form.dtype, copy=False).reshape(shape)


def _complex(parts: NDArray[Any], form: TileFormat, shape: tuple[int, int, int]) -> Pixels:
    part = np.float32 if form.dtype == np.complex64 else np.float64
    return parts.astype(part).view(form.dtype).reshape(shape)


def _horizontal(packed: Bytes, form: TileFormat, shape: tuple[int, int, int]) -> Pixels:
    """Add up differences between neighbours, as integers whatever the type is.

    TIFF Technical Note 2 (TIFF 6.0, section 14) and libtiff, which does so for floats too.
    """
    bits = form.bits_per_sample
    if bits not in _WHOLE_BITS or bits > 64:  # noqa: PLR2004  # libtiff goes as far
        detail = f"predictor 2 on {bits}-bit samples"
        raise TiffError(ProblemCode.UNSUPPORTED, detail)
    stored = packed.view(f"{form.byte_order}u{bits // 8}")
    differences = stored.astype(f"=u{bits // 8}", copy=False).reshape(shape)
    if differences.size <= _FEW:
        sums = np.cumsum(differences, axis=1, dtype=differences.dtype)
    else:
        sums = imagecodecs.delta_decode(differences, axis=1, out=np.empty_like(differences))
    if form.sample_format == COMPLEX_INT:
        return _complex(sums.view(f"i{bits // 16}"), form, shape)
    return sums.view(form.dtype)


def _floating(packed: Bytes, form: TileFormat, shape: tuple[int, int, int]) -> Pixels:
    """Undo predictor 3: byte planes, most significant first, differenced along the row.

    TIFF Technical Note 3. The planes are the same in either byte order.
    """
    size = form.bits_per_sample // 8
    if form.sample_format != FLOAT:
        detail = f"predictor 3 on samples of SampleFormat {form.sample_format}"
        raise TiffError(ProblemCode.UNSUPPORTED, detail)
    rows, width, samples = shape
    if form.bits_per_sample != _THREE_BYTES:
        stored = packed.view(form.dtype).reshape(shape)
        return imagecodecs.floatpred_decode(stored, axis=1, out=np.empty_like(stored))
    sums = np.cumsum(packed.reshape(rows, -1, samples), axis=1, dtype=np.uint8)
    big_endian = sums.reshape(rows, size, width * samples).transpose(0, 2, 1)
    return imagecodecs.float24_decode(big_endian.tobytes(), byteorder=">").reshape(shape)


def _odd_bits(packed: Bytes, form: TileFormat, shape: tuple[int, int, int]) -> Pixels:
    """Widen samples of 1 to 31 bits; they follow each other most significant bit first."""
    rows, width, samples = shape
    bits = form.bits_per_sample
    if bits == 1:
        return np.unpackbits(packed.reshape(rows, -1), axis=1, count=width * samples).reshape(shape)
    if bits != _THREE_BYTES:
        return imagecodecs.packints_decode(
            packed.tobytes(), form.dtype, bits, runlen=width * samples
        ).reshape(shape)
    if form.sample_format == FLOAT:
        return imagecodecs.float24_decode(packed.tobytes(), byteorder=form.byte_order).reshape(
            shape
        )
    # GDAL packs most significant byte first, and libtiff swaps that in big-endian files
    wide = np.zeros((packed.size // 3, 4), np.uint8)
    wide[:, 1:] = packed.reshape(-1, 3)[:, :: 1 if form.byte_order == "<" else -1]
    return wide.view(">u4").astype(form.dtype).reshape(shape)
