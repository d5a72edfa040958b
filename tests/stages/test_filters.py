from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rasteret_assets.errors import ConfigError
from rasteret_assets.stages import parse_filter

COUNT = 400
START = datetime(2024, 1, 1, tzinfo=UTC)


def column(values: Sequence[object], kind: pa.DataType) -> pa.Array:
    """A column of `values`, every seventh of them null."""
    return pa.array([None if row % 7 == 3 else one for row, one in enumerate(values)], kind)


def records() -> pa.Table:
    rng = np.random.default_rng(11)
    moments = [START + timedelta(hours=int(hour)) for hour in rng.integers(0, 2000, COUNT)]
    words = [f"S2{'AB'[row % 2]}_%{row % 5}" for row in range(COUNT)]
    return pa.table(
        {
            "row": pa.array(range(COUNT)),
            "eo:cloud_cover": column(rng.uniform(0, 100, COUNT).round(1).tolist(), pa.float64()),
            "small": column(rng.integers(-9, 9, COUNT).tolist(), pa.int8()),
            "proj:epsg": column(rng.integers(32601, 32661, COUNT).tolist(), pa.int64()),
            "platform": column(words, pa.string()),
            "kind": pa.array(words).dictionary_encode(),
            "good": column([row % 3 == 0 for row in range(COUNT)], pa.bool_()),
            "datetime": column(moments, pa.timestamp("ms", "UTC")),
            "naive": column([one.replace(tzinfo=None) for one in moments], pa.timestamp("us")),
            "day": column([one.date() for one in moments], pa.date32()),
        }
    )


RECORDS = records()


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.sql("SET TimeZone = 'UTC'")
        connection.register("records", RECORDS)
        yield connection


def rows_by(text: str) -> list[int]:
    found: list[int] = RECORDS.filter(parse_filter(text))["row"].to_pylist()
    return sorted(found)


def rows_in(database: duckdb.DuckDBPyConnection, condition: str) -> list[int]:
    found = database.sql(f"SELECT row FROM records WHERE {condition} ORDER BY row").fetchall()
    return [row for (row,) in found]


CASES = {  # CQL2, and SQL where that is another text
    "less": ("eo:cloud_cover < 20", '"eo:cloud_cover" < 20'),
    "quoted": ('"eo:cloud_cover" >= 20.5', None),
    "equal": ("small = 3", None),
    "unequal": ("small <> 3", None),
    "beyond the type": ("small < 300", None),
    "broken number": ("small > 2.5", None),
    "text": ("platform = 'S2A_%0'", None),
    "dictionary": ("kind = 'S2A_%0'", None),
    "and or not": ("small > 2 AND NOT good OR small < -5", None),
    "precedence": ("small > 2 AND (good OR small < -5)", None),
    "bare boolean": ("good", None),
    "compared boolean": ("good = false", None),
    "true": ("TRUE", None),
    "between": ("small BETWEEN -2 AND 4", None),
    "not between": ("small NOT BETWEEN -2 AND 4", None),
    "in": ("platform IN ('S2A_%0', 'S2B_%1', 'none')", None),
    "not in": ("small NOT IN (1, 2, 3)", None),
    "in broken": ("eo:cloud_cover IN (1, 2.5, 50.1)", '"eo:cloud_cover" IN (1, 2.5, 50.1)'),
    "in dictionary": ("kind IN ('S2A_%0')", None),
    "not in nested": ("NOT (small IN (1) AND good)", None),
    "like": ("platform LIKE 'S2A%'", None),
    "like one": ("platform LIKE 'S2__%'", None),
    "not like": ("platform NOT LIKE '%1'", None),
    "like escaped": (r"platform LIKE 'S2A\_\%0'", r"platform LIKE 'S2A\_\%0' ESCAPE '\'"),
    "like dictionary": ("kind LIKE '%B%'", None),
    "casei": ("CASEI(platform) = CASEI('s2a_%0')", "lower(platform) = 's2a_%0'"),
    "casei like": ("CASEI(platform) LIKE CASEI('s2B%')", "platform ILIKE 's2b%'"),
    "null": ("platform IS NULL", None),
    "not null": ("platform IS NOT NULL", None),
    "timestamp": (
        "datetime >= TIMESTAMP('2024-02-01T10:30:00Z')",
        "datetime >= TIMESTAMPTZ '2024-02-01T10:30:00Z'",
    ),
    "offset": (
        "datetime < TIMESTAMP('2024-02-01T10:30:00+05:30')",
        "datetime < TIMESTAMPTZ '2024-02-01T05:00:00Z'",
    ),
    "midnight": (
        (
            "datetime = TIMESTAMP('2024-01-20T00:00:00Z') "
            "OR datetime > TIMESTAMP('2024-03-01T00:00:00Z')"
        ),
        "datetime = TIMESTAMPTZ '2024-01-20 00:00Z' OR datetime > TIMESTAMPTZ '2024-03-01 00:00Z'",
    ),
    "date": ("datetime >= DATE('2024-02-01')", "datetime >= TIMESTAMPTZ '2024-02-01T00:00:00Z'"),
    "days": (
        "day BETWEEN DATE('2024-01-05') AND DATE('2024-01-20')",
        "day BETWEEN DATE '2024-01-05' AND DATE '2024-01-20'",
    ),
    "no zone": (
        "naive < TIMESTAMP('2024-02-01T00:00:00Z')",
        "naive < TIMESTAMP '2024-02-01 00:00:00'",
    ),
    "after": (
        "T_AFTER(datetime, TIMESTAMP('2024-02-01T00:00:01Z'))",
        "datetime > TIMESTAMPTZ '2024-02-01T00:00:01Z'",
    ),
    "in times": (
        "datetime IN (TIMESTAMP('2024-01-02T03:00:00Z'), TIMESTAMP('2024-01-20T00:00:00Z'))",
        "datetime IN (TIMESTAMPTZ '2024-01-02T03:00:00Z', TIMESTAMPTZ '2024-01-20T00:00:00Z')",
    ),
    "sum": ("small + 2 > proj:epsg - 32630", 'small + 2 > "proj:epsg" - 32630'),
    "quotient": ("small / 2 = 1.5", None),
    "negative": ("-small > 3", None),
    "literal first": ("3 < small", None),
    "two columns": ("day < datetime", None),
}


