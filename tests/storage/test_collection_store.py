import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from rasteret_assets.contract.settings import BuildSettings
from rasteret_assets.errors import CommitConflictError, WorkspaceError
from rasteret_assets.storage import CollectionManifest, CollectionStore, MonthFile
from rasteret_assets.storage.filesystems import filesystem_of
from tests.storage.made import SCHEMA, collection_update, month, problems, rows
from tests.storage.sql import query


@pytest.fixture
def store(place: str) -> CollectionStore:
    return CollectionStore(url=f"{place}/demo_records", settings=BuildSettings(batch_rows=250))


@pytest.fixture
def local(tmp_path: Path) -> CollectionStore:
    return CollectionStore(url=str(tmp_path / "demo_records"))


def names(store: CollectionStore) -> list[str]:
    fs, path = filesystem_of(store.url)
    return sorted(name[len(path) + 1 :] for name in fs.find(path))


def ids(store: CollectionStore) -> list[str]:
    return sorted(store.open().to_table(columns=["id"])["id"].to_pylist())


def expected(*months: tuple[int, int, int]) -> list[str]:
    return sorted(f"r-{year}-{number}-{n}" for year, number, count in months for n in range(count))


def as_duckdb_globs(folder: Path | str) -> list[str]:
    sql = "select id from read_parquet($file, hive_partitioning=true) order by id"
    found = query(sql, {"file": f"{folder}/**/*.parquet"})["id"]
    return [str(one) for one in found.to_pylist()]


def as_pyarrow_opens(folder: Path | str) -> list[str]:
    table = ds.dataset(folder, partitioning="hive").to_table(columns=["id"])
    return sorted(table["id"].to_pylist())


def test_what_is_committed_is_read_back(store: CollectionStore) -> None:
    assert store.latest() is None
    made = store.commit(collection_update(month(2024, 2, 6), month(2023, 12, 600), bad=3))
    assert store.latest() == made
    assert [(f.year, f.month, f.rows) for f in made.files] == [(2023, 12, 600), (2024, 2, 6)]
    assert [f.path for f in made.files] == [
        "year=2023/month=12/part-000001-1.parquet",
        "year=2024/month=2/part-000001-0.parquet",
    ]
    assert made.rows == 606
    dataset = store.open()
    assert dataset.schema.names == ["id", "n", "year", "month"]
    assert dataset.schema.field("year").type == dataset.schema.field("month").type == pa.int32()
    assert dataset.schema.metadata == SCHEMA.metadata
    assert ids(store) == expected((2024, 2, 6), (2023, 12, 600))
    assert store.problems().equals(problems("s", 3))


def test_months_are_pruned_by_their_folders(store: CollectionStore) -> None:
    store.commit(collection_update(month(2024, 2, 6), month(2023, 12, 5)))
    february = (pc.field("year") == 2024) & (pc.field("month") == 2)
    dataset = store.open()
    assert len(list(dataset.get_fragments(february))) == 1
    found = dataset.to_table(filter=february)
    assert found["month"].to_pylist() == [2] * 6
    assert found["year"].to_pylist() == [2024] * 6


def test_others_see_the_same_rows(
    store: CollectionStore, fetch_below: Callable[[str], Path]
) -> None:
    store.commit(collection_update(month(2024, 2, 6), month(2023, 12, 5), bad=2))
    folder = fetch_below(store.url)
    rows_there = expected((2024, 2, 6), (2023, 12, 5))
    assert as_duckdb_globs(folder) == rows_there
    assert as_pyarrow_opens(folder) == rows_there
    for part in folder.rglob("*.parquet"):
        assert pq.read_schema(part).equals(SCHEMA, check_metadata=True)


