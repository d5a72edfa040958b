import io
from collections.abc import Callable
from pathlib import Path

import duckdb
import geoarrow.types
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import shapely
from geoarrow.types.type_pyarrow import extension_type
from hypothesis import given, settings
from hypothesis import strategies as st

from rasteret_assets.contract.columns import SOURCE_ROW
from rasteret_assets.contract.settings import BuildSettings
from rasteret_assets.errors import SourceError, TableError
from rasteret_assets.storage import SourceScan, list_sources, scan_source
from tests.rig.extension_types import geoarrow_types
from tests.rig.http_server import Fault, RangeServer
from tests.storage.sql import query

ROWS = 20_000
GROUP = 2_000
PAYLOAD_BYTES = 400


def parquet_bytes(table: pa.Table, **options: object) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file.getvalue()


@pytest.fixture(scope="session")
def records() -> pa.Table:
    rng = np.random.default_rng(1)
    payload = rng.integers(0, 256, ROWS * PAYLOAD_BYTES, dtype=np.uint8).tobytes()
    payload_type = pa.binary(PAYLOAD_BYTES)
    number = np.arange(ROWS)
    xmin = number / 100
    return pa.table(
        {
            "id": pa.array([f"r{i}" for i in range(ROWS)]),
            "payload": pa.Array.from_buffers(payload_type, ROWS, [None, pa.py_buffer(payload)]),
            "number": number,
            "shuffled": rng.permutation(ROWS),
            "a.b": number % 7,
            "bbox": pa.array([{"xmin": x, "xmax": x + 1} for x in xmin.tolist()]),
            "when": pa.array(number * 1_000_000, pa.timestamp("us", "UTC")),
        }
    )  # fmt: skip


@pytest.fixture(scope="session")
def as_bytes(records: pa.Table) -> bytes:
    return parquet_bytes(records, row_group_size=GROUP, compression="none")


@pytest.fixture
def scan(tmp_path: Path) -> Callable[..., SourceScan]:
    """Scans bytes as a local file."""

    def run(
        body: bytes,
        columns: list[str] | None = None,
        filter_expr: pc.Expression | None = None,
        **settings: int,
    ) -> SourceScan:
        (tmp_path / "records.parquet").write_bytes(body)
        (source,) = list_sources([str(tmp_path / "records.parquet")])
        return scan_source(
            source,
            columns=columns,
            filter_expr=filter_expr,
            settings=BuildSettings(**settings),
        )

    return run


def rows_of(scanned: SourceScan) -> pa.Table:
    schema = scanned.schema.append(pa.field(SOURCE_ROW, pa.int64()))
    return pa.concat_tables([schema.empty_table(), *scanned.batches])


def gets(server: RangeServer) -> int:
    return sum(request.method == "GET" for request in server.seen())


FILTERS = {
    "number": (pc.field("number") >= 7_990, "number >= 7990"),
    "nested": (pc.field("bbox", "xmin") < 3, "bbox.xmin < 3"),
    "shuffled": (pc.field("shuffled") == 5, "shuffled = 5"),
    "dotted": (pc.field("a.b") == 3, '"a.b" = 3'),
    "many": (pc.field("id").isin([f"r{i}" for i in range(0, ROWS, 997)]),
             "cast(substr(id, 2) as int) % 997 = 0"),
    "both": ((pc.field("number") > 5_000) & (pc.field("a.b") != 0) | (pc.field("number") == 1),
             '(number > 5000 and "a.b" <> 0) or number = 1'),
    "time": (pc.field("when") < pa.scalar(4_000_000_000, pa.timestamp("us", "UTC")),
             "number < 4000"),
    "nothing": (pc.field("number") < 0, "number < 0"),
    "constant": (pc.scalar(True), "true"),  # noqa: FBT003 # Arrow's scalar takes one value
}  # fmt: skip


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("columns", [None, ["id"], ["a.b", "id"]], ids=["all", "one", "two"])
def test_a_filtered_scan_gives_the_rows_that_duckdb_gives(
    scan: Callable[..., SourceScan],
    as_bytes: bytes,
    records: pa.Table,
    name: str,
    columns: list[str] | None,
) -> None:
    filter_expr, sql = FILTERS[name]
    found = rows_of(scan(as_bytes, columns, filter_expr))
    asked = f"select number from records where {sql} order by number"  # literals of this file
    numbers = query(asked, records=records)["number"].to_numpy()
    assert np.array_equal(found[SOURCE_ROW].to_numpy(), numbers)
    names = columns or records.column_names
    assert found.column_names == [*names, SOURCE_ROW]
    assert found.select(names).equals(records.select(names).take(numbers))


