"""A few rows of a table as Markdown."""

from collections.abc import Iterable

import dagster as dg
import pyarrow as pa
import shapely

_CELL = 60
"""Letters of one value, at most."""
_COLUMNS = 24
"""Columns shown, at most; wide tables say more in their column schema."""


def sample(rows: pa.Table) -> dg.MarkdownMetadataValue:
    """Return `rows`, of which there are few, as a Markdown table with shortened values."""
    names = rows.schema.names[:_COLUMNS]
    cells = [[_cell(value) for value in rows[name].to_pylist()] for name in names]
    lines = [_line(map(_cell, names)), _line("---" for _ in names)]
    lines += [_line(row) for row in zip(*cells, strict=True)]
    if left := len(rows.schema.names) - len(names):
        lines += ["", f"and {left} more columns"]
    return dg.MetadataValue.md("\n".join(lines))


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(value: object) -> str:
    """Return `value` as one line that breaks no table."""
    text = _bytes_told(value) if isinstance(value, bytes) else str(value)
    text = " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
    return text if len(text) <= _CELL else text[: _CELL - 1] + "…"


def _bytes_told(value: bytes) -> str:
    """Return a geometry as WKT, other bytes by their number."""
    shape = shapely.from_wkb(value, on_invalid="ignore")
    if shape is None:
        return f"{len(value)} bytes"
    return str(shapely.to_wkt(shape, rounding_precision=4))
