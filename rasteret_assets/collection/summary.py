"""What a Collection holds, counted in one pass over its thin columns."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from numpy.typing import NDArray

_CORNERS = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Counts and extents of a Collection."""

    rows: int
    bounds: tuple[float, float, float, float] | None
    """Left, bottom, right, top in degrees; None without rows. A footprint that crosses the
    antimeridian makes it the whole way round."""
    time_range: tuple[datetime, datetime] | None
    coverage: Mapping[str, int]
    """Band to the number of rows that have its header."""
    months: Mapping[str, int]
    """`2024-06` to the number of its rows, in order; months without rows are left out."""


def summarize(dataset: ds.Dataset, bands: Mapping[str, str]) -> Summary:
    """Return the summary of `dataset`; reads times, boxes and one number per band and row.

    `bands` says which column has a band's headers.
    """
    columns = {"datetime": ds.field("datetime")}
    columns.update({corner: ds.field("bbox", corner) for corner in _CORNERS})
    widths = {f"width of {band}": ds.field(column, "image_width") for band, column in bands.items()}
    rows = 0
    counts = dict.fromkeys(bands, 0)
    months: Counter[str] = Counter()
    extents: list[pa.Table] = []
    for batch in dataset.to_batches(columns={**columns, **widths}):
        if not batch.num_rows:
            continue
        rows += batch.num_rows
        for band in bands:
            width = batch.column(f"width of {band}")
            counts[band] += len(width) - width.null_count
        extents.append(_extent(batch))
        months.update(_months(batch.column("datetime")))
    if not extents:
        return Summary(rows=0, bounds=None, time_range=None, coverage=counts, months={})
    merged = _extent(pa.concat_tables(extents).combine_chunks().to_batches()[0]).to_pylist()[0]
    return Summary(
        rows=rows,
        bounds=(merged["xmin"], merged["ymin"], merged["xmax"], merged["ymax"]),
        time_range=(merged["first"], merged["last"]),
        coverage=counts,
        months=dict(sorted(months.items())),
    )


def _months(times: pa.Array) -> dict[str, int]:
    moments = (
        times.drop_null().cast(pa.timestamp("us")).to_numpy()
    )  # strftime takes ten times as long
    found, counts = np.unique(moments.astype("M8[M]"), return_counts=True)
    return dict(zip(found.astype(str).tolist(), counts.tolist(), strict=True))


def _extent(batch: pa.RecordBatch) -> pa.Table:
    """Return one row: the extent of the rows of `batch`, or of extents already made."""
    names = batch.schema.names
    first, last = ("first", "last") if "first" in names else ("datetime", "datetime")
    crossing = pc.greater(batch.column("xmin"), batch.column("xmax"))
    xmin = pc.if_else(crossing, -180.0, batch.column("xmin"))
    xmax = pc.if_else(crossing, 180.0, batch.column("xmax"))
    values = {
        "xmin": pc.min(xmin),
        "ymin": pc.min(batch.column("ymin")),
        "xmax": pc.max(xmax),
        "ymax": pc.max(batch.column("ymax")),
        "first": pc.min(batch.column(first)),
        "last": pc.max(batch.column(last)),
    }
    return pa.table({name: pa.array([value]) for name, value in values.items()})


def crs_of(dataset: ds.Dataset, columns: Sequence[str]) -> set[str]:
    """Return the CRSs that headers name; where none does, those that records name.

    Parameters
    ----------
    columns
        Those of headers.
    """
    said = {name: ds.field(name, "crs") for name in columns if _names_crs(dataset.schema, name)}
    if found := _distinct(dataset, said):
        return found
    names = dataset.schema.names
    if "crs" in names and (found := _distinct(dataset, {"crs": ds.field("crs")})):
        return found
    if "proj:epsg" not in names:
        return set()
    codes = _distinct(dataset, {"code": ds.field("proj:epsg").cast(pa.int64()).cast(pa.string())})
    return {f"EPSG:{code}" for code in codes}


def _names_crs(schema: pa.Schema, column: str) -> bool:
    kind = schema.field(column).type
    return kind.get_field_index("crs") >= 0


def _distinct(dataset: ds.Dataset, columns: Mapping[str, ds.Expression]) -> set[str]:
    found: set[str] = set()
    for batch in dataset.to_batches(columns=dict(columns)) if columns else ():
        for column in batch.columns:
            found.update(one.as_py() for one in pc.unique(column) if one.is_valid)
    return found


def boxes_of(dataset: ds.Dataset) -> NDArray[np.float64]:
    """Return xmin, ymin, xmax, ymax of each row that has a box."""
    columns = {corner: ds.field("bbox", corner).cast(pa.float64()) for corner in _CORNERS}
    table = dataset.to_table(columns=columns).drop_null()
    return np.stack([table[corner].to_numpy() for corner in _CORNERS], axis=1)
