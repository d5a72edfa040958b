import json
import struct
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyproj
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from rasteret_assets.contract.columns import SOURCE_ROW
from rasteret_assets.contract.problems import PROBLEMS
from rasteret_assets.contract.spec import CollectionSpec
from rasteret_assets.contract.tables import StageBatch
from rasteret_assets.errors import ProblemCode, TableError
from rasteret_assets.stages import IdState, validate

from .conftest import MakeRecords, MakeSpec

SQUARE = shapely.to_wkb(shapely.box(0, 0, 1, 1))
BOWTIE_NAN = struct.pack("<BIII8d", 1, 3, 1, 4, 0, 0, float("nan"), 0, 1, 1, 0, 0)
UTM = pyproj.CRS("EPSG:32633").to_json_dict()
SPEC = CollectionSpec(name="demo", sources=("records.parquet",))


def run(table: pa.Table, spec: CollectionSpec = SPEC, geo: str | None = None) -> StageBatch:
    return validate(table, spec, IdState(), "records.parquet", geo=geo)


def test_sound_rows_pass_unchanged(make_records: MakeRecords) -> None:
    table = make_records(5)
    found = run(table)
    assert found.rows.equals(table)
    assert found.problems.equals(PROBLEMS.empty_table())


FAULTS: dict[str, tuple[str, list[object], ProblemCode, str]] = {
    "null id": ("id", ["a", None, "c"], ProblemCode.ID_MISSING, "null or blank"),
    "blank id": ("id", ["a", " ", "c"], ProblemCode.ID_MISSING, "null or blank"),
    "repeated id": ("id", ["a", "a", "c"], ProblemCode.ID_REPEATED, "came earlier"),
    "no time": (
        "datetime",
        ["2024-01-01", None, "2024-01-01"],
        ProblemCode.TIME_MISSING,
        "neither datetime nor start_datetime",
    ),
    "no such day": (
        "datetime",
        ["2024-01-01", "2024-02-30", "2024-01-01"],
        ProblemCode.TIME_MISSING,
        "2024-02-30 is no time; write ISO 8601",
    ),
    "a year": (
        "datetime",
        [1_700_000_000, 2024, 1_700_000_000],
        ProblemCode.TIME_MISSING,
        "2024 is no time",
    ),
    "null geometry": (
        "geometry",
        [SQUARE, None, SQUARE],
        ProblemCode.GEOMETRY_MISSING,
        "null or empty",
    ),
    "empty geometry": (
        "geometry",
        [SQUARE, shapely.to_wkb(shapely.Polygon()), SQUARE],
        ProblemCode.GEOMETRY_MISSING,
        "null or empty",
    ),
    "bad WKB": (
        "geometry",
        [SQUARE, b"\x01\x02", SQUARE],
        ProblemCode.GEOMETRY_INVALID,
        "cannot be decoded",
    ),
    "not finite": (
        "geometry",
        [SQUARE, BOWTIE_NAN, SQUARE],
        ProblemCode.GEOMETRY_INVALID,
        "not finite",
    ),
    "metres": (
        "geometry",
        [SQUARE, shapely.to_wkb(shapely.box(5e5, 5.49e6, 5.06e5, 5.5e6)), SQUARE],
        ProblemCode.GEOMETRY_INVALID,
        "500000, 5490000, 506000, 5500000 (west, south, east, north) is outside",
    ),
    "no assets": (
        "assets",
        [{"a": {"href": "1"}}, None, {"a": {"href": "2"}}],
        ProblemCode.ASSETS_UNUSABLE,
        "no asset has an href",
    ),
    "blank hrefs": (
        "assets",
        [{"a": "1"}, {"a": " "}, {"a": "2"}],
        ProblemCode.ASSETS_UNUSABLE,
        "no asset has an href",
    ),
    "broken JSON": (
        "assets",
        ['{"a": "1"}', '{"a": ', '{"a": "2"}'],
        ProblemCode.ASSETS_UNUSABLE,
        "no asset has an href",
    ),
}


@pytest.mark.parametrize(("column", "values", "code", "detail"), FAULTS.values(), ids=FAULTS)
def test_a_bad_row_is_set_aside_with_its_reason_and_the_others_go_on(
    column: str, values: list[object], code: ProblemCode, detail: str, make_records: MakeRecords
) -> None:
    table = make_records(3, **{column: values, SOURCE_ROW: [10, 11, 12]})
    found = run(table)
    assert found.rows.equals(table.take([0, 2]))
    (problem,) = found.problems.to_pylist()
    assert found.problems.schema == PROBLEMS
    assert problem["code"] == code
    assert detail in problem["detail"]
    assert problem["source_file"] == "records.parquet"
    assert problem["source_row"] == 11
    bad_id = column == "id" and code == ProblemCode.ID_MISSING
    assert problem["id"] == (None if bad_id else table["id"][1].as_py())
    assert problem["band"] is problem["href"] is problem["attempts"] is None


def test_of_several_faults_the_first_in_the_fixed_order_is_given(make_records: MakeRecords) -> None:
    table = make_records(
        4,
        id=[None, "b", "c", "d"],
        datetime=[None, None, "2024-01-01", "2024-01-01"],
        geometry=[None, None, b"x", SQUARE],
        assets=[None, None, None, {"a": "1"}],
    )
    codes = run(table).problems["code"].to_pylist()
    assert codes == ["id_missing", "time_missing", "geometry_invalid"]


def test_of_repeated_ids_the_first_sound_record_is_kept(make_records: MakeRecords) -> None:
    table = make_records(3, id=["a", "a", "a"], geometry=[None, SQUARE, SQUARE])
    found = run(table)
    assert found.rows[SOURCE_ROW].to_pylist() == [1]
    assert found.problems["code"].to_pylist() == ["geometry_missing", "id_repeated"]


