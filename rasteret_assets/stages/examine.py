"""Remapped records looked at once more: what the contract says of them, and their geometries."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray

from rasteret_assets.contract.records import (
    BOX_DIFFERS,
    OUTSIDE,
    RECORD_FAULTS,
    UNREADABLE,
)
from rasteret_assets.contract.rows import ROW, flags_schema
from rasteret_assets.geo.bounds import TOLERANCE

FAILURE_CASES: Final = pa.schema(
    [
        pa.field(ROW, pa.int64()),
        pa.field("column", pa.string()),
        pa.field("check", pa.string()),
    ]
)
"""Which row fails which check of which column of a pandera schema."""

_CORNERS: Final = ("xmin", "ymin", "xmax", "ymax")
_WORLD: Final = np.array([-180.0, -90.0, 180.0, 90.0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What was found out about some records."""

    failures: pa.Table
    """In the `FAILURE_CASES` schema."""
    invalid: NDArray[np.int64]
    """Rows whose geometry is no valid one (OGC Simple Features, section 6.1.11)."""
    reasons: NDArray[np.object_]
    """Why, in GEOS's words, for each of them."""


def examine(records: pa.Table) -> Examination:
    """Look at the columns `id`, `datetime`, `geometry`, `assets` and `bbox` of some records.

    Returns
    -------
    Examination
        Rows count from 0 within `records`. A geometry that cannot be read is a failure, and
        not invalid besides.
    """
    flags = {
        f"{name}_null": _flags(pc.is_null(records[name]))
        for name in ("id", "datetime", "geometry", "assets", "bbox")
    }
    wkb = records["geometry"].to_numpy(zero_copy_only=False)
    shapes = shapely.from_wkb(wkb, on_invalid="ignore")
    there = ~shapely.is_missing(shapes)
    bounds = np.asarray(shapely.bounds(shapes), np.float64).reshape(-1, 4)
    flags[UNREADABLE] = ~there & ~flags["geometry_null"]
    flags[OUTSIDE] = there & ~_within(bounds)
    flags[BOX_DIFFERS] = there & ~flags["bbox_null"] & _differs(records["bbox"], bounds)
    table = pa.table({ROW: np.arange(records.num_rows, dtype=np.int64), **flags})
    invalid = np.flatnonzero(there & ~shapely.is_valid(shapes))
    return Examination(
        failures=failure_cases(table, RECORD_FAULTS),
        invalid=invalid,
        reasons=np.asarray(shapely.is_valid_reason(shapes[invalid]), object),
    )


def failure_cases(flags: pa.Table, faults: Sequence[str]) -> pa.Table:
    """Return what pandera finds fault with, row by row, in the `FAILURE_CASES` schema.

    Pandera tells the failure cases of each column in the order of the rows, but not which
    rows they are; that is what the flags say.

    Parameters
    ----------
    flags
        `ROW`, and a column for each of `faults` that is true where the row has it.
    """
    if not any(pc.any(flags[fault]).as_py() for fault in faults):
        return FAILURE_CASES.empty_table()
    from pandera.errors import SchemaErrors  # noqa: PLC0415  # half a second, of use only with faults

    try:
        flags_schema(tuple(faults), drop=False).validate(flags, lazy=True)
    except SchemaErrors as error:
        found = error.failure_cases
    parts = [FAILURE_CASES.empty_table()]
    for column in pc.unique(found["column"]).to_pylist():  # few: one a fault
        cases = found.filter(pc.equal(found["column"], column))
        rows = flags[ROW].filter(flags[column])
        parts.append(pa.table([rows, cases["column"], cases["check"]], schema=FAILURE_CASES))
    return pa.concat_tables(parts)


def _flags(values: pa.ChunkedArray) -> NDArray[np.bool_]:
    return np.asarray(values.to_numpy())


def _within(bounds: NDArray[np.float64]) -> NDArray[np.bool_]:
    low, high = _WORLD[:2] - TOLERANCE, _WORLD[2:] + TOLERANCE
    inside = (bounds[:, :2] >= low) & (bounds[:, 2:] <= high)
    return np.asarray(np.isfinite(bounds).all(axis=1) & inside.all(axis=1))


def _differs(boxes: pa.ChunkedArray, bounds: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which boxes are not those of the geometries; longitudes of crossing ones aside."""
    said = np.stack(
        [pc.struct_field(boxes, name).to_numpy(zero_copy_only=False) for name in _CORNERS], axis=1
    )
    differs = ~(
        np.abs(said - np.clip(bounds, _WORLD[[0, 1, 0, 1]], _WORLD[[2, 3, 2, 3]])) <= TOLERANCE
    )
    crossing = said[:, 0] > said[:, 2]  # RFC 7946, section 5.2
    differs[crossing, 0] = differs[crossing, 2] = False
    return np.asarray(differs.any(axis=1))
