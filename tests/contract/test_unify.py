import itertools
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rasteret_assets.contract.conform import conform, unify


def same(before: object, after: object) -> bool:
    """Whether `after` says what `before` said, in a wider type or with more members."""
    if isinstance(before, dict) and isinstance(after, dict):
        more = [key for key in after if key not in before]
        return all(same(before[key], after[key]) for key in before) and not any(
            after[key] is not None for key in more
        )
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(map(same, before, after))
    if isinstance(after, str) and not isinstance(before, str):
        return before is not None and after in (json.dumps(before, default=str), str(before))
    return before == after


def real_tables(data_dir: Path) -> list[pa.Table]:
    files = sorted((data_dir / "tables").glob("*.parquet"))
    return [pq.read_table(file).slice(0, 5) for file in files]


def test_any_two_real_tables_come_onto_one_schema_with_all_they_say(data_dir: Path) -> None:
    tables = real_tables(data_dir)
    assert len(tables) == 14
    for left, right in itertools.combinations(tables, 2):
        schema = unify([left.schema, right.schema])
        for table in (left, right):
            rows = conform(table, schema)
            rows.validate(full=True)
            assert rows.schema.names == schema.names
            assert all(map(same, table.to_pylist(), rows.to_pylist()))


def test_all_real_tables_can_be_stacked_and_stored(data_dir: Path, tmp_path: Path) -> None:
    tables = real_tables(data_dir)
    schema = unify(table.schema for table in tables)
    stacked = pa.concat_tables(conform(table, schema) for table in tables)
    pq.write_table(stacked, tmp_path / "all.parquet")
    assert pq.read_metadata(tmp_path / "all.parquet").num_rows == stacked.num_rows


def struct(**members: pa.DataType) -> pa.StructType:
    return pa.struct(list(members.items()))


PAIRS = {
    "null and text": (pa.null(), pa.string(), pa.string()),
    "null and struct": (pa.null(), struct(a=pa.int8()), struct(a=pa.int8())),
    "int32 and int64": (pa.int32(), pa.int64(), pa.int64()),
    "int and double": (pa.int64(), pa.float64(), pa.float64()),
    "half and float": (pa.float16(), pa.float32(), pa.float32()),
    "uint8 and int8": (pa.uint8(), pa.int8(), pa.int16()),
    "uint32 and int8": (pa.uint32(), pa.int8(), pa.int64()),
    "uint64 and int8": (pa.uint64(), pa.int8(), pa.int64()),
    "string and large": (pa.string(), pa.large_string(), pa.large_string()),
    "string and view": (pa.string(), pa.string_view(), pa.string()),
    "dictionary": (pa.dictionary(pa.int32(), pa.string()), pa.string(), pa.string()),
    "binary and large": (pa.binary(), pa.large_binary(), pa.large_binary()),
    "times": (pa.timestamp("ms", "UTC"), pa.timestamp("us", "UTC"), pa.timestamp("us", "UTC")),
    "zone and none": (pa.timestamp("us", "UTC"), pa.timestamp("us"), pa.string()),
    "int and text": (pa.int64(), pa.string(), pa.string()),
    "bool and int": (pa.bool_(), pa.int8(), pa.string()),
    "list and large": (pa.list_(pa.int8()), pa.large_list(pa.int16()), pa.large_list(pa.int16())),
    "list and fixed": (pa.list_(pa.float64()), pa.list_(pa.float64(), 4), pa.list_(pa.float64())),
    "struct and text": (struct(a=pa.int8()), pa.string(), pa.string()),
    "structs": (
        struct(a=pa.int8(), b=pa.null()),
        struct(b=pa.string(), c=pa.bool_()),
        struct(a=pa.int8(), b=pa.string(), c=pa.bool_()),
    ),
    "maps": (
        pa.map_(pa.string(), pa.int8()),
        pa.map_(pa.large_string(), pa.int16()),
        pa.map_(pa.large_string(), pa.int16()),
    ),
}


