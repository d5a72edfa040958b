from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rasteret_assets.contract.settings import BuildSettings
from rasteret_assets.errors import TableError, WorkspaceError
from rasteret_assets.storage import Fragment, StageStore, StageTable
from tests.storage.made import draft, rows, update

COUNT = 1_000


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> StageTable:
    """One fragment in three files of several row groups, one of them empty."""
    settings = BuildSettings(batch_rows=70)
    store = StageStore(url=str(tmp_path_factory.mktemp("stage")), settings=settings)
    cuts = [(0, 400), (400, 400), (400, COUNT)]
    for at, (start, stop) in enumerate(cuts):
        store.write_file(f"x-{at}.parquet", rows("x", start, stop))
    files = tuple(f"x-{at}.parquet" for at in range(3))
    fragment = Fragment(source="x", identity="1", fingerprint="f", rows=COUNT, files=files)
    return store.open(store.commit(update(keep=[fragment])))


@settings(deadline=None)  # reads files
@given(st.integers(0, COUNT), st.integers(0, COUNT))
def test_any_range_of_rows_comes_in_order_and_within_the_limits(
    table: StageTable, one: int, other: int
) -> None:
    start, stop = sorted((one, other))
    (fragment,) = table.manifest.fragments
    batches = list(table.batches(fragment, columns=["n", "id"], rows=(start, stop)))
    found = pa.concat_tables(batches)
    assert found.equals(rows("x", start, stop).select(["n", "id"]))
    assert max(batch.num_rows for batch in batches) <= 70


@settings(deadline=None)  # reads files
@given(st.lists(st.integers(0, COUNT - 1), max_size=60).map(sorted))
def test_any_rows_are_taken_as_asked(table: StageTable, wanted: list[int]) -> None:
    (fragment,) = table.manifest.fragments
    found = table.take(fragment, np.array(wanted, np.int64), columns=["id"])
    assert found["id"].to_pylist() == [f"x-{n}" for n in wanted]


@pytest.mark.parametrize("wanted", [[-1], [COUNT], [2, 1]], ids=["before", "after", "order"])
def test_rows_that_cannot_be_taken_are_an_index_error(table: StageTable, wanted: list[int]) -> None:
    with pytest.raises(IndexError):
        table.take(table.manifest.fragments[0], np.array(wanted, np.int64))


@pytest.mark.parametrize("span", [(-1, 5), (0, COUNT + 1), (5, 4)])
def test_a_range_outside_the_fragment_is_an_index_error(
    table: StageTable, span: tuple[int, int]
) -> None:
    with pytest.raises(IndexError):
        next(table.batches(table.manifest.fragments[0], rows=span))


def test_a_column_that_is_not_there_is_an_error_naming_those_that_are(table: StageTable) -> None:
    with pytest.raises(TableError, match=r"no column \['m'\] among \['id', 'n'\]"):
        next(table.batches(table.manifest.fragments[0], columns=["m"]))


def test_a_fragment_without_rows_gives_one_table_without_rows(table: StageTable) -> None:
    nothing = Fragment(source="y", identity="1", fingerprint="f")
    (batch,) = table.batches(nothing)
    assert batch.num_rows == 0
    assert batch.schema.equals(table.schema)
    assert table.take(nothing, np.array([], np.int64)).num_rows == 0


def test_a_damaged_file_is_a_workspace_error_naming_the_folder(tmp_path: Path) -> None:
    store = StageStore(url=str(tmp_path))
    made = store.commit(update(draft("a", 10)))
    (tmp_path / made.fragments[0].files[0]).write_bytes(b"PAR1 and then nothing")
    with pytest.raises(WorkspaceError, match=f"{tmp_path}: a file cannot be read"):
        next(store.open().batches(made.fragments[0]))


@pytest.mark.parametrize("columns", [["n", "body"], ["n"]], ids=["both", "one"])
def test_only_row_groups_that_hold_a_row_are_read(tmp_path: Path, columns: list[str]) -> None:
    """Row group 0 is overwritten, so reading it would fail."""
    store = StageStore(url=str(tmp_path), settings=BuildSettings(batch_rows=1_000))
    rng = np.random.default_rng(0)
    heavy = pa.table({"n": np.arange(3_000), "body": [rng.bytes(300) for _ in range(3_000)]})
    store.write_file("x.parquet", heavy)
    fragment = Fragment(source="x", identity="1", fingerprint="f", rows=3_000, files=("x.parquet",))
    table = store.open(store.commit(update(keep=[fragment])))
    path = tmp_path / "x.parquet"
    body = path.read_bytes()
    path.write_bytes(body[:4] + b"\0" * 300_000 + body[300_004:])
    found = table.take(fragment, np.array([1_500, 2_501]), columns=columns)
    assert found.equals(heavy.take([1_500, 2_501]).select(columns))
    found = pa.concat_tables(table.batches(fragment, columns=columns, rows=(1_000, 3_000)))
    assert found.equals(heavy.slice(1_000).select(columns))
    with pytest.raises(WorkspaceError, match="cannot be read"):
        table.take(fragment, np.array([0]), columns=columns)
