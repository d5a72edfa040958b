from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rasteret_assets.contract.bands import BAND_METADATA
from rasteret_assets.stages import zip_bands


def headers(*crs: str | None) -> pa.StructArray:
    """Header structs of which only the CRS is given; null where it is 'none'."""
    rows = [None if one == "none" else {"crs": one} for one in crs]
    return pa.array(rows, BAND_METADATA)


UTM = "EPSG:32633"
LAEA = 'PROJCRS["own",BASEGEOGCRS["WGS 84"]]'


def test_each_band_gets_a_column_and_the_records_a_crs() -> None:
    rows = pa.table({"id": ["a", "b", "c", "d"]})
    found = zip_bands(
        rows,
        {
            "B04": headers(UTM, "none", None, "none"),
            "B08": headers("EPSG:4326", "EPSG:32601", LAEA, "none"),
        },
    )
    assert found.column_names == ["id", "proj:epsg", "crs", "B04_metadata", "B08_metadata"]
    assert found.schema.field("proj:epsg").type == pa.int32()
    assert found.schema.field("crs").type == pa.string()
    assert found["proj:epsg"].to_pylist() == [32633, 32601, None, None]
    assert found["crs"].to_pylist() == [UTM, "EPSG:32601", LAEA, None]
    assert found.schema.field("B04_metadata").type == BAND_METADATA
    assert found["B04_metadata"].is_valid().to_pylist() == [True, False, True, False]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (pa.nulls(2), pa.array([32633, 32601], pa.int32())),
        (pa.array([7, None], pa.int64()), pa.array([7, 32601], pa.int64())),
        (pa.array([7, 8], pa.int32()), pa.array([7, 8], pa.int32())),
        (pa.array([7.0, None]), pa.array([7.0, None])),
        (pa.array(["EPSG:7", None]), pa.array(["EPSG:7", None])),
    ],
    ids=["null type", "some null", "all there", "floats", "text"],
)
def test_what_the_source_says_of_the_epsg_number_stays(given: pa.Array, wanted: pa.Array) -> None:
    rows = pa.table({"proj:epsg": given, "id": ["a", "b"]})
    found = zip_bands(rows, {"B04": headers(UTM, "EPSG:32601")})
    assert found.column_names == ["proj:epsg", "id", "crs", "B04_metadata"]
    assert found["proj:epsg"].combine_chunks().equals(wanted)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (pa.array(["mine", None]), ["mine", "EPSG:32601"]),
        (pa.array(["mine", None]).dictionary_encode(), ["mine", "EPSG:32601"]),
        (pa.array([{"name": "x"}, None]), [{"name": "x"}, None]),
        (pa.nulls(2), [UTM, "EPSG:32601"]),
    ],
    ids=["text", "dictionary", "struct", "null type"],
)
def test_what_the_source_says_of_the_crs_stays(
    given: pa.Array, wanted: list[str | dict[str, str] | None]
) -> None:
    rows = pa.table({"id": ["a", "b"], "crs": given})
    found = zip_bands(rows, {"B04": headers(UTM, "EPSG:32601")})
    assert found["crs"].to_pylist() == wanted


def test_without_bands_the_columns_are_there_all_the_same() -> None:
    found = zip_bands(pa.table({"id": ["a"]}), {})
    assert found.to_pylist() == [{"id": "a", "proj:epsg": None, "crs": None}]
    assert found.schema.field("proj:epsg").type == pa.int32()


def test_chunked_headers_are_put_beside_chunked_rows() -> None:
    rows = pa.concat_tables([pa.table({"id": ["a"]}), pa.table({"id": ["b", "c"]})])
    structs = pa.chunked_array([headers(UTM, "none"), headers("EPSG:4326")])
    found = zip_bands(rows, {"B04": structs})
    assert found["proj:epsg"].to_pylist() == [32633, None, 4326]


def test_no_rows_have_the_schema_of_all(tmp_path: Path) -> None:
    empty = zip_bands(pa.table({"id": pa.array([], pa.string())}), {"B04": headers()})
    full = zip_bands(pa.table({"id": ["a"]}), {"B04": headers(UTM)})
    assert empty.schema == full.schema
    pq.write_table(full, tmp_path / "a.parquet")
    with duckdb.connect() as database:
        said = database.read_parquet(str(tmp_path / "a.parquet")).fetchall()
    assert said[0][:3] == ("a", 32633, UTM)


def test_a_band_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="1 headers of B04 for 2 records"):
        zip_bands(pa.table({"id": ["a", "b"]}), {"B04": headers(UTM)})