@settings(deadline=None)  # reads files
@given(
    groups=st.lists(st.integers(0, 9), max_size=5),
    batch_rows=st.integers(1, 12),
    batch_bytes=st.integers(1, 200),
    low=st.integers(-1, 30),
    keep_none=st.booleans(),
)
def test_row_numbers_are_right_whatever_the_row_groups_and_batches(
    tmp_path_factory: pytest.TempPathFactory,
    groups: list[int],
    batch_rows: int,
    batch_bytes: int,
    low: int,
    keep_none: bool,  # noqa: FBT001 # drawn by hypothesis
) -> None:
    path = tmp_path_factory.mktemp("scan") / "x.parquet"
    schema = pa.schema([("n", pa.int64()), ("text", pa.string())])
    at = 0
    with pq.ParquetWriter(path, schema) as writer:
        for count in groups:
            numbers = list(range(at, at + count))
            text = ["x" * (n % 5) for n in numbers]
            writer.write_table(pa.table([numbers, text], schema=schema))
            at += count
    settings = BuildSettings(batch_rows=batch_rows, batch_bytes=batch_bytes)
    (source,) = list_sources([str(path)])
    columns = [] if keep_none else ["n"]
    scanned = scan_source(
        source, columns=columns, filter_expr=pc.field("n") >= low, settings=settings
    )
    batches = list(scanned.batches)
    found = [row for batch in batches for row in batch[SOURCE_ROW].to_pylist()]
    assert found == list(range(max(0, low), at))
    for batch in batches:
        assert 0 < batch.num_rows <= batch_rows
        assert batch.num_rows == 1 or batch.nbytes <= batch_bytes


@pytest.mark.parametrize("where", ["http", "s3", "gs"])
def test_a_remote_scan_equals_a_local_one(
    where: str,
    request: pytest.FixtureRequest,
    server: RangeServer,
    as_bytes: bytes,
    records: pa.Table,
) -> None:
    name = "part+0:1.parquet"
    if where == "http":
        uri = server.put(name, as_bytes)
    else:
        bucket, key = str(request.getfixturevalue(where)).partition("://")[2].split("/")
        uri = request.getfixturevalue(f"{where}_server").put(bucket, f"{key}/{name}", as_bytes)
    (source,) = list_sources([uri])
    scanned = scan_source(
        source,
        columns=["id", "payload"],
        filter_expr=pc.field("a.b") == 3,
        settings=BuildSettings(),
    )
    found = rows_of(scanned)
    expected = records.filter(pc.equal(records["a.b"], 3))
    assert found.select(["id", "payload"]).equals(expected.select(["id", "payload"]))
    assert found[SOURCE_ROW].equals(expected["number"])


def test_only_the_row_groups_and_columns_that_are_needed_are_fetched(
    server: RangeServer, as_bytes: bytes
) -> None:
    (source,) = list_sources([server.put("records.parquet", as_bytes)])
    server.forget()
    scanned = scan_source(
        source,
        columns=["id", "payload"],
        filter_expr=(pc.field("number") >= 4_000) & (pc.field("number") < 4_010),
        settings=BuildSettings(),
    )
    assert rows_of(scanned).num_rows == 10
    footer = pq.ParquetFile(io.BytesIO(as_bytes)).metadata
    group = footer.row_group(2)
    wanted = {"id", "payload", "number"}
    needed = sum(
        group.column(i).total_compressed_size
        for i in range(group.num_columns)
        if group.column(i).path_in_schema in wanted
    )
    assert needed < len(as_bytes) / 9
    assert server.body_bytes() <= needed + (64 << 10)  # and the end of the file
    assert gets(server) == 2