@pytest.mark.parametrize(("left", "right", "wanted"), PAIRS.values(), ids=PAIRS)
def test_two_types_become_the_one_that_holds_both(
    left: pa.DataType, right: pa.DataType, wanted: pa.DataType
) -> None:
    schemas = [pa.schema([("f", left)]), pa.schema([("f", right)])]
    assert unify(schemas).field("f").type == wanted
    for schema in (unify(schemas), unify(schemas[::-1])):
        for kind in (left, right):
            assert conform(pa.table({"f": pa.nulls(2, kind)}), schema).schema == schema


def test_columns_keep_the_order_they_are_first_met_in() -> None:
    first = pa.schema([("a", pa.int8()), ("b", pa.int8())])
    second = pa.schema([("c", pa.int8()), ("b", pa.int8()), ("d", pa.int8())])
    assert unify([first, second]).names == ["a", "b", "c", "d"]


def test_a_column_may_be_null_where_any_table_lacks_it_or_has_nulls() -> None:
    sure = pa.field("a", pa.int8(), nullable=False)
    assert not unify([pa.schema([sure]), pa.schema([sure, ("b", pa.int8())])]).field("a").nullable
    assert unify([pa.schema([sure]), pa.schema([("b", pa.int8())])]).field("a").nullable
    assert unify([pa.schema([sure]), pa.schema([("a", pa.int16())])]).field("a").nullable


def test_metadata_is_that_of_the_first_schema_that_has_any() -> None:
    bare = pa.schema([("a", pa.int8())])
    one, two = bare.with_metadata({"k": "1"}), bare.with_metadata({"k": "2"})
    assert unify([bare, one, two]).metadata == {b"k": b"1"}
    assert unify([]).names == []


def test_nested_values_become_json_where_another_table_has_text() -> None:
    nested = pa.table({"f": [{"a": [1, None], "b": {"c": "x"}}, None]})
    plain = pa.table({"f": ["words"]})
    schema = unify([nested.schema, plain.schema])
    found = [text and json.loads(text) for text in conform(nested, schema)["f"].to_pylist()]
    assert found == nested["f"].to_pylist()
    assert conform(plain, schema).equals(plain)


def test_text_deep_within_a_struct_takes_up_what_is_nested_there() -> None:
    nested = pa.table({"f": [{"a": [{"x": {"y": 1}}], "b": 5}, None]})
    plain = pa.table({"f": [{"a": [{"x": "why"}], "b": 6}]})
    found = conform(nested, unify([plain.schema, nested.schema]))["f"].to_pylist()
    assert found == [{"a": [{"x": '{"y": 1}'}], "b": 5}, None]


leaves = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=5)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=6,
)


def column_of(value: object) -> pa.Array | None:
    try:
        return pa.array([value, None])
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return None  # a list of several kinds is no Arrow value to begin with


@given(st.lists(values, min_size=1, max_size=4))
def test_whatever_columns_hold_they_come_together(rows: list[object]) -> None:
    columns = [column for column in map(column_of, rows) if column is not None]
    tables = [pa.table({"f": column}) for column in columns]
    schema = unify(table.schema for table in tables)
    for table in tables:
        conformed = conform(table, schema)
        conformed.validate(full=True)
        assert conformed.schema == schema


def test_an_extension_type_meets_its_plain_storage() -> None:
    shapes = pa.array([b"\x01\x01"], pa.binary())
    marked = pa.table(
        {
            "geometry": pa.ExtensionArray.from_storage(
                pa.uuid(), pa.array([b"u" * 16], pa.binary(16))
            )
        }
    )
    plain = pa.table({"geometry": shapes})
    schema = unify([marked.schema, plain.schema])
    assert pa.types.is_binary(schema.field("geometry").type)
    assert conform(marked, schema)["geometry"].to_pylist() == [b"u" * 16]
    assert conform(plain, schema)["geometry"].to_pylist() == [b"\x01\x01"]
