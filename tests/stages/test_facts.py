import json

import pyarrow as pa
import shapely

from rasteret_assets.contract.columns import SOURCE_ROW
from rasteret_assets.contract.problems import PROBLEMS
from rasteret_assets.contract.spec import CollectionSpec
from rasteret_assets.contract.tables import StageBatch
from rasteret_assets.stages import FactKeeper, remap

from .conftest import MakeRecords

SPEC = CollectionSpec(name="demo", sources=("records.parquet",))


def problems(*codes: str) -> pa.Table:
    rows = [{"source_file": "f", "source_row": row, "code": code} for row, code in enumerate(codes)]
    return pa.Table.from_pylist(rows, schema=PROBLEMS)


def test_facts_add_up_over_batches(make_records: MakeRecords) -> None:
    fiji = shapely.MultiPolygon(
        [shapely.box(179, -20, 180, -16), shapely.box(-180, -20, -179, -16)]
    )
    first = make_records(
        2,
        datetime=["2024-02-10", "2024-01-31T23:59:59.5Z"],
        assets=[{"B04": {"href": "4.tif"}, "t": {"href": "t.jpg"}}] * 2,
    )
    second = make_records(
        1,
        datetime=["2023-12-01"],
        geometry=[shapely.to_wkb(fiji)],
        assets=[{"t": {"href": "t.tif"}, "x": {"href": "x.xml"}}],
    )
    keeper = FactKeeper()
    keeper.add(StageBatch(rows=remap(first, SPEC, None, "f").rows, problems=problems("id_missing")))
    keeper.add(
        StageBatch(
            rows=remap(second, SPEC, None, "f").rows,
            problems=problems("id_missing", "geometry_invalid"),
        )
    )
    facts = keeper.facts()
    assert facts == {
        "rows": 3,
        "bytes": sum(remap(part, SPEC, None, "f").rows.nbytes for part in (first, second)),
        "problems": {"geometry_invalid": 1, "id_missing": 2},
        "examples": [
            {"source_file": "f", "source_row": row, "id": None, "code": code, "detail": None}
            for row, code in ((0, "id_missing"), (0, "id_missing"), (1, "geometry_invalid"))
        ],
        "months": {"2023-12": 1, "2024-01": 1, "2024-02": 1},
        "bounds": [-180, -20, 180, 1],
        "time_range": ["2023-12-01T00:00:00.000000Z", "2024-02-10T00:00:00.000000Z"],
        "geometry_types": ["MultiPolygon", "Polygon"],
        "raster": ["B04", "t"],
        "other": ["x"],
    }
    assert json.loads(json.dumps(facts)) == facts


def test_of_rows_not_remapped_yet_only_their_number_is_known(make_records: MakeRecords) -> None:
    keeper = FactKeeper()
    keeper.add(StageBatch(rows=make_records(4)))
    facts = keeper.facts()
    assert facts["rows"] == 4
    assert facts["months"] == {}
    assert facts["bounds"] is facts["time_range"] is None


def test_a_fragment_without_rows_has_facts_too(make_records: MakeRecords) -> None:
    keeper = FactKeeper()
    rows = remap(make_records(2)[:0], SPEC, None, "f").rows
    keeper.add(StageBatch(rows=rows, problems=problems("id_missing")))
    assert keeper.facts()["problems"] == {"id_missing": 1}
    assert SOURCE_ROW in rows.column_names