def test_columns_that_nobody_asks_for_are_not_fetched(server: RangeServer, as_bytes: bytes) -> None:
    (source,) = list_sources([server.put("records.parquet", as_bytes)])
    server.forget()
    scanned = scan_source(source, columns=["id"], filter_expr=None, settings=BuildSettings())
    assert rows_of(scanned).num_rows == ROWS
    assert server.body_bytes() < len(as_bytes) / 20
    assert gets(server) == 1 + ROWS // GROUP


def test_a_small_file_costs_one_request(server: RangeServer) -> None:
    body = parquet_bytes(pa.table({"id": ["a", "b"]}))
    (source,) = list_sources([server.put("records.parquet", body)])
    server.forget()
    found = rows_of(scan_source(source, columns=None, filter_expr=None, settings=BuildSettings()))
    assert found.to_pydict() == {"id": ["a", "b"], SOURCE_ROW: [0, 1]}
    assert gets(server) == 1


def test_a_huge_remote_row_group_is_not_fetched_before_it_is_needed(
    server: RangeServer, records: pa.Table
) -> None:
    body = parquet_bytes(records, row_group_size=ROWS, compression="none", data_page_size=50_000)
    (source,) = list_sources([server.put("records.parquet", body)])
    settings = BuildSettings(batch_bytes=1 << 20)
    batches = scan_source(source, columns=None, filter_expr=None, settings=settings).batches
    first = next(batches)
    assert first.nbytes <= 1 << 20
    assert server.body_bytes() < len(body) / 2
    rest = pa.concat_tables([first, *batches])
    assert rest.drop_columns([SOURCE_ROW]).equals(records)


def test_a_server_without_ranges_is_read_all_the_same(
    server: RangeServer, as_bytes: bytes, records: pa.Table
) -> None:
    url = server.put("records.parquet", as_bytes)
    server.always("records.parquet", Fault(ignore_range=True))
    (source,) = list_sources([url])
    scanned = scan_source(source, columns=["id"], filter_expr=None, settings=BuildSettings())
    assert rows_of(scanned)["id"].equals(records["id"])


def test_metadata_that_only_the_footer_has_is_given(scan: Callable[..., SourceScan]) -> None:
    body = io.BytesIO()
    table = pa.table({"id": ["a"]})
    with pq.ParquetWriter(body, table.schema, store_schema=False) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({"geo": '{"version": "1.1.0"}'})
    assert scan(body.getvalue()).metadata[b"geo"] == b'{"version": "1.1.0"}'


@pytest.mark.parametrize("rows", [0, 3])
def test_a_file_of_empty_row_groups_has_a_schema_and_no_batches(
    scan: Callable[..., SourceScan], rows: int
) -> None:
    body = parquet_bytes(pa.table({"id": pa.array(["a"] * rows, pa.string())}))
    scanned = scan(body, None, pc.field("id") == "b")
    assert scanned.schema.names == ["id"]
    assert list(scanned.batches) == []


def test_a_column_of_the_sources_own_with_our_name_gives_way(
    scan: Callable[..., SourceScan],
) -> None:
    body = parquet_bytes(pa.table({SOURCE_ROW: ["x", "y"], "id": ["a", "b"]}))
    scanned = scan(body, None, pc.field(SOURCE_ROW) == "y")
    assert scanned.schema.names == ["id"]
    assert rows_of(scanned).to_pydict() == {"id": ["b"], SOURCE_ROW: [1]}


def test_geoarrow_columns_pass_as_they_come(scan: Callable[..., SourceScan]) -> None:
    wkb = shapely.to_wkb(shapely.points([[0, 1], [2, 3], [4, 5]]))
    storage = pa.array(wkb, pa.binary())
    with geoarrow_types(known=True):  # and no longer: other tests are to meet plain binary
        points = pa.ExtensionArray.from_storage(extension_type(geoarrow.types.wkb()), storage)
        table = pa.table({"n": [1, 2, 3], "geometry": points})
        found = rows_of(scan(parquet_bytes(table), None, pc.field("n") > 1))
        assert found.schema.field("geometry").type == points.type
        assert found["geometry"].cast(pa.binary()).to_pylist() == list(wkb[1:])