def test_an_update_writes_its_months_keeps_others_and_removes_what_it_replaces(
    store: CollectionStore,
) -> None:
    first = store.commit(collection_update(month(2024, 1, 5), month(2024, 2, 6), bad=1))
    (kept,) = (f.path for f in first.files if f.month == 1)
    second = store.commit(collection_update(month(2024, 2, 7), keep=[kept], base=1, bad=2))
    assert ids(store) == expected((2024, 1, 5), (2024, 2, 7))
    assert store.problems().num_rows == 2
    assert names(store) == sorted(
        [
            "_manifest-000001.json",
            "_manifest-000002.json",
            *second.problem_files,
            "year=2024/month=1/part-000001-0.parquet",
            "year=2024/month=2/part-000002-0.parquet",
        ]
    )


def test_an_update_that_changes_nothing_writes_nothing(store: CollectionStore) -> None:
    first = store.commit(collection_update(month(2024, 1, 5), bad=2))
    before = names(store)
    keep = [file.path for file in first.files]
    assert store.commit(collection_update(keep=keep, base=1, bad=2)) == first
    assert names(store) == before
    assert store.commit(collection_update(keep=keep, base=1, bad=1)).generation == 2
    assert store.problems().num_rows == 1


def test_a_month_without_rows_has_no_file(store: CollectionStore) -> None:
    made = store.commit(collection_update(month(2024, 1, 0), month(2024, 2, 1)))
    assert [file.month for file in made.files] == [2]
    assert store.open().count_rows() == 1


def test_a_collection_may_be_empty(store: CollectionStore) -> None:
    store.commit(collection_update())
    assert store.open().to_table().num_rows == 0
    assert store.problems().num_rows == 0


def test_files_that_are_not_there_cannot_be_kept(store: CollectionStore) -> None:
    with pytest.raises(ValueError, match="does not have"):
        store.commit(collection_update(keep=["year=2024/month=1/part-000001-0.parquet"]))


def test_no_file_is_kept_once_columns_have_changed(local: CollectionStore) -> None:
    first = local.commit(collection_update(month(2024, 1, 5)))
    wide = SCHEMA.append(pa.field("B04_metadata", pa.struct([("x", pa.int32())])))
    keep = collection_update(keep=[first.files[0].path], base=1)
    with pytest.raises(ValueError, match="columns have changed"):
        local.commit(replace(keep, schema=wide))
    local.commit(replace(collection_update(month(2024, 1, 5), base=1), schema=wide))
    assert "B04_metadata" in local.open().schema.names


@pytest.mark.parametrize("place", ["local", "memory", "s3"], indirect=True)
def test_of_committers_at_the_same_time_one_wins_and_nothing_of_it_is_lost(
    store: CollectionStore,
) -> None:
    start = threading.Barrier(4)

    def meet(source: str) -> Iterator[MonthFile]:
        yield MonthFile(year=2024, month=1, tables=[rows(source, 0, 5)])
        start.wait(30)

    def commit(number: int) -> CollectionManifest | None:
        try:
            return store.commit(replace(collection_update(bad=1), write=meet(f"s{number}")))
        except CommitConflictError:
            return None

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(commit, range(4)))
    (winner,) = [at for at, manifest in enumerate(done) if manifest is not None]
    assert ids(store) == [f"s{winner}-{n}" for n in range(5)]
    assert len(names(store)) == 3  # the winner's rows, problems and manifest


def test_whoever_globs_sees_the_old_state_until_the_new_one_is_complete(
    local: CollectionStore,
) -> None:
    local.commit(collection_update(month(2024, 1, 5), month(2024, 2, 6), bad=1))
    old = expected((2024, 1, 5), (2024, 2, 6))
    looks = 0

    def look() -> None:
        nonlocal looks
        looks += 1
        assert as_duckdb_globs(local.url) == old
        assert as_pyarrow_opens(local.url) == old
        assert ids(local) == old

    def watched() -> Iterator[MonthFile]:
        for number in (1, 2):
            look()
            table = rows(f"new-{number}", 0, 3)
            yield MonthFile(year=2024, month=number, tables=[table.slice(0, 1), table.slice(1)])
        look()

    def watched_problems() -> Iterator[pa.Table]:
        look()
        yield problems("s", 3)
        look()

    update = collection_update(base=1)
    local.commit(replace(update, write=watched(), problems=watched_problems()))
    assert looks == 5
    new = [f"new-{number}-{n}" for number in (1, 2) for n in range(3)]
    assert as_duckdb_globs(local.url) == as_pyarrow_opens(local.url) == ids(local) == new