@pytest.mark.parametrize(("text", "sql"), CASES.values(), ids=CASES)
def test_a_filter_keeps_what_sql_keeps(
    text: str, sql: str | None, database: duckdb.DuckDBPyConnection
) -> None:
    assert rows_by(text) == rows_in(database, sql or text)


numbers = st.integers(-12, 12) | st.floats(-12, 12).map(lambda one: round(one, 2))
names = st.sampled_from(["small", '"eo:cloud_cover"', '"proj:epsg"'])
words = st.sampled_from(["'S2A_%0'", "'S2B_%3'", "'%'", "'S2%'", "'_2A%'", "'it''s'"])
operators = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])
comparisons = st.one_of(
    st.tuples(names, operators, numbers).map(lambda one: f"{one[0]} {one[1]} {one[2]}"),
    st.tuples(names, numbers, numbers).map(lambda one: f"{one[0]} BETWEEN {one[1]} AND {one[2]}"),
    st.tuples(names, st.lists(numbers, min_size=1, max_size=4)).map(
        lambda one: f"{one[0]} IN ({', '.join(map(str, one[1]))})"
    ),
    words.map(lambda word: f"platform LIKE {word}"),
    words.map(lambda word: f"kind >= {word}"),
    st.sampled_from(["good", "platform IS NULL", "day IS NULL", "good = true"]),
)
conditions = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda one: f"({one[0]} AND {one[1]})"),
        st.tuples(inner, inner).map(lambda one: f"({one[0]} OR {one[1]})"),
        inner.map(lambda one: f"NOT ({one})"),
    ),
    max_leaves=6,
)


@given(text=conditions)
def test_any_filter_keeps_what_sql_keeps(text: str, database: duckdb.DuckDBPyConnection) -> None:
    assert rows_by(text) == rows_in(database, text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a =", "line 1, column 4: expected"),
        ("", "line 1, column 1: expected"),
        ("a = 1 nonsense", "line 1, column 7: expected"),
        ("S_INTERSECTS(geometry, POINT(0 0))", "select by place with the Collection's own bbox"),
        ("T_DURING(a, INTERVAL('2024-01-01', '2024-02-01'))", "compare with TIMESTAMP"),
        ("A_CONTAINS(a, ('x', 'y'))", "a_contains is not supported"),
        ("soundex(a) = 'x'", "soundex is not supported"),
        ("a = NULL", "use IS NULL"),
        ("a = 9007199254740993", "too large to be exact"),
        ("a > TIMESTAMP('soon')", "'soon' is no timestamp"),
        ("a > DATE('2024-02-30')", "no date"),
        ("a IN (1, 'x')", "one kind"),
        ("a IN (b)", "no literal"),
        ("a LIKE b", "needs a pattern"),
        ("3", "not a condition"),
        ("a AND 'x'", "not a condition"),
    ],
)
def test_what_cannot_be_a_filter_is_refused_with_the_place_or_the_way_out(
    text: str, said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_filter(text)
    assert said in str(caught.value)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("row > 350", 1),
        ("row IN (1, 399)", 2),
        ("row BETWEEN 120 AND 130", 1),
        ("when >= TIMESTAMP('2024-01-16T00:00:00Z')", 1),
        ("when >= TIMESTAMP('2024-01-16T00:00:01Z')", 1),
        ("when >= DATE('2024-01-16')", 1),
    ],
)
def test_filters_pass_over_row_groups_by_their_statistics(
    text: str, groups: int, tmp_path: Path
) -> None:
    hours = [START + timedelta(hours=row) for row in range(COUNT)]
    table = pa.table({"row": range(COUNT), "when": pa.array(hours, pa.timestamp("us", "UTC"))})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=100)
    (fragment,) = ds.dataset(tmp_path / "a.parquet").get_fragments()
    assert len(fragment.subset(filter=parse_filter(text)).row_groups) == groups
