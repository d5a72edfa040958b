"""Rows that a check found fault with, as a table in the UI."""

from collections.abc import Mapping, Sequence
from typing import Final

import dagster as dg

Cell = str | int | float | bool | None
Row = Mapping[str, Cell]

SHOWN: Final = 20
"""Rows of one table, at most: all metadata is sent to the UI whole."""
_LETTERS: Final = 200


def offending(rows: Sequence[Row]) -> dg.TableMetadataValue:
    """Return the first of `rows`, which have the same columns and of which there is one."""
    records = [
        dg.TableRecord({name: _cell(value) for name, value in row.items()}) for row in rows[:SHOWN]
    ]
    columns = [dg.TableColumn(name, _type(rows, name)) for name in rows[0]]
    return dg.MetadataValue.table(records=records, schema=dg.TableSchema(columns=columns))


def _cell(value: Cell) -> str | int | float | bool:
    if value is None:
        return ""
    if isinstance(value, str) and len(value) > _LETTERS:
        return value[: _LETTERS - 1] + "…"
    return value


def _type(rows: Sequence[Row], name: str) -> str:
    return "int" if all(isinstance(row[name], int) for row in rows) else "string"
