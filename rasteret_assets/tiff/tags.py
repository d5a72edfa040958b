"""Numbers of the TIFF specifications: tags, field types, and the four shapes of a file."""

from dataclasses import dataclass
from struct import Struct
from typing import Final, Literal

SUBFILE_TYPE: Final = 254
OLD_SUBFILE_TYPE: Final = 255
WIDTH: Final = 256
HEIGHT: Final = 257
BITS_PER_SAMPLE: Final = 258
COMPRESSION: Final = 259
PHOTOMETRIC: Final = 262
FILL_ORDER: Final = 266
STRIP_OFFSETS: Final = 273
SAMPLES_PER_PIXEL: Final = 277
ROWS_PER_STRIP: Final = 278
STRIP_BYTE_COUNTS: Final = 279
PLANAR_CONFIGURATION: Final = 284
T4_OPTIONS: Final = 292
PREDICTOR: Final = 317
COLOR_MAP: Final = 320
TILE_WIDTH: Final = 322
TILE_HEIGHT: Final = 323
TILE_OFFSETS: Final = 324
TILE_BYTE_COUNTS: Final = 325
SUB_IFDS: Final = 330
EXTRA_SAMPLES: Final = 338
SAMPLE_FORMAT: Final = 339
JPEG_TABLES: Final = 347
YCBCR_SUBSAMPLING: Final = 530
MODEL_PIXEL_SCALE: Final = 33550
MODEL_TIEPOINT: Final = 33922
MODEL_TRANSFORMATION: Final = 34264
GEO_KEY_DIRECTORY: Final = 34735
GEO_DOUBLE_PARAMS: Final = 34736
GEO_ASCII_PARAMS: Final = 34737
GDAL_METADATA: Final = 42112
GDAL_NODATA: Final = 42113
LERC_PARAMETERS: Final = 50674

SCALARS: Final[dict[int, int]] = {
    SUBFILE_TYPE: 0,
    OLD_SUBFILE_TYPE: 0,
    WIDTH: 0,
    HEIGHT: 0,
    BITS_PER_SAMPLE: 1,
    COMPRESSION: 1,
    PHOTOMETRIC: 1,
    FILL_ORDER: 1,
    SAMPLES_PER_PIXEL: 1,
    ROWS_PER_STRIP: (1 << 32) - 1,
    PLANAR_CONFIGURATION: 1,
    PREDICTOR: 1,
    TILE_WIDTH: 0,
    TILE_HEIGHT: 0,
    SAMPLE_FORMAT: 1,
}
"""Tags of one number, in the order of `Scalars`, with the value that stands for their
absence (TIFF 6.0, section 8; no width or height is refused later)."""

PER_SAMPLE: Final = frozenset({BITS_PER_SAMPLE, COMPRESSION, SAMPLE_FORMAT})
"""Tags that may have a number for every sample."""

STORAGE_ARRAYS: Final = (
    BITS_PER_SAMPLE,
    COMPRESSION,
    SAMPLE_FORMAT,
    JPEG_TABLES,
    YCBCR_SUBSAMPLING,
    LERC_PARAMETERS,
    T4_OPTIONS,
)
"""Tags of more than one number that every image has of its own."""

SAMPLE_ARRAYS: Final = (EXTRA_SAMPLES, COLOR_MAP, GDAL_NODATA)
GEOREFERENCE_ARRAYS: Final = (
    MODEL_PIXEL_SCALE,
    MODEL_TIEPOINT,
    MODEL_TRANSFORMATION,
    GEO_KEY_DIRECTORY,
    GEO_DOUBLE_PARAMS,
    GEO_ASCII_PARAMS,
)
"""Tags of more than one number that only the full-size image is asked for."""

TILE_ARRAYS: Final = (TILE_OFFSETS, STRIP_OFFSETS, TILE_BYTE_COUNTS, STRIP_BYTE_COUNTS)

WANTED: Final = frozenset(
    {
        *SCALARS,
        *STORAGE_ARRAYS,
        *SAMPLE_ARRAYS,
        *GEOREFERENCE_ARRAYS,
        *TILE_ARRAYS,
        GDAL_METADATA,
        SUB_IFDS,
    }
)

TYPE_CODES: Final[dict[int, str]] = {
    1: "B",
    2: "S",  # ASCII
    3: "H",
    4: "I",
    5: "II",  # RATIONAL
    6: "b",
    7: "V",  # UNDEFINED
    8: "h",
    9: "i",
    10: "ii",
    11: "f",
    12: "d",
    13: "I",  # IFD
    16: "Q",
    17: "q",
    18: "Q",  # IFD8
}
"""Field types by what `struct` calls them; unknown ones are passed over (TIFF 6.0, section 2)."""

CODE_BYTES: Final = {"B": 1, "S": 1, "H": 2, "I": 4, "II": 8, "b": 1, "V": 1, "h": 2, "i": 4}
CODE_BYTES.update({"ii": 8, "f": 4, "d": 8, "Q": 8, "q": 8})

INTEGERS: Final = frozenset("BHIQbhiq")
UNSIGNED: Final = frozenset("BHIQ")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FileShape:
    """What the byte order and the version, classic or BigTIFF, decide."""

    byte_order: Literal["<", ">"]
    big_tiff: bool
    head_bytes: int
    """Of the file's own header, before anything else."""
    count: Struct
    """Number of entries of a directory."""
    pointer: Struct
    """Offset of a directory."""
    pointer_code: str
    entry_head: Struct
    """Tag, type, count."""
    entry_bytes: int
    inline_bytes: int
    """Values up to this size stand in the entry itself."""


def _shape(byte_order: Literal["<", ">"], *, big_tiff: bool) -> FileShape:
    pointer = "Q" if big_tiff else "I"
    return FileShape(
        byte_order=byte_order,
        big_tiff=big_tiff,
        head_bytes=16 if big_tiff else 8,
        count=Struct(byte_order + ("Q" if big_tiff else "H")),
        pointer=Struct(byte_order + pointer),
        pointer_code=pointer,
        entry_head=Struct(byte_order + "HH" + pointer),
        entry_bytes=20 if big_tiff else 12,
        inline_bytes=8 if big_tiff else 4,
    )


SHAPES: Final[dict[bytes, FileShape]] = {
    b"II*\0": _shape("<", big_tiff=False),
    b"MM\0*": _shape(">", big_tiff=False),
    b"II+\0": _shape("<", big_tiff=True),
    b"MM\0+": _shape(">", big_tiff=True),
}
"""By a file's first four bytes."""
