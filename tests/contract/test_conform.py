import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rasteret_assets.contract.conform import conform, unify
from rasteret_assets.errors import TableError

PARTS = {
    "href": pa.string(),
    "title": pa.string(),
    "size": pa.int32(),
    "gsd": pa.float64(),
}


def values(kind: pa.DataType) -> st.SearchStrategy[object]:
    if pa.types.is_struct(kind):
        fields = {field.name: values(field.type) for field in kind}
        return st.none() | st.fixed_dictionaries(fields)
    if pa.types.is_list(kind):
        return st.none() | st.lists(values(kind.value_type), max_size=2)
    if pa.types.is_string(kind):
        return st.none() | st.text(max_size=3)
    if pa.types.is_int32(kind):
        return st.none() | st.integers(-5, 5)
    return st.none() | st.floats(-5, 5)


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """Tables as assets drift: each has some columns, keys and fields of one large schema."""
    columns = {}
    rows = draw(st.integers(0, 4))
    for name in draw(st.lists(st.sampled_from(["id", "assets", "links"]), unique=True)):
        parts = draw(st.lists(st.sampled_from(sorted(PARTS)), min_size=1, unique=True))
        asset = pa.struct([(part, PARTS[part]) for part in parts])
        keys = draw(st.lists(st.sampled_from(["B1", "B2"]), min_size=1, unique=True))
        kind = {
            "id": pa.string(),
            "assets": pa.struct([(key, asset) for key in keys]),
            "links": pa.list_(asset),
        }[name]
        drawn = draw(st.lists(values(kind), min_size=rows, max_size=rows))
        columns[name] = pa.array(drawn, kind)
    table = pa.table(columns)
    cut = draw(st.integers(0, rows))
    return table.slice(cut)


def without_nulls(value: object) -> object:
    if isinstance(value, dict):
        pruned = {name: without_nulls(one) for name, one in value.items()}
        return {name: one for name, one in pruned.items() if one is not None}
    if isinstance(value, list):
        return [without_nulls(one) for one in value]
    return value


@given(st.lists(tables(), min_size=1, max_size=4))
def test_tables_that_grew_apart_keep_every_value_under_one_schema(found: list[pa.Table]) -> None:
    schema = unify(table.schema for table in found)
    for table in found:
        conformed = conform(table, schema)
        assert conformed.schema.equals(schema, check_metadata=True)
        assert without_nulls(conformed.to_pylist()) == without_nulls(table.to_pylist())


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (pa.int32(), pa.int64(), pa.int64()),
        (pa.int64(), pa.float64(), pa.float64()),
        (pa.null(), pa.struct([("a", pa.int8())]), pa.struct([("a", pa.int8())])),
        (pa.timestamp("ms", "UTC"), pa.timestamp("us", "UTC"), pa.timestamp("us", "UTC")),
        (pa.string(), pa.large_string(), pa.large_string()),
    ],
    ids=str,
)
def test_the_wider_type_is_taken(one: pa.DataType, other: pa.DataType, both: pa.DataType) -> None:
    schemas = [pa.schema([("x", one)]), pa.schema([("x", other)])]
    assert unify(schemas).field("x").type == both
    assert conform(pa.table({"x": pa.nulls(2, one)}), unify(schemas)).schema == unify(schemas)


def test_types_without_a_common_one_become_text() -> None:
    schema = unify([pa.schema([("gsd", pa.string())]), pa.schema([("gsd", pa.int64())])])
    assert schema.field("gsd").type == pa.string()
    assert conform(pa.table({"gsd": [10, None]}), schema)["gsd"].to_pylist() == ["10", None]


def test_a_value_that_does_not_fit_is_an_error_naming_the_column() -> None:
    with pytest.raises(TableError, match="column n: int64 does not fit into int8"):
        conform(pa.table({"n": [300]}), pa.schema([("n", pa.int8())]))


def test_columns_come_in_the_order_of_the_schema_with_its_metadata() -> None:
    schema = pa.schema([("b", pa.int64()), ("a", pa.int64())], metadata={"geo": "{}"})
    conformed = conform(pa.table({"a": [1], "c": [2], "b": [3]}), schema)
    assert conformed.to_pydict() == {"b": [3], "a": [1]}
    assert conformed.schema.metadata == {b"geo": b"{}"}


def test_nothing_has_a_schema_without_columns() -> None:
    assert unify([]) == pa.schema([])
    assert conform(pa.table({"a": [1, 2]}), pa.schema([])).num_rows == 2