def test_a_writer_that_died_before_moving_is_read_and_then_finished(
    store: CollectionStore,
) -> None:
    first = store.commit(collection_update(month(2024, 1, 5), month(2024, 2, 6)))
    fs, folder = filesystem_of(store.url)
    for file in first.files:  # as they lay before the moves
        fs.copy(f"{folder}/{file.path}", f"{folder}/{file.staged}")
        fs.rm_file(f"{folder}/{file.path}")
    assert ids(store) == expected((2024, 1, 5), (2024, 2, 6))
    keep = [file.path for file in first.files]
    store.commit(collection_update(month(2024, 3, 1), keep=keep, base=1))
    assert ids(store) == expected((2024, 1, 5), (2024, 2, 6), (2024, 3, 1))
    assert not [name for name in names(store) if name.endswith(".staged")]


def test_a_writer_that_died_between_copy_and_removal_leaves_no_row_twice(
    store: CollectionStore,
) -> None:
    first = store.commit(collection_update(month(2024, 1, 5)))
    fs, folder = filesystem_of(store.url)
    (file,) = first.files
    fs.copy(f"{folder}/{file.path}", f"{folder}/{file.staged}")
    assert ids(store) == expected((2024, 1, 5))
    store.sweep()
    assert names(store) == ["_manifest-000001.json", file.path]


def test_a_file_that_vanished_is_an_error_naming_it(store: CollectionStore) -> None:
    made = store.commit(collection_update(month(2024, 1, 5)))
    fs, folder = filesystem_of(store.url)
    fs.rm_file(f"{folder}/{made.files[0].path}")
    with pytest.raises(WorkspaceError, match=r"part-000001-0.parquet.*build it again"):
        store.open()


def test_a_reader_whose_files_were_replaced_reads_the_newest_state(
    store: CollectionStore,
) -> None:
    store.commit(collection_update(month(2024, 1, 5)))
    reads = 0

    def read(dataset: ds.Dataset) -> int:
        nonlocal reads
        reads += 1
        if reads == 1:
            store.commit(collection_update(month(2024, 1, 7), base=1))
        return int(dataset.to_table().num_rows)

    assert store.read(read) == 7
    assert reads == 2


def test_readers_beside_a_writer_always_see_one_whole_state(local: CollectionStore) -> None:
    local.commit(collection_update(month(2024, 1, 10), month(2024, 2, 10)))
    stop = threading.Event()
    seen: set[int] = set()

    def read() -> None:
        while not stop.is_set():
            found = local.read(lambda dataset: dataset.to_table(columns=["id", "month"]))
            counts = {found.filter(pc.equal(found["month"], m)).num_rows for m in (1, 2)}
            assert len(counts) == 1  # both months of every state have as many rows
            seen.update(counts)

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        for base in range(1, 25):
            count = 10 + base
            local.commit(collection_update(month(2024, 1, count), month(2024, 2, count), base=base))
        stop.set()
        for reader in readers:
            reader.result(60)
    assert seen <= set(range(10, 35))


def test_a_slow_mover_does_not_bring_back_what_a_later_state_removed(
    local: CollectionStore,
) -> None:
    first = local.commit(collection_update(month(2024, 1, 5)))
    old = Path(local.url, first.files[0].path).read_bytes()
    local.commit(collection_update(month(2024, 1, 6), base=1))
    Path(local.url, first.files[0].path).write_bytes(old)  # its copy arrives late
    assert ids(local) == expected((2024, 1, 6))
    local.sweep()
    assert as_duckdb_globs(local.url) == expected((2024, 1, 6))


