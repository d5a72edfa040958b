"""Conditions on records, as Arrow expressions that a scan of Parquet files can act on.

Comparisons of `bbox`, `year` and `month` with numbers are what Arrow holds against a file's
folder and the statistics of a row group, so that those without a match are not read.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import reduce
from operator import or_
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import shapely
from numpy.typing import NDArray

from rasteret_assets.contract.columns import PARTITION_COLUMNS
from rasteret_assets.errors import ConfigError, ReadError
from rasteret_assets.geo.bounds import centres
from rasteret_assets.geo.crs import LONLAT
from rasteret_assets.geo.hilbert import hilbert
from rasteret_assets.reads import AreaLike, area_of

BBox = tuple[float, float, float, float]
"""Left, bottom, right, top in degrees of longitude and latitude."""
Day = str | date | datetime
Geometries = NDArray[np.object_]

_MOST_BOXES: Final = 32
"""That a condition compares with; more geometries share boxes with those near them."""
_MEETS: Final = "rasteret_assets.footprint_meets"
_BINARY: Final = pa.large_binary()


def checked(condition: pc.Expression, schema: pa.Schema) -> pc.Expression:
    """Return `condition`, if it suits the columns of `schema`.

    Raises
    ------
    ConfigError
        If it names a column that is not there, or compares what cannot be compared.
    """
    if (fault := fault_of(condition, schema)) is not None:
        said = str(fault).partition(" in ")[0].partition("\n")[0]
        msg = f"the condition cannot be applied: {said}; the columns are {schema.names}"
        raise ConfigError(msg) from fault
    return condition


def fault_of(condition: pc.Expression, schema: pa.Schema) -> pa.ArrowException | None:
    """Return why `condition` does not suit `schema`; None if it does."""
    try:
        ds.dataset(schema.empty_table()).scanner(filter=condition)
    except pa.ArrowException as error:
        return error
    return None


def between(first: Day | None, last: Day | None, dataset: ds.Dataset) -> pc.Expression:
    """Return the condition that `datetime` is from `first` to `last`, both included.

    None leaves that side open. A day means all of it, in UTC.

    Raises
    ------
    ReadError
        If one is no date, or they are the wrong way round.
    """
    start = None if first is None else _moment(first, end=False)
    stop = None if last is None else _moment(last, end=True)
    if start is not None and stop is not None and start > stop:
        msg = f"date_range begins at {start} and ends before, at {stop}; swap them"
        raise ReadError(msg)
    kind = dataset.schema.field("datetime").type
    if not pa.types.is_timestamp(kind):
        msg = f"datetime is {kind}, no timestamp; build a Collection of the table first"
        raise ReadError(msg)
    time = ds.field("datetime")
    condition = time.is_valid()
    folders = _has_month_folders(dataset)
    if start is not None:
        floor = _in_unit(start, kind)
        exact = floor.cast(pa.timestamp("us", kind.tz)).value == _micros(start)
        condition &= (time >= floor) if exact else (time > floor)
        condition = (condition & _month_from(start)) if folders else condition
    if stop is not None:
        condition &= time <= _in_unit(stop, kind)
        condition = (condition & _month_until(stop)) if folders else condition
    return condition


def _moment(day: Day, *, end: bool) -> datetime:
    text_day = isinstance(day, str) and len(day) == len("2024-01-31")
    whole_day = text_day or (isinstance(day, date) and not isinstance(day, datetime))
    try:
        found = datetime.fromisoformat(day) if isinstance(day, str) else day
    except ValueError as error:
        msg = f"{day!r} is no date; write 2024-01-31 or 2024-01-31T10:00:00Z"
        raise ReadError(msg) from error
    if not isinstance(found, datetime):
        found = datetime(found.year, found.month, found.day, tzinfo=UTC)
    found = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    return found + timedelta(days=1, microseconds=-1) if whole_day and end else found


def _micros(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _in_unit(moment: datetime, kind: pa.DataType) -> pa.Scalar:
    """Return the last value of type `kind` that is not after `moment`.

    Times without a zone are UTC, as other writers of Collections have them.
    """
    micros = pa.scalar(_micros(moment), pa.int64())
    per_unit = {"s": 1_000_000, "ms": 1_000, "us": 1}.get(kind.unit)
    if per_unit is None:
        return pa.scalar(micros.as_py() * 1_000, pa.int64()).cast(kind)
    return pa.scalar(micros.as_py() // per_unit, pa.int64()).cast(kind)


def _has_month_folders(dataset: ds.Dataset) -> bool:
    """Whether `year` and `month` are folders of every file, and so follow from `datetime`."""
    try:
        expressions = [part.partition_expression for part in dataset.get_fragments()]
    except ValueError:  # one that was filtered before it got here does not show its files
        return False
    folders = [ds.get_partition_keys(expression) for expression in expressions]
    return bool(folders) and all(
        isinstance(keys.get(name), int) for keys in folders for name in PARTITION_COLUMNS
    )


def _month_from(start: datetime) -> pc.Expression:
    year, month = (ds.field(name) for name in PARTITION_COLUMNS)
    return (year > start.year) | ((year == start.year) & (month >= start.month))


def _month_until(stop: datetime) -> pc.Expression:
    year, month = (ds.field(name) for name in PARTITION_COLUMNS)
    return (year < stop.year) | ((year == stop.year) & (month <= stop.month))


def checked_box(bbox: BBox) -> BBox:
    """Return four floats, if they are a box.

    Raises
    ------
    ReadError
        If they are not left, bottom, right, top.
    """
    area_of(bbox, LONLAT)
    left, bottom, right, top = bbox
    return float(left), float(bottom), float(right), float(top)


def touching(bbox: BBox) -> pc.Expression:
    """Return the condition that a record's `bbox` touches this one; left > right crosses ±180.

    A record's own box with xmin > xmax crosses ±180 too, and is narrower than half the world:
    wider ones have xmin -180 and xmax 180. So its xmin is positive, its xmax negative, and one
    of them beyond ±90. To compare xmin with xmax instead would be as right, but statistics
    can say nothing of that, and row groups all round the world would be read.
    """
    left, bottom, right, top = bbox
    xmin, xmax = ds.field("bbox", "xmin"), ds.field("bbox", "xmax")
    level = (ds.field("bbox", "ymin") <= top) & (ds.field("bbox", "ymax") >= bottom)
    crosses = ((xmin > 0) & (xmax < -90)) | ((xmin > 90) & (xmax < 0))  # noqa: PLR2004  # see above
    if left > right:
        return level & ((xmax >= left) | (xmin <= right) | crosses)
    beside = (xmin <= right) & (xmax >= left)
    if right > 0:  # else it ends before any record that crosses begins
        beside |= crosses & (xmin <= right)
    if left < 0:
        beside |= crosses & (xmax >= left)
    return level & beside


def near(geometries: Geometries) -> pc.Expression:
    """Return the condition that a record's `bbox` touches a box around some of `geometries`.

    Neighbours (along a Hilbert curve) share a box where there are many, so that places far
    apart do not make one that spans what lies between.
    """
    bounds = np.asarray(shapely.bounds(geometries), np.float64)
    order = np.argsort(hilbert(*centres(bounds)), kind="stable")
    groups = np.array_split(bounds[order], min(_MOST_BOXES, len(bounds)))
    boxes = [(*group[:, :2].min(axis=0), *group[:, 2:].max(axis=0)) for group in groups]
    return reduce(or_, (touching(tuple(map(float, box))) for box in boxes))  # type: ignore[arg-type]  # four


def lonlat_geometries(geometries: AreaLike, crs: object) -> Geometries:
    """Return what a caller means by an area, in longitude and latitude.

    Raises
    ------
    ReadError
        If it is no area, or has no place there.
    """
    return area_of(geometries, crs).to(LONLAT).geometries


def meeting(geometries: Geometries) -> pc.Expression:
    """Return the condition that a record's `geometry` has a point in common with `geometries`.

    Footprints are decoded while Arrow scans, batch by batch, and only those whose box is near.
    """
    wanted = shapely.union_all(shapely.make_valid(geometries))
    within = near(geometries)
    nothing = pc.scalar(pa.scalar(None, _BINARY))
    footprint = pc.if_else(within, ds.field("geometry").cast(_BINARY), nothing)
    area = pc.scalar(pa.scalar(shapely.to_wkb(wanted), _BINARY))
    # Arrow's documented, if underscored, way to a function of one's own in a filter.
    return within & pc.Expression._call(_MEETS, [footprint, area])  # noqa: SLF001


def _footprint_meets(_: object, footprints: pa.Array, area: pa.Scalar) -> pa.Array:
    wanted = shapely.from_wkb(area.as_py())
    shapely.prepare(wanted)
    values = footprints.to_numpy(zero_copy_only=False)
    return pa.array(shapely.intersects(wanted, shapely.from_wkb(values, on_invalid="ignore")))


if _MEETS not in pc.list_functions():  # a module reloaded finds its own
    pc.register_scalar_function(
        _footprint_meets,
        _MEETS,
        {"summary": "whether a footprint meets an area", "description": "WKB in, booleans out"},
        {"footprint": _BINARY, "area": _BINARY},
        pa.bool_(),
    )


def one_of(column: str, values: str | Sequence[str]) -> pc.Expression:
    """Return the condition that `column` is one of `values`."""
    return ds.field(column).isin([values] if isinstance(values, str) else list(values))
