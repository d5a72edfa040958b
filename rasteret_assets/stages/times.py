"""Acquisition times of every form, as UTC microseconds."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rasteret_assets.contract.columns import DATETIME
from rasteret_assets.contract.kinds import is_text
from rasteret_assets.geo.geoparquet import storage_of

_PER_SECOND: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_DAY_US: Final = 86_400 * 10**6
_DAY_HOURS: Final = 24
_HOUR_MINUTES: Final = 60
_LEAP_SECOND: Final = 60
"""The second after 59, now and then; the same instant as the next minute's first."""
_FIRST_US: Final = int(np.datetime64("0001-01-01", "us").astype(np.int64))
_STOP_US: Final = int(np.datetime64("10000-01-01", "us").astype(np.int64))
"""Years 1 to 9999: what Python's datetime, and ISO 8601 text, can say."""

_ISO: Final = (
    r"^(?P<year>\d{4})-?(?P<month>\d{2})-?(?P<day>\d{2})"
    r"(?:[Tt ](?P<hour>\d{2}):?(?P<minute>\d{2})"
    r"(?::?(?P<second>\d{2})(?:[.,](?P<fraction>\d+))?)?"
    r" ?(?P<offset>[Zz]|[+-]\d{2}(?::?\d{2})?)?)?$"
)
"""ISO 8601 and RFC 3339, basic form and a space for the T included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Times of a column's rows."""

    values: pa.Array
    """Timestamps of type `DATETIME`; null where null or unreadable."""
    unreadable: NDArray[np.bool_]
    """There is a value, but it is no time."""


def is_time(field: pa.Field) -> bool:
    """Return whether `utc_times` can read a column of this type."""
    kind = storage_of(field)
    instant = pa.types.is_timestamp(kind) or pa.types.is_date(kind)
    return bool(instant or pa.types.is_integer(kind) or pa.types.is_null(kind)) or is_text(kind)


def record_times(datetime: pa.Array | None, start: pa.Array | None) -> Times:
    """Return each record's time: its datetime, or where that is null the start of its range.

    A null `datetime` means that `start_datetime` and `end_datetime` hold (STAC Item 1.1,
    "datetime"). A datetime that is not null, but unreadable, is not replaced.
    """
    if datetime is None:
        return utc_times(start)
    given = utc_times(datetime)
    if start is None:
        return given
    begun = utc_times(start)
    open_rows = pc.is_null(datetime).to_numpy(zero_copy_only=False)
    return Times(
        values=pc.if_else(pa.array(open_rows), begun.values, given.values),
        unreadable=np.where(open_rows, begun.unreadable, given.unreadable),
    )


def utc_times(column: pa.Array) -> Times:
    """Return a column's times.

    Naive timestamps, dates and text without an offset are UTC; what is finer than a
    microsecond is cut off. Whole numbers count from 1970-01-01 UTC, in the unit that their
    size gives away: seconds from 1e8 up, milliseconds from 1e11, microseconds from 1e14,
    nanoseconds from 1e17 (each from 1973-03 to the year 2286); others, years among them, are
    unreadable.
    """
    kind = column.type
    valid = pc.is_valid(column).to_numpy(zero_copy_only=False)
    if pa.types.is_null(kind):
        micros, readable = np.zeros(len(column), np.int64), np.zeros(len(column), np.bool_)
    elif is_text(kind):
        micros, readable = _from_text(column.cast(pa.string()))
    elif pa.types.is_integer(kind):
        micros, readable = _from_epoch(column)
    else:
        micros, readable = _from_temporal(column)
    readable &= valid
    values = pa.array(micros, pa.int64(), mask=~readable).cast(DATETIME)
    return Times(values=values, unreadable=valid & ~readable)


def _from_temporal(column: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    kind = column.type
    if pa.types.is_date32(kind):
        numbers, multiplier = column.cast(pa.int32()).cast(pa.int64()), _DAY_US
        divisor = 1
    else:
        unit = "ms" if pa.types.is_date64(kind) else kind.unit
        numbers = column.cast(pa.int64())
        multiplier = max(1, 10**6 // _PER_SECOND[unit])
        divisor = max(1, _PER_SECOND[unit] // 10**6)
    ticks = pc.fill_null(numbers, 0).to_numpy()
    if divisor > 1:
        return ticks // divisor, np.ones(len(ticks), np.bool_)
    readable = (ticks >= _FIRST_US // multiplier) & (ticks < _STOP_US // multiplier)
    return np.where(readable, ticks, 0) * multiplier, readable


def _from_epoch(column: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    ticks = pc.fill_null(column, 0).to_numpy()
    ticks = np.minimum(ticks, np.iinfo(np.int64).max).astype(np.int64)
    unit = [(ticks >= 10**low) & (ticks < 10 ** (low + 2)) for low in (8, 11, 14)]
    unit.append(ticks >= 10**17)  # up to the largest int64, in 2262
    micros = np.select(unit, [ticks * 10**6, ticks * 10**3, ticks, ticks // 10**3], 0)
    return micros.astype(np.int64), np.any(unit, axis=0)


def _from_text(column: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    parts = pc.extract_regex(pc.utf8_trim_whitespace(column), _ISO)
    readable = pc.is_valid(parts).to_numpy(zero_copy_only=False)
    year, month, day = (_number(parts, name) for name in ("year", "month", "day"))
    hour, minute, second = (_number(parts, name) for name in ("hour", "minute", "second"))
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + (day - 1)
    # A month 13, or a day 31 of a month with 30, has run over into another year or month.
    readable &= (day >= 1) & (days.astype("datetime64[M]") == months)
    readable &= months.astype("datetime64[Y]").astype(np.int64) == year - 1970
    readable &= (hour < _DAY_HOURS) & (minute < _HOUR_MINUTES) & (second <= _LEAP_SECOND)
    ahead, sane = _offset_minutes(parts)
    seconds = ((days.astype(np.int64) * 24 + hour) * 60 + minute - ahead) * 60 + second
    micros = seconds * 10**6 + _micros(parts)
    readable &= sane & (micros >= _FIRST_US) & (micros < _STOP_US)
    return micros, readable


def _group(parts: pa.StructArray, name: str) -> pa.Array:
    """Return what a group of the pattern caught, empty where it or the whole did not match."""
    return pc.fill_null(pc.struct_field(parts, name), "")


def _number(parts: pa.StructArray, name: str) -> NDArray[np.int64]:
    text = _group(parts, name)
    return pc.if_else(pc.equal(text, ""), "0", text).cast(pa.int64()).to_numpy()


def _micros(parts: pa.StructArray) -> NDArray[np.int64]:
    digits = pc.utf8_slice_codeunits(_group(parts, "fraction"), 0, 6)
    return pc.utf8_rpad(digits, 6, "0").cast(pa.int64()).to_numpy()


def _offset_minutes(parts: pa.StructArray) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return how far local time is ahead of UTC, and whether that can be."""
    digits = pc.replace_substring_regex(_group(parts, "offset"), "[Zz:]", "")
    sign = pc.if_else(pc.starts_with(digits, "-"), -1, 1).to_numpy(zero_copy_only=False)
    bare = pc.utf8_rpad(pc.utf8_ltrim(digits, "+-"), 4, "0").cast(pa.int64()).to_numpy()
    hours, minutes = np.divmod(bare, 100)
    return sign * (hours * 60 + minutes), (hours < _DAY_HOURS) & (minutes < _HOUR_MINUTES)
