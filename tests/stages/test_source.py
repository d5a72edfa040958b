import pyarrow as pa
import pytest

from rasteret_assets.errors import TableError
from rasteret_assets.stages import check_source

from .conftest import MakeRecords, MakeSpec

SOUND: dict[str, pa.DataType] = {
    "id": pa.string(),
    "datetime": pa.timestamp("us", "UTC"),
    "geometry": pa.binary(),
    "assets": pa.struct([("B04", pa.struct([("href", pa.string())]))]),
}


def schema(**given: pa.DataType | None) -> pa.Schema:
    fields = {**SOUND, **given}
    return pa.schema([(name, kind) for name, kind in fields.items() if kind is not None])


def message(found: pa.Schema, make_spec: MakeSpec, **spec: object) -> str:
    with pytest.raises(TableError) as caught:
        check_source(found, make_spec(**spec), "s3://bucket/records.parquet")
    said = str(caught.value)
    assert said.startswith("s3://bucket/records.parquet: ")
    return said


def test_a_sound_table_passes(make_spec: MakeSpec, make_records: MakeRecords) -> None:
    check_source(schema(), make_spec(), "records.parquet")
    check_source(make_records().schema, make_spec(), "records.parquet")


@pytest.mark.parametrize(
    ("yours", "ours"),
    [
        ("scene_id", "id"),
        ("acquired", "datetime"),
        ("geom", "geometry"),
        ("footprint", "geometry"),
        ("Geometry_", "geometry"),
        ("asset_s", "assets"),
        ("date_time", "datetime"),
    ],
)
def test_a_missing_column_is_named_with_those_there_are_and_the_likely_mapping(
    yours: str, ours: str, make_spec: MakeSpec
) -> None:
    said = message(schema(**{ours: None, yours: SOUND[ours]}), make_spec)
    assert f"no column ['{ours}'] among" in said
    assert f"'{yours}'" in said
    assert f"likely column_map={{'{yours}': '{ours}'}}" in said


def test_all_missing_columns_are_named_at_once(make_spec: MakeSpec) -> None:
    found = pa.schema([("scene_id", pa.string()), ("acquired", pa.date32()), ("geom", pa.binary())])
    said = message(found, make_spec)
    assert "no column ['id', 'datetime', 'geometry', 'assets']" in said
    assert "{'scene_id': 'id', 'acquired': 'datetime', 'geom': 'geometry'}" in said


def test_without_a_likely_column_the_message_shows_how_to_map(make_spec: MakeSpec) -> None:
    said = message(pa.schema([("x", pa.float64())]), make_spec)
    assert "map your names with column_map={'yours': 'id'}" in said


def test_a_guess_has_a_type_that_can_be(make_spec: MakeSpec) -> None:
    said = message(schema(datetime=None, timestamp=pa.float64(), acquired=pa.date32()), make_spec)
    assert "likely column_map={'acquired': 'datetime'}" in said


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("id", pa.float64()),
        ("datetime", pa.float64()),
        ("datetime", pa.struct([("start", pa.string())])),
        ("geometry", pa.list_(pa.float64())),
        ("assets", pa.int64()),
        ("assets", pa.struct([("href", pa.string()), ("type", pa.string())])),
        ("start_datetime", pa.float32()),
    ],
)
def test_an_impossible_type_is_named_with_what_is_expected(
    name: str, kind: pa.DataType, make_spec: MakeSpec
) -> None:
    said = message(schema(**{name: kind}), make_spec)
    assert f"column {name} is {str(kind)[:20]}" in said
    assert f"{name} has to be" in said


def test_an_impossible_type_is_named_by_the_name_in_the_source(make_spec: MakeSpec) -> None:
    found = schema(id=None, scene=pa.float64())
    said = message(found, make_spec, column_map={"scene": "id"})
    assert "column scene (mapped to id) is double" in said


def test_a_column_map_names_only_what_is_there(make_spec: MakeSpec) -> None:
    said = message(schema(id=None, scene_id=pa.string()), make_spec, column_map={"scene-id": "id"})
    assert "column_map names ['scene-id'], not among the columns" in said
    assert "for 'scene-id', 'scene_id'?" in said


def test_columns_names_only_what_is_there(make_spec: MakeSpec) -> None:
    said = message(schema(), make_spec, columns=(*SOUND, "cloud"))
    assert "columns names ['cloud']" in said


def test_columns_may_not_leave_out_a_required_one(make_spec: MakeSpec) -> None:
    said = message(schema(), make_spec, columns=("id", "datetime", "assets"))
    assert "leaves out ['geometry']; add them" in said


def test_columns_that_were_already_left_out_by_the_scan_are_named_too(make_spec: MakeSpec) -> None:
    scanned = schema(geometry=None)
    said = message(scanned, make_spec, columns=("id", "datetime", "assets"))
    assert "no column ['geometry']" in said
    assert "after columns=['id', 'datetime', 'assets'] chose" in said


def test_columns_may_not_leave_out_what_the_map_names(make_spec: MakeSpec) -> None:
    spec = {"columns": tuple(SOUND), "column_map": {"cloud": "eo:cloud_cover"}}
    said = message(schema(cloud=pa.float64()), make_spec, **spec)
    assert "column_map names ['cloud'], which columns=" in said


@pytest.mark.parametrize("name", ["scene_id", "key"])
def test_two_columns_may_not_both_be_the_id(name: str, make_spec: MakeSpec) -> None:
    said = message(schema(**{name: pa.string()}), make_spec, column_map={name: "id"})
    assert f"columns ['id', '{name}'] would all be 'id'" in said
    assert "column_map={'id': 'id_other'}" in said


def test_the_way_out_that_the_message_shows_works(make_spec: MakeSpec) -> None:
    spec = make_spec(column_map={"scene_id": "id", "id": "id_other"})
    check_source(schema(scene_id=pa.string()), spec, "records.parquet")


def test_kept_names_may_not_clash_either(make_spec: MakeSpec) -> None:
    said = message(schema(year=pa.int64(), year_source=pa.int64()), make_spec)
    assert "columns ['year', 'year_source'] would all be 'year_source'" in said
    listed = pa.list_(pa.float64())
    said = message(schema(bbox=listed, bbox_source=listed), make_spec)
    assert "would all be 'bbox_source'" in said


def test_names_have_to_be_unique(make_spec: MakeSpec) -> None:
    twice = pa.schema([*schema(), pa.field("id", pa.string())])
    assert "several columns named ['id']" in message(twice, make_spec)


def test_a_range_can_stand_for_the_datetime(make_spec: MakeSpec) -> None:
    found = schema(datetime=None, start_datetime=pa.timestamp("us", "UTC"))
    check_source(found, make_spec(), "records.parquet")


@pytest.mark.parametrize("name", list(SOUND))
def test_a_column_of_nulls_is_left_to_the_rows(name: str, make_spec: MakeSpec) -> None:
    check_source(schema(**{name: pa.null()}), make_spec(), "records.parquet")
