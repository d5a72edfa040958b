"""How the tiles of one image are stored, as its index says it; what cannot be decoded."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypedDict

import numpy as np
from numpy.typing import DTypeLike

from rasteret_assets.errors import ProblemCode, TiffError

NONE: Final = 1
LZW: Final = 5
JPEG: Final = 7
DEFLATE: Final = 8
DEFLATE_OLD: Final = 32946
PACKBITS: Final = 32773
JPEG2000: Final = 34712
LZMA: Final = 34925
LERC: Final = 34887
ZSTD: Final = 50000
WEBP: Final = 50001
JPEG_XL: Final = 50002
JPEG_XL_1_7: Final = 52546

CCITT: Final = frozenset({2, 3, 4, 32771})
"""Run lengths, faxes of Group 3 and 4, and run lengths by words."""

CODEC_NAMES: Final = {
    6: "old-style JPEG, whose tables lie outside its tiles",
    34676: "SGI LogLuv",
    34677: "SGI LogLuv 24",
}
"""What the codecs are called that the TIFF supplements define and nothing here decodes."""

PREDICTED: Final = frozenset({LZW, DEFLATE, DEFLATE_OLD, LZMA, ZSTD})
"""Codecs that heed the Predictor tag; libtiff ignores it with any other."""
PIXEL_CODECS: Final = frozenset({JPEG, JPEG2000, LERC, WEBP, JPEG_XL, JPEG_XL_1_7})
"""Codecs that give pixels; the others give a stream of packed rows."""
DECODABLE: Final = PREDICTED | PIXEL_CODECS | CCITT | {NONE, PACKBITS}

YCBCR: Final = 6
CONVERTED: Final = frozenset({YCBCR, 8, 9, 10, 32844, 32845})
"""Photometrics (YCbCr, L*a*b*, LogLuv) whose samples are no colours before conversion."""

UNSIGNED, SIGNED, FLOAT, UNDEFINED, COMPLEX_INT, COMPLEX_FLOAT = range(1, 7)
"""Values of the SampleFormat tag."""

PLANAR: Final = 2
"""Value of the PlanarConfiguration tag for samples kept apart."""

_EXACT: Final[dict[tuple[int, int], str]] = {
    **{(UNSIGNED, bits): f"u{bits // 8}" for bits in (8, 16, 32, 64)},
    **{(SIGNED, bits): f"i{bits // 8}" for bits in (8, 16, 32, 64)},
    **{(FLOAT, bits): f"f{bits // 8}" for bits in (16, 32, 64)},
    (FLOAT, 24): "f4",
    (COMPLEX_INT, 32): "c8",
    (COMPLEX_INT, 64): "c16",
    (COMPLEX_FLOAT, 64): "c8",
    (COMPLEX_FLOAT, 128): "c16",
}
_PACKED_BITS_MAX: Final = 32
_LERC_CODECS: Final = {0: NONE, 1: DEFLATE, 2: ZSTD}


class LevelFacts(TypedDict):
    """The fields of the index that say how one image is stored (`contract.bands`)."""

    image_width: int
    image_height: int
    tile_width: int
    tile_height: int
    tiled: bool | None
    bits_per_sample: int
    samples_per_pixel: int | None
    planar_configuration: int | None
    photometric: int | None
    compression: int
    predictor: int | None
    fill_order: int | None
    jpeg_tables: bytes | None
    lerc_parameters: Sequence[int] | None
    t4_options: Sequence[int] | None


def sample_dtype(sample_format: int, bits: int) -> np.dtype[np.generic]:
    """Return the native type that holds every value of such samples.

    Unsigned samples of other than 8, 16, 32 or 64 bits are widened to the next of these, as
    GDAL does; complex integers become complex floats that hold them exactly.

    Raises
    ------
    TiffError
        `unsupported`, if no type here holds them.

    Examples
    --------
    >>> sample_dtype(1, 12), sample_dtype(3, 64)
    (dtype('uint16'), dtype('float64'))
    """
    kind = UNSIGNED if sample_format == UNDEFINED else sample_format
    if (name := _EXACT.get((kind, bits))) is not None:
        return np.dtype(name)
    if kind == UNSIGNED and 1 <= bits <= _PACKED_BITS_MAX:
        return np.dtype(next(f"u{size}" for size in (1, 2, 4) if bits <= 8 * size))
    detail = f"{bits}-bit samples of SampleFormat {sample_format}"
    raise TiffError(ProblemCode.UNSUPPORTED, detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class TileFormat:
    """How the tiles of one image (the full one, an overview or a mask) are stored.

    Strips are tiles as wide as the image (TIFF 6.0, section 3).

    Raises
    ------
    TiffError
        `unsupported`, naming the codec or sample type nothing here decodes.
    """

    image_width: int
    image_height: int
    tile_width: int
    tile_height: int
    tiled: bool
    samples: int
    """Samples of a pixel stored in one tile: all if chunky, 1 if planar."""
    bits_per_sample: int
    sample_format: int = UNSIGNED
    byte_order: Literal["<", ">"] = "<"
    """As NumPy writes it."""
    photometric: int = 1
    compression: int = NONE
    predictor: int = 1
    fill_order: int = 1
    jpeg_tables: bytes | None = None
    lerc_codec: int = NONE
    """What the LERC blob is wrapped in: nothing, deflate or zstd."""
    t4_options: int = 0
    """How faxes of Group 3 are coded (TIFF 6.0, section 11)."""
    fill: complex = 0
    """Value of every sample of a tile that is not stored."""
    dtype: np.dtype[np.generic] = field(init=False)
    """Native type of decoded samples."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "dtype", sample_dtype(self.sample_format, self.bits_per_sample))
        if (detail := self._not_decodable()) is not None:
            raise TiffError(ProblemCode.UNSUPPORTED, detail)

    def _not_decodable(self) -> str | None:
        if self.compression not in DECODABLE:
            name = CODEC_NAMES.get(self.compression, "a codec unknown here")
            return f"compression {self.compression} is {name}, which cannot be decoded"
        if self.samples > 1 and self.compression != JPEG and self.photometric in CONVERTED:
            return f"photometric {self.photometric} other than in JPEG: no conversion to colours"
        if self.compression in PREDICTED and self.predictor not in (1, 2, 3):
            return f"predictor {self.predictor} is none of TIFF's"
        return None

    def rows_of(self, tile_row: int) -> int:
        """Return how many rows of the image the tiles or strips of this row of tiles hold."""
        return min(self.tile_height, self.image_height - tile_row * self.tile_height)