def test_ids_are_compared_within_their_stac_collection(make_records: MakeRecords) -> None:
    table = make_records(3, id=["a", "a", "a"], collection=["s2", "l8", "s2"])
    assert run(table).rows[SOURCE_ROW].to_pylist() == [0, 1]


def test_repeats_are_found_over_batches_of_one_file_alone(make_records: MakeRecords) -> None:
    table, state = make_records(4, id=["a", "b", "b", "c"]), IdState()
    parts = [validate(part, SPEC, state, "f", geo=None) for part in (table[:2], table[2:])]
    assert [part.rows.num_rows for part in parts] == [2, 1]
    assert run(table[2:]).rows.num_rows == 2


def test_the_column_map_is_looked_through(make_records: MakeRecords, make_spec: MakeSpec) -> None:
    table = make_records(2).rename_columns({"id": "scene", "geometry": "geom"})
    spec = make_spec(column_map={"scene": "id", "geom": "geometry"})
    assert run(table, spec).rows.equals(table)


def test_bands_and_enrichment_do_not_change_the_rows(
    make_records: MakeRecords, make_spec: MakeSpec
) -> None:
    table = make_records(3, assets=[{"a": "1"}, {"a": " "}, {"a": "2"}])
    specs = [make_spec(), make_spec(bands=("zzz",)), make_spec(enrich=True, base_uri="s3://b/")]
    assert len({tuple(run(table, spec).rows[SOURCE_ROW].to_pylist()) for spec in specs}) == 1


def geo_key(**column: object) -> str:
    return json.dumps({"columns": {"geometry": {"encoding": "WKB", **column}}})


def test_the_crs_decides_what_is_outside(make_records: MakeRecords) -> None:
    metres = shapely.to_wkb(shapely.box(5e5, 5.49e6, 5.06e5, 5.5e6))
    table = make_records(2, geometry=[metres, SQUARE])
    assert run(table, geo=geo_key(crs=UTM)).problems.num_rows == 0
    assert run(table, geo=geo_key(crs=None)).problems.num_rows == 1


def test_a_crs_nobody_knows_stops_the_table(make_records: MakeRecords) -> None:
    with pytest.raises(TableError, match="CRS"):
        run(make_records(), geo=geo_key(crs="EPSG:0"))


@pytest.mark.parametrize("column", ["id", "datetime", "geometry", "assets"])
def test_a_column_of_nulls_sets_every_row_aside(column: str, make_records: MakeRecords) -> None:
    found = run(make_records(3, **{column: pa.nulls(3)}))
    assert found.rows.num_rows == 0
    assert found.problems.num_rows == 3


def test_no_rows_are_no_problem(make_records: MakeRecords) -> None:
    found = run(make_records(2)[:0])
    assert found.rows.num_rows == found.problems.num_rows == 0


good: dict[str, Callable[[int], object]] = {
    "id": lambda row: f"scene-{row}",
    "datetime": lambda _: "2024-05-31T10:20:30Z",
    "geometry": lambda _: SQUARE,
    "assets": lambda row: json.dumps({"B04": {"href": f"{row}.tif"}}),
}
bad: dict[str, list[tuple[object, ProblemCode]]] = {
    "id": [(None, ProblemCode.ID_MISSING), ("\t", ProblemCode.ID_MISSING)],
    "datetime": [(None, ProblemCode.TIME_MISSING), ("soon", ProblemCode.TIME_MISSING)],
    "geometry": [
        (None, ProblemCode.GEOMETRY_MISSING),
        (b"?", ProblemCode.GEOMETRY_INVALID),
        (BOWTIE_NAN, ProblemCode.GEOMETRY_INVALID),
    ],
    "assets": [(None, ProblemCode.ASSETS_UNUSABLE), ("[", ProblemCode.ASSETS_UNUSABLE)],
}
ORDER = list(bad)


@given(st.lists(st.dictionaries(st.sampled_from(ORDER), st.integers(0, 99)), max_size=25))
def test_any_mixture_of_faults_is_told_row_by_row(faults: list[dict[str, int]]) -> None:
    columns: dict[str, list[object]] = {name: [] for name in ORDER}
    wanted: dict[int, ProblemCode] = {}
    for row, faulty in enumerate(faults):
        for name in ORDER:
            choices = bad[name]
            value, code = choices[faulty.get(name, 0) % len(choices)]
            columns[name].append(value if name in faulty else good[name](row))
            if name in faulty:
                wanted.setdefault(row, code)
    kinds = {"geometry": pa.binary()}
    table = pa.table({n: pa.array(v, kinds.get(n, pa.string())) for n, v in columns.items()})
    table = table.append_column(SOURCE_ROW, pa.array(range(len(faults)), pa.int64()))
    found = run(table)
    problems = zip(
        found.problems["source_row"].to_pylist(), found.problems["code"].to_pylist(), strict=True
    )
    assert dict(problems) == wanted
    assert found.rows[SOURCE_ROW].to_pylist() == [r for r in range(len(faults)) if r not in wanted]


def test_a_whole_batch_of_bad_rows_is_told(make_records: MakeRecords) -> None:
    count = 20_000
    table = pa.concat_tables([make_records(1)] * count).combine_chunks()
    table = table.set_column(0, "id", pa.array(np.arange(count)).cast(pa.string()))
    found = run(table.set_column(1, "datetime", pa.array(["never"] * count)))
    assert found.rows.num_rows == 0
    assert pc.all(pc.equal(found.problems["code"], "time_missing")).as_py()
