import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rasteret_assets.errors import TableError
from rasteret_assets.stages.assets import is_assets, normalise_assets, usable

ROWS: list[dict[str, dict[str, object]] | None] = [
    {"B04": {"href": "a/4.tif", "band_index": 2}, "thumbnail": {"href": "a/t.jpg"}},
    {"B04": {"href": "b/4.tif", "band_index": None}},
    None,
    {"eo:x-y": {"href": "c.tif", "type": "image/tiff", "roles": ["data"]}},
]


def pruned(value: object) -> object:
    """The value without members that are null, which Arrow cannot tell from absent ones."""
    if isinstance(value, dict):
        members = {key: pruned(one) for key, one in value.items()}
        return {key: one for key, one in members.items() if one is not None} or None
    return value


def entries(row: dict[str, dict[str, object]] | None) -> list[dict[str, object]] | None:
    return None if row is None else [{"key": key, **asset} for key, asset in row.items()]


def pairs(row: dict[str, dict[str, object]] | None) -> list[dict[str, object]] | None:
    return None if row is None else [{"key": k, "value": v} for k, v in row.items()]


ASSET = pa.struct(
    [
        ("href", pa.string()),
        ("band_index", pa.int64()),
        ("type", pa.string()),
        ("roles", pa.list_(pa.string())),
    ]
)
FORMS: dict[str, pa.Array] = {
    "structs": pa.array(ROWS),
    "map of structs": pa.array(
        [None if row is None else list(row.items()) for row in ROWS], pa.map_(pa.string(), ASSET)
    ),
    "entries": pa.array([entries(row) for row in ROWS]),
    "large list of entries": pa.array(
        [entries(row) for row in ROWS],
        pa.large_list(pa.struct([("name", pa.large_string()), ("key", pa.string()), *ASSET])),
    ),
    "key and value": pa.array([pairs(row) for row in ROWS]),
    "JSON": pa.array([None if row is None else json.dumps(row, indent=1) for row in ROWS]),
    "JSON list": pa.array([None if row is None else json.dumps(entries(row)) for row in ROWS]),
    "JSON dictionary": pa.array(
        [None if row is None else json.dumps(row) for row in ROWS]
    ).dictionary_encode(),
}


@pytest.mark.parametrize("column", FORMS.values(), ids=FORMS)
def test_every_form_becomes_one_struct_of_structs(column: pa.Array) -> None:
    assert is_assets(pa.field("assets", column.type))
    found = normalise_assets(column)
    found.validate(full=True)
    assert [pruned(row) for row in found.to_pylist()] == [pruned(row) for row in ROWS]
    for member in found.type:
        assert member.type.field("href").type == pa.string()
    assert found.type.field("B04").type.field("band_index").type == pa.int32()


HREFS = [{"B04": "4.tif", "B08": "8.tif"}, {"B04": "5.tif"}, None]


@pytest.mark.parametrize(
    "column",
    [
        pa.array(HREFS),
        pa.array(HREFS, pa.struct([("B04", pa.large_string()), ("B08", pa.string_view())])),
        pa.array(
            [None if row is None else list(row.items()) for row in HREFS],
            pa.map_(pa.string(), pa.string()),
        ),
        pa.array(
            [
                None if row is None else [{"key": k, "value": v} for k, v in row.items()]
                for row in HREFS
            ]
        ),
        pa.array([None if row is None else json.dumps(row) for row in HREFS]),
    ],
    ids=["struct", "large", "map", "entries", "JSON"],
)
def test_bare_hrefs_become_assets(column: pa.Array) -> None:
    assert is_assets(pa.field("assets", column.type))
    assert normalise_assets(column).to_pylist() == [
        {"B04": {"href": "4.tif"}, "B08": {"href": "8.tif"}},
        {"B04": {"href": "5.tif"}, "B08": None},
        None,
    ]


def test_normalised_assets_stay_as_they_are() -> None:
    once = normalise_assets(FORMS["JSON"])
    assert normalise_assets(once).equals(once)


@pytest.mark.parametrize("form", ["map of structs", "entries", "structs"])
def test_slices_are_read_where_they_begin(form: str) -> None:
    found = normalise_assets(FORMS[form].slice(1, 2))
    assert [pruned(row) for row in found.to_pylist()] == [pruned(row) for row in ROWS[1:3]]


def test_of_a_key_given_twice_the_first_counts() -> None:
    twice = [[{"key": "a", "href": "1"}, {"key": "b", "href": "2"}, {"key": "a", "href": "3"}]]
    wanted = [{"a": {"href": "1"}, "b": {"href": "2"}}]
    assert normalise_assets(pa.array(twice)).to_pylist() == wanted
    assert normalise_assets(pa.array([json.dumps(twice[0])])).to_pylist() == wanted


def test_members_without_a_common_type_become_json_text() -> None:
    rows = ['{"a": {"href": "1", "gsd": 10}}', '{"a": {"href": "2", "gsd": {"x": 1}}}', "[]"]
    found = normalise_assets(pa.array(rows)).to_pylist()
    assert found == [
        {"a": {"href": "1", "gsd": "10"}},
        {"a": {"href": "2", "gsd": '{"x": 1}'}},
        None,
    ]


@pytest.mark.parametrize(
    "text",
    ["", "{", "null", "3", '"text"', '{"a": 1}', "{}", "[1, 2]", '[{"href": "x"}]', "[" * 9999],
)
def test_json_that_holds_no_assets_is_null(text: str) -> None:
    found = normalise_assets(pa.array([text, '{"a": "1.tif"}']))
    assert found.to_pylist() == [None, {"a": {"href": "1.tif"}}]


