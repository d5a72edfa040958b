"""The problems table: what was set aside, where, and why."""

from typing import Final

import pyarrow as pa

PROBLEMS: Final = pa.schema(
    [
        pa.field("source_file", pa.string()),
        pa.field("source_row", pa.int64()),
        pa.field("id", pa.string()),
        pa.field("band", pa.string()),
        pa.field("href", pa.string()),
        pa.field("code", pa.string(), nullable=False),
        pa.field("detail", pa.string()),
        pa.field("attempts", pa.int32()),
        pa.field("tried_at", pa.timestamp("us", tz="UTC")),
    ]
)
"""`source_row` counts from 0 within its source file. `band` is null where the whole record
was set aside; `href`, `attempts` and `tried_at` are null unless a file was asked for."""