def test_a_sweep_takes_what_a_killed_writer_was_writing(local: CollectionStore) -> None:
    local.commit(collection_update(month(2024, 1, 5)))
    before = names(local)
    for name in ("._manifest-000002.json.0a1b2c3d.tmp", ".keep", "notes.tmp"):
        Path(local.url, name).write_bytes(b"x")
    Path(local.url, "year=2024/month=1/._part-000002-0-0a1b.staged.0a1b.tmp").write_bytes(b"x")
    assert local.sweep(grace_s=3_600) == 0
    assert local.sweep(grace_s=-5) == 2
    assert names(local) == sorted([*before, ".keep", "notes.tmp"])


def test_a_sweep_takes_old_manifests_and_no_file_of_anyone_else(store: CollectionStore) -> None:
    store.commit(collection_update(month(2024, 1, 5), bad=1))
    store.commit(collection_update(month(2024, 1, 6), base=1))
    fs, folder = filesystem_of(store.url)
    fs.pipe_file(f"{folder}/README.md", b"mine")
    assert store.sweep(grace_s=3_600) == 0
    assert store.sweep(grace_s=-5) == 1
    assert names(store) == [
        "README.md",
        "_manifest-000002.json",
        "year=2024/month=1/part-000002-0.parquet",
    ]


def test_another_programs_files_are_opened_with_the_columns_of_all(
    store: CollectionStore,
) -> None:
    fs, folder = filesystem_of(store.url)
    tables = {
        "year=2024/month=1/part-0.parquet": pa.table({"id": ["a"], "n": [1]}),
        "year=2024/month=2/part-0.parquet": pa.table({"id": ["b"], "B04_metadata": [{"x": 1}]}),
        "_state/junk.parquet": None,
    }
    for name, table in tables.items():
        fs.makedirs(f"{folder}/{name}".rpartition("/")[0], exist_ok=True)
        body = pa.BufferOutputStream()
        if table is not None:
            pq.write_table(table, body)
        fs.pipe_file(f"{folder}/{name}", body.getvalue().to_pybytes())
    assert store.latest() is None
    assert store.exists()
    dataset = store.open()
    assert dataset.schema.names == ["id", "n", "B04_metadata", "year", "month"]
    assert dataset.schema.field("year").type == pa.int32()
    found = dataset.to_table().sort_by("id")
    assert found["month"].to_pylist() == [1, 2]
    assert found["B04_metadata"].to_pylist() == [None, {"x": 1}]
    assert store.problems().num_rows == 0
    single = CollectionStore(url=f"{store.url}/year=2024/month=1/part-0.parquet")
    assert single.open().to_table()["id"].to_pylist() == ["a"]


def test_a_commit_does_not_mix_with_another_programs_files(local: CollectionStore) -> None:
    Path(local.url, "year=2024").mkdir(parents=True)
    pq.write_table(pa.table({"id": ["a"]}), f"{local.url}/year=2024/part-0.parquet")
    with pytest.raises(WorkspaceError, match="another program's Parquet files"):
        local.commit(collection_update(month(2024, 1, 5)))
    assert names(local) == ["year=2024/part-0.parquet"]


def test_nothing_there_is_an_error_that_says_so(store: CollectionStore) -> None:
    assert not store.exists()
    with pytest.raises(WorkspaceError, match="no Collection here"):
        store.open()


def test_a_foreign_file_that_is_damaged_is_a_workspace_error(local: CollectionStore) -> None:
    Path(local.url).mkdir(parents=True)
    Path(local.url, "part-0.parquet").write_bytes(b"not parquet")
    with pytest.raises(WorkspaceError, match="cannot be opened"):
        local.open()