def tile_format(
    level: LevelFacts,
    *,
    sample_format: int | None = UNSIGNED,
    byte_order: Literal["<", ">"] | None = "<",
    fill: complex = 0,
) -> TileFormat:
    """Return how the tiles of one image of the index are stored.

    Parameters
    ----------
    level
        A `{band}_metadata` struct, or one of its overviews or masks, as a dict.
    sample_format, byte_order
        Of the file; masks are unsigned.
    fill
        Value of tiles that are not stored, such as `sparse_fill` gives.

    Raises
    ------
    TiffError
        `unsupported`, if such tiles cannot be decoded.
    """
    parameters = level["lerc_parameters"] or (0, 0)
    if (lerc_codec := _LERC_CODECS.get(parameters[1])) is None:
        detail = f"LERC with additional compression {parameters[1]}"
        raise TiffError(ProblemCode.UNSUPPORTED, detail)
    tiled = level["tiled"] is not False
    height = level["tile_height"] if tiled else min(level["tile_height"], level["image_height"])
    planar = level["planar_configuration"] == PLANAR
    return TileFormat(
        image_width=level["image_width"],
        image_height=level["image_height"],
        tile_width=level["tile_width"],
        tile_height=height,
        tiled=tiled,
        samples=1 if planar else level["samples_per_pixel"] or 1,
        bits_per_sample=level["bits_per_sample"],
        sample_format=sample_format or UNSIGNED,
        byte_order=byte_order or "<",
        photometric=1 if level["photometric"] is None else level["photometric"],
        compression=level["compression"],
        predictor=level["predictor"] or 1,
        fill_order=level["fill_order"] or 1,
        jpeg_tables=level["jpeg_tables"],
        lerc_codec=lerc_codec,
        t4_options=(level["t4_options"] or (0,))[0],
        fill=fill,
    )


def sparse_fill(nodata: float | None, dtype: DTypeLike) -> float:
    """Return what GDAL reads where a tile is not stored: nodata brought into `dtype`, else 0.

    Examples
    --------
    >>> sparse_fill(None, "u1"), sparse_fill(-9999.0, "u1"), sparse_fill(1.5, "i2")
    (0, 0, 2)
    """
    if nodata is None:
        return 0
    kind = np.dtype(dtype)
    if kind.kind not in "iu":
        return nodata
    if np.isnan(nodata):
        return 0
    info = np.iinfo(kind)
    clamped = min(max(nodata, int(info.min)), int(info.max))
    # an int (64-bit nodata) stays exact; halves are rounded away from zero, as in GDAL
    return clamped if isinstance(clamped, int) else int(clamped + np.copysign(0.5, clamped))
