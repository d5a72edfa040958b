"""The columns of a record table, before and after remapping."""

from typing import Final

import pyarrow as pa

from rasteret_assets.contract.bands import BAND_SUFFIX

REQUIRED: Final = ("id", "datetime", "geometry", "assets")

SOURCE_FILE: Final = "_source_file"
SOURCE_ROW: Final = "_source_row"
"""The record's number within its source file, from 0 (int64)."""

DATETIME: Final = pa.timestamp("us", tz="UTC")
BBOX: Final = pa.struct([pa.field(name, pa.float64()) for name in ("xmin", "ymin", "xmax", "ymax")])
PARTITION_COLUMNS: Final = ("year", "month")
"""Folder names of the Collection; not columns of its files."""

NAME_KEY: Final = b"name"
"""Key of a file's metadata: the Collection's name, as the peer `rasteret` reads it."""

SIGNER_KEY: Final = b"rasteret_assets:signer"
"""Key of a file's metadata: the name of the signer that the hrefs need."""

RENAMED_SUFFIX: Final = "_source"


def kept_name(name: str) -> str:
    """Return the name under which a source column passes through.

    `year` and `month` would clash with the Collection's folders, names ending in
    `_metadata` with its band columns, and a Collection read as a source has columns of this
    project's bookkeeping; those get `_source` appended.

    Examples
    --------
    >>> kept_name("eo:cloud_cover"), kept_name("year"), kept_name("b1_metadata")
    ('eo:cloud_cover', 'year_source', 'b1_metadata_source')
    """
    if name in (*PARTITION_COLUMNS, SOURCE_FILE, SOURCE_ROW) or name.endswith(BAND_SUFFIX):
        return name + RENAMED_SUFFIX
    return name