def test_every_real_table_is_scanned_whole(data_dir: Path) -> None:
    sources = list_sources([str(data_dir / "tables")])
    assert len(sources) == 14
    with duckdb.connect() as db:
        db.execute("set enable_geoparquet_conversion = false")
        for source in sources:
            scanned = scan_source(
                source, columns=None, filter_expr=None, settings=BuildSettings(batch_rows=700)
            )
            found = rows_of(scanned)
            ids = db.execute("select id from read_parquet(?)", [source.uri]).fetchall()
            assert found["id"].to_pylist() == [one for (one,) in ids]
            assert found.drop_columns([SOURCE_ROW]).equals(pq.read_table(source.uri))
            assert b"geo" in scanned.metadata


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "is empty"),
        (b"PAR1", "cannot be read as Parquet"),
        (b"not a table at all, but quite some text", "cannot be read as Parquet"),
        (b"<html>" * 2_000, "cannot be read as Parquet"),
    ],
    ids=["empty", "magic", "text", "html"],
)
def test_what_is_no_parquet_is_a_source_error(
    scan: Callable[..., SourceScan], body: bytes, said: str
) -> None:
    with pytest.raises(SourceError, match=f"records.parquet: .*{said}"):
        scan(body)


def test_a_parquet_file_that_was_cut_is_a_source_error(
    scan: Callable[..., SourceScan], as_bytes: bytes
) -> None:
    with pytest.raises(SourceError, match="damaged"):
        scan(as_bytes[:-100])


def test_a_damaged_page_is_a_source_error_when_its_batch_is_taken(
    scan: Callable[..., SourceScan],
) -> None:
    table = pa.table({"id": [f"name {i}" for i in range(5_000)]})
    body = parquet_bytes(table, compression="zstd", use_dictionary=False)
    damaged = body[:200] + b"\xff" * 2_000 + body[2_200:]
    scanned = scan(damaged)
    with pytest.raises(SourceError, match=r"records.parquet: cannot be read"):
        list(scanned.batches)


def test_a_file_that_vanishes_is_a_source_error(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(parquet_bytes(pa.table({"id": ["a"]})))
    (source,) = list_sources([str(tmp_path)])
    (tmp_path / "a.parquet").unlink()
    with pytest.raises(SourceError, match="gone since it was listed"):
        scan_source(source, columns=None, filter_expr=None, settings=BuildSettings())


def test_a_server_that_fails_in_the_middle_is_a_source_error(
    server: RangeServer, as_bytes: bytes
) -> None:
    (source,) = list_sources([server.put("records.parquet", as_bytes)])
    scanned = scan_source(source, columns=None, filter_expr=None, settings=BuildSettings())
    server.always("records.parquet", Fault(status=500))
    with pytest.raises(SourceError, match="500"):
        list(scanned.batches)


@pytest.mark.parametrize(
    ("filter_expr", "said"),
    [
        (pc.field("cloud") < 5, "cloud.*columns are .*'number'"),
        (pc.field("bbox", "ymin") < 5, "ymin"),
        (pc.field("id") < 5, "string"),
    ],
    ids=["column", "field", "type"],
)
def test_a_filter_that_does_not_suit_the_table_names_its_columns(
    scan: Callable[..., SourceScan], as_bytes: bytes, filter_expr: pc.Expression, said: str
) -> None:
    with pytest.raises(TableError, match=said):
        scan(as_bytes, None, filter_expr)


def test_a_column_that_is_not_there_is_an_error_naming_those_that_are(
    scan: Callable[..., SourceScan], as_bytes: bytes
) -> None:
    with pytest.raises(TableError, match=r"\['nosuch'\] among \['id', 'payload'"):
        scan(as_bytes, ["id", "nosuch"])


def test_a_name_that_occurs_twice_is_an_error(scan: Callable[..., SourceScan]) -> None:
    table = pa.table([pa.array([1]), pa.array([2])], names=["a", "a"])
    with pytest.raises(TableError, match=r"\['a'\] occur more than once"):
        scan(parquet_bytes(table))
