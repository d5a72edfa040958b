"""The `{band}_metadata` struct: what one band's header says, and where its tiles lie.

The first seventeen fields carry the names, types and order of `rasteret` 0.4, so that it
reads them; the others are this project's own.
"""

from typing import Final

import pyarrow as pa

BAND_SUFFIX: Final = "_metadata"
"""Ends the name of every column that holds the header struct of a band, and of no other."""

_OFFSETS: Final = pa.list_(pa.int64())

_LEVEL_FIELDS: Final = [
    pa.field("image_width", pa.int32()),
    pa.field("image_height", pa.int32()),
    pa.field("tile_width", pa.int32()),
    pa.field("tile_height", pa.int32()),
    pa.field("tiled", pa.bool_()),
    pa.field("bits_per_sample", pa.int32()),
    pa.field("samples_per_pixel", pa.int32()),
    pa.field("planar_configuration", pa.int32()),
    pa.field("photometric", pa.int32()),
    pa.field("compression", pa.int32()),
    pa.field("predictor", pa.int32()),
    pa.field("fill_order", pa.int32()),
    pa.field("ycbcr_subsampling", pa.list_(pa.int32())),
    pa.field("jpeg_tables", pa.binary()),
    pa.field("lerc_parameters", pa.list_(pa.int32())),
    pa.field("t4_options", pa.list_(pa.int32())),
    pa.field("tile_offsets", _OFFSETS),
    pa.field("tile_byte_counts", _OFFSETS),
]
"""How one image of the file (an overview or a mask) is stored. Strips are tiles as wide as
the image; the last strip may hold fewer rows (TIFF 6.0, section 3)."""

MASK: Final = pa.struct(_LEVEL_FIELDS)
OVERVIEW: Final = pa.struct([*_LEVEL_FIELDS, pa.field("mask", MASK)])

STATISTICS: Final = pa.struct(
    [pa.field(name, pa.float64()) for name in ("minimum", "maximum", "mean", "stddev")]
)

BAND_METADATA: Final = pa.struct(
    [
        pa.field("image_width", pa.int32()),
        pa.field("image_height", pa.int32()),
        pa.field("tile_width", pa.int32()),
        pa.field("tile_height", pa.int32()),
        pa.field("dtype", pa.string()),
        pa.field("transform", pa.list_(pa.float64())),
        pa.field("predictor", pa.int32()),
        pa.field("compression", pa.int32()),
        pa.field("tile_offsets", _OFFSETS),
        pa.field("tile_byte_counts", _OFFSETS),
        pa.field("pixel_scale", pa.list_(pa.float64())),
        pa.field("tiepoint", pa.list_(pa.float64())),
        pa.field("nodata", pa.float64()),
        pa.field("samples_per_pixel", pa.int32()),
        pa.field("planar_configuration", pa.int32()),
        pa.field("photometric", pa.int32()),
        pa.field("extra_samples", pa.list_(pa.int32())),
        # --- beyond the peer's fields ---
        pa.field("href", pa.string()),
        pa.field("etag", pa.string()),
        pa.field("last_modified", pa.string()),
        pa.field("file_size", pa.int64()),
        pa.field("band_index", pa.int32()),
        pa.field("byte_order", pa.string()),
        pa.field("big_tiff", pa.bool_()),
        pa.field("tiled", pa.bool_()),
        pa.field("bits_per_sample", pa.int32()),
        pa.field("sample_format", pa.int32()),
        pa.field("crs", pa.string()),
        pa.field("pixel_is_point", pa.bool_()),
        pa.field("gcps", pa.list_(pa.float64())),
        pa.field("nodata_text", pa.string()),
        pa.field("scale", pa.float64()),
        pa.field("offset", pa.float64()),
        pa.field("unit", pa.string()),
        pa.field("description", pa.string()),
        pa.field("statistics", STATISTICS),
        pa.field("color_interpretation", pa.string()),
        pa.field("palette", pa.list_(pa.uint16())),
        pa.field("fill_order", pa.int32()),
        pa.field("ycbcr_subsampling", pa.list_(pa.int32())),
        pa.field("jpeg_tables", pa.binary()),
        pa.field("lerc_parameters", pa.list_(pa.int32())),
        pa.field("t4_options", pa.list_(pa.int32())),
        pa.field("structural_metadata", pa.string()),
        pa.field("gdal_metadata", pa.string()),
        pa.field("mask", MASK),
        pa.field("overviews", pa.list_(OVERVIEW)),
        pa.field("notes", pa.list_(pa.string())),
    ]
)
"""One header. Docs say each field in words: `docs/schema-contract.md`."""

HEADERS: Final = pa.schema(
    [
        pa.field("header", BAND_METADATA),
        pa.field("href", pa.string()),
        pa.field("file_key", pa.string()),
        pa.field("band_index", pa.int32()),
        pa.field("code", pa.string()),
        pa.field("detail", pa.string()),
        pa.field("attempts", pa.int32()),
        pa.field("tried_at", pa.timestamp("us", tz="UTC")),
    ]
)
"""One row per record of a fragment, for one band: its header, or null and why.

`href` is the resolved location; `file_key` says which version of the file the record means
(`file:checksum` or `file:size`, where the record gives one); `band_index` is the record's.
"""
