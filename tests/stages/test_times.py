from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rasteret_assets.contract.columns import DATETIME
from rasteret_assets.stages.times import is_time, record_times, utc_times

NOON = datetime(2024, 5, 31, 12, tzinfo=UTC)
INDIA = timezone(timedelta(hours=5, minutes=30))

FORMS: dict[str, pa.Array] = {
    "s": pa.array([NOON], pa.timestamp("s", "UTC")),
    "ms": pa.array([NOON], pa.timestamp("ms", "UTC")),
    "ns": pa.array([NOON], pa.timestamp("ns", "UTC")),
    "zone": pa.array([NOON], pa.timestamp("us", "Asia/Kolkata")),
    "fixed offset": pa.array([NOON], pa.timestamp("us", "+05:30")),
    "naive": pa.array([NOON.replace(tzinfo=None)], pa.timestamp("us")),
    "Z": pa.array(["2024-05-31T12:00:00Z"]),
    "offset": pa.array(["2024-05-31T17:30:00+05:30"]),
    "short offset": pa.array(["2024-05-31T07:00:00.000-05"]),
    "space": pa.array(["2024-05-31 12:00:00"]),
    "minutes": pa.array(["2024-05-31T12:00"]),
    "basic": pa.array(["20240531T120000Z"]),
    "blanks around": pa.array([" 2024-05-31T12:00:00z "]),
    "large": pa.array(["2024-05-31T12:00:00+00:00"], pa.large_string()),
    "dictionary": pa.array(["2024-05-31T12:00:00Z"]).dictionary_encode(),
    "epoch s": pa.array([int(NOON.timestamp())]),
    "epoch ms": pa.array([int(NOON.timestamp()) * 10**3]),
    "epoch us": pa.array([int(NOON.timestamp()) * 10**6]),
    "epoch ns": pa.array([int(NOON.timestamp()) * 10**9], pa.uint64()),
}


@pytest.mark.parametrize("column", FORMS.values(), ids=FORMS)
def test_every_form_of_noon_is_noon_in_utc(column: pa.Array) -> None:
    assert is_time(pa.field("datetime", column.type))
    found = utc_times(column)
    assert found.values.type == DATETIME
    assert found.values.to_pylist() == [NOON]
    assert not found.unreadable.any()


@pytest.mark.parametrize(
    "column",
    [
        pa.array([date(2024, 5, 31)], pa.date32()),
        pa.array([date(2024, 5, 31)], pa.date64()),
        pa.array(["2024-05-31"]),
        pa.array(["20240531"]),
    ],
    ids=["date32", "date64", "text", "basic text"],
)
def test_a_day_is_its_midnight_in_utc(column: pa.Array) -> None:
    assert utc_times(column).values.to_pylist() == [datetime(2024, 5, 31, tzinfo=UTC)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2024",
        "2024-02-30",
        "2023-02-29T00:00:00Z",
        "2024-13-01",
        "2024-00-10",
        "2024-01-00",
        "0000-01-01",
        "2024-01-01T24:00:00Z",
        "2024-01-01T10:60:00Z",
        "2024-01-01T10:00:61Z",
        "2024-01-01T10:00:00+25:00",
        "9999-12-31T23:30:00-01:00",
        "2024-01-01T10:00:00Z and more",
        "2024-01-01Z",
    ],
)
def test_text_that_is_no_time_is_unreadable(text: str) -> None:
    found = utc_times(pa.array(["2024-01-01", text, None]))
    assert found.unreadable.tolist() == [False, True, False]
    assert found.values.null_count == 2


@pytest.mark.parametrize("number", [0, 2024, 20240531, -1, 10**10, 10**13, 10**16])
def test_whole_numbers_are_never_read_as_years(number: int) -> None:
    assert utc_times(pa.array([number])).unreadable.tolist() == [True]


def test_leap_seconds_and_fractions_are_kept() -> None:
    column = pa.array(["2016-12-31T23:59:60Z", "2024-01-01T00:00:00,1234567Z"])
    assert utc_times(column).values.to_pylist() == [
        datetime(2017, 1, 1, tzinfo=UTC),
        datetime(2024, 1, 1, 0, 0, 0, 123456, tzinfo=UTC),
    ]


def test_nanoseconds_are_cut_off_towards_the_past() -> None:
    column = pa.array([1_700_000_000_123_456_789, -1], pa.timestamp("ns"))
    assert utc_times(column).values.cast(pa.int64()).to_pylist() == [1_700_000_000_123_456, -1]


def test_timestamps_beyond_the_year_9999_are_unreadable() -> None:
    column = pa.array([2**62, -(2**62), 0, None], pa.timestamp("s"))
    assert utc_times(column).unreadable.tolist() == [True, True, False, False]


YEARS = (datetime(1, 1, 2), datetime(9999, 12, 30))  # noqa: DTZ001  # hypothesis adds the zone


@given(st.datetimes(*YEARS, timezones=st.sampled_from([UTC, INDIA])))
def test_python_reads_iso_text_as_we_do(moment: datetime) -> None:
    texts = [moment.isoformat(), moment.isoformat(sep=" "), moment.isoformat(timespec="seconds")]
    wanted = [datetime.fromisoformat(text).astimezone(UTC) for text in texts]
    assert utc_times(pa.array(texts)).values.to_pylist() == wanted


@given(st.lists(st.none() | st.text("0123456789-T:Z+. ", max_size=25), max_size=5))
def test_what_python_refuses_or_reads_otherwise_is_not_made_up(texts: list[str | None]) -> None:
    column = pa.array(texts, pa.string())
    found = utc_times(column)
    for text, value in zip(texts, found.values.to_pylist(), strict=True):
        if value is not None and text is not None and " " not in text:
            moment = datetime.fromisoformat(text)
            aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            assert aware.astimezone(UTC).replace(microsecond=0) == value.replace(microsecond=0)


def test_a_null_datetime_takes_the_start_of_its_range() -> None:
    times = record_times(
        pa.array([NOON, None, None, None], pa.timestamp("us", "UTC")),
        pa.array([None, "2024-01-01", None, "soon"]),
    )
    assert times.values.to_pylist() == [NOON, datetime(2024, 1, 1, tzinfo=UTC), None, None]
    assert times.unreadable.tolist() == [False, False, False, True]


def test_an_unreadable_datetime_is_not_replaced_by_the_range() -> None:
    times = record_times(pa.array(["soon"]), pa.array(["2024-01-01"]))
    assert times.unreadable.tolist() == [True]


def test_records_may_have_a_range_alone_or_nothing_but_null() -> None:
    assert record_times(None, pa.array(["2024-01-01"])).values.null_count == 0
    assert record_times(pa.nulls(2), None).values.null_count == 2


@pytest.mark.parametrize(
    "kind",
    [pa.float64(), pa.bool_(), pa.time32("s"), pa.duration("s"), pa.struct([]), pa.binary()],
    ids=str,
)
def test_other_types_are_no_times(kind: pa.DataType) -> None:
    assert not is_time(pa.field("datetime", kind))


def test_a_hundred_thousand_texts_agree_with_numpy() -> None:
    seconds = np.random.default_rng(3).integers(-(2**33), 2**35, 100_000)
    moments = seconds.astype("datetime64[s]")
    found = utc_times(pa.array(np.datetime_as_string(moments, timezone="UTC")))
    assert np.array_equal(found.values.cast(pa.int64()).to_numpy(), seconds * 10**6)