def test_objects_without_members_do_not_reach_parquet() -> None:
    found = normalise_assets(pa.array(['{"a": {"href": "1", "alternate": {}}}']))
    assert [member.name for member in found.type.field("a").type] == ["href", "alternate"]
    assert pa.types.is_null(found.type.field("a").type.field("alternate").type)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (pa.array([0, 3, None], pa.int64()), [0, 3, None]),
        (pa.array([0.0, 3.0, None]), [0, 3, None]),
        (pa.array([0.5, -1.0, float("nan")]), [-1, -1, -1]),
        (pa.array([2**40, 2**63, 1], pa.uint64()), [-1, -1, 1]),
        (pa.array(["1", None, "x"]), [-1, None, -1]),
        (pa.nulls(3), [None, None, None]),
    ],
    ids=["whole", "pandas", "broken", "large", "text", "null"],
)
def test_band_indexes_are_whole_numbers_or_minus_one(
    given: pa.Array, wanted: list[int | None]
) -> None:
    asset = pa.StructArray.from_arrays([pa.array(["x"] * 3), given], ["href", "band_index"])
    found = normalise_assets(pa.StructArray.from_arrays([asset], ["a"]))
    assert found.field(0).field("band_index").to_pylist() == wanted


def test_an_asset_without_href_gets_a_null_one() -> None:
    column = pa.array([{"a": {"title": "x"}, "note": None, "count": 3, "b": {"href": 5}}])
    found = normalise_assets(column)
    assert found.to_pylist() == [{"a": {"title": "x", "href": None}, "b": {"href": None}}]
    assert usable(found).tolist() == [False]


def test_rows_with_an_href_that_is_not_blank_are_usable() -> None:
    rows = [
        {"a": {"href": "1"}, "b": None},
        {"a": {"href": " "}, "b": {"href": ""}},
        {"a": None, "b": {"href": "2"}},
        {"a": None, "b": None},
        None,
    ]
    assert usable(normalise_assets(pa.array(rows))).tolist() == [True, False, True, False, False]


def test_hrefs_under_a_null_parent_do_not_count() -> None:
    asset = pa.StructArray.from_arrays(
        [pa.array(["x", "y"])], ["href"], mask=pa.array([True, False])
    )
    column = pa.StructArray.from_arrays([asset], ["a"], mask=pa.array([False, True]))
    assert usable(normalise_assets(column)).tolist() == [False, False]


@pytest.mark.parametrize("as_json", [False, True])
def test_more_keys_than_a_schema_should_hold_are_refused(as_json: bool) -> None:  # noqa: FBT001
    rows = [[{"key": f"k{row}", "href": "x"}] for row in range(1001)]
    column = pa.array([json.dumps(row) for row in rows] if as_json else rows)
    with pytest.raises(TableError, match="1001 different keys"):
        normalise_assets(column)


@pytest.mark.parametrize(
    "kind",
    [
        pa.int64(),
        pa.list_(pa.string()),
        pa.list_(pa.struct([("href", pa.string())])),
        pa.struct([("href", pa.string()), ("type", pa.string())]),
        pa.struct([("count", pa.int64())]),
        pa.map_(pa.int64(), pa.string()),
        pa.binary(),
    ],
    ids=str,
)
def test_other_types_hold_no_assets_by_key(kind: pa.DataType) -> None:
    assert not is_assets(pa.field("assets", kind))


def test_no_assets_at_all_keep_the_number_of_rows() -> None:
    for column in (
        pa.nulls(3),
        pa.array([None] * 3, pa.string()),
        pa.array([[]] * 3, FORMS["entries"].type),
    ):
        assert len(normalise_assets(column)) == 3


keys = st.sampled_from(["B04", "eo:x", "a-b", "thumbnail"])
assets = st.fixed_dictionaries(
    {"href": st.text(max_size=4)},
    optional={
        "band_index": st.integers(0, 9),
        "type": st.sampled_from(["image/tiff", "text/xml"]),
        "file:size": st.integers(0, 2**50),
        "proj:shape": st.lists(st.integers(0, 9), min_size=1, max_size=2),
    },
)
records = st.lists(st.none() | st.dictionaries(keys, assets, min_size=1), min_size=1, max_size=6)


@given(records)
def test_structs_maps_lists_and_json_say_the_same(
    rows: list[dict[str, dict[str, object]] | None],
) -> None:
    asset = pa.struct(
        [
            ("href", pa.string()),
            ("band_index", pa.int64()),
            ("type", pa.string()),
            ("file:size", pa.int64()),
            ("proj:shape", pa.list_(pa.int64())),
        ]
    )
    given_pairs = [None if row is None else list(row.items()) for row in rows]
    forms = [
        pa.array(rows, pa.struct([(key, asset) for key in ("B04", "eo:x", "a-b", "thumbnail")])),
        pa.array(given_pairs, pa.map_(pa.string(), asset)),
        pa.array(
            [entries(row) for row in rows],
            pa.list_(pa.struct([("key", pa.string()), *asset])),
        ),
        pa.array([None if row is None else json.dumps(row) for row in rows]),
    ]
    wanted = [pruned(row) for row in rows]
    for form in forms:
        assert [pruned(row) for row in normalise_assets(form).to_pylist()] == wanted
