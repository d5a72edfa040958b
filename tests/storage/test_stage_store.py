import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rasteret_assets.contract.settings import BuildSettings
from rasteret_assets.contract.tables import StageBatch
from rasteret_assets.errors import CommitConflictError, SourceError, TableError, WorkspaceError
from rasteret_assets.storage import Fragment, FragmentDraft, Manifest, StageStore, StageUpdate
from rasteret_assets.storage.filesystems import filesystem_of
from tests.storage.made import SCHEMA, draft, problems, rows, update
from tests.storage.sql import query


@pytest.fixture
def store(place: str) -> StageStore:
    return StageStore(url=f"{place}/stage", settings=BuildSettings(batch_rows=250))


@pytest.fixture
def local(tmp_path: Path) -> StageStore:
    return StageStore(url=str(tmp_path / "stage"), settings=BuildSettings(batch_rows=250))


def names(store: StageStore) -> list[str]:
    fs, path = filesystem_of(store.url)
    return sorted(name.rpartition("/")[2] for name in fs.find(path))


def ids(store: StageStore) -> list[str]:
    table = store.open()
    found = [batch for f in table.manifest.fragments for batch in table.batches(f)]
    return [one for batch in found for one in batch["id"].to_pylist()]


def expected(**counts: int) -> list[str]:
    return [f"{source}-{n}" for source, count in counts.items() for n in range(count)]


def test_what_is_committed_is_read_back(store: StageStore) -> None:
    assert store.latest() is None
    made = store.commit(update(draft("a", 1_000, bad=1), draft("b", 10), draft("c", 0), note="x"))
    assert store.latest() == made
    assert [f.rows for f in made.fragments] == [1_000, 10, 0]
    assert made.rows == 1_010
    assert made.metadata == {"note": "x"}
    assert [f.facts for f in made.fragments] == [{"asked": 1_000}, {"asked": 10}, {"asked": 0}]
    assert ids(store) == expected(a=1_000, b=10)
    assert store.open().problems(made.fragments[0]).equals(pa.concat_tables([problems("a", 1)] * 4))
    assert store.open().problems().num_rows == 4
    assert store.open().dataset().count_rows() == store.open().count_rows() == 1_010


def test_what_is_committed_reads_the_same_in_duckdb(
    store: StageStore, fetch_below: Callable[[str], Path]
) -> None:
    made = store.commit(update(draft("a", 1_000)))
    folder = fetch_below(store.url)
    file = folder / made.fragments[0].files[0]
    found = query("from read_parquet($file)", {"file": str(file)})
    assert found.equals(rows("a", 0, 1_000).replace_schema_metadata(None))


def test_kept_fragments_stay_others_go_and_a_fragment_can_be_made_anew(store: StageStore) -> None:
    first = store.commit(update(draft("a", 5), draft("b", 6), draft("c", 7)))
    second = store.commit(update(draft("c", 2), keep=first.fragments[:1], base=1))
    assert second.generation == 2
    assert ids(store) == expected(a=5, c=2)
    assert store.open(first).count_rows() == 18
    assert [len(list(store.open(first).batches(f))) for f in first.fragments] == [1, 1, 1]


def test_an_update_that_changes_nothing_writes_nothing(store: StageStore) -> None:
    made = store.commit(update(draft("a", 5, bad=1), draft("b", 0), note="x"))
    before = names(store)
    assert store.commit(update(keep=made.fragments, base=1, note="x")) == made
    assert names(store) == before
    assert store.commit(update(keep=made.fragments, base=1, note="y")).generation == 2


def test_the_first_state_may_be_empty(store: StageStore) -> None:
    made = store.commit(update())
    assert made.generation == 1
    assert store.open().count_rows() == 0
    assert store.open().problems().num_rows == 0
    assert store.open().dataset().to_table().num_rows == 0


def test_nothing_committed_is_an_error_that_says_to_run_it(store: StageStore) -> None:
    with pytest.raises(WorkspaceError, match=r"nothing is committed.*run this stage first"):
        store.open()


def test_a_plan_from_an_older_state_is_refused_before_anything_is_written(
    store: StageStore,
) -> None:
    store.commit(update(draft("a", 5)))
    before = names(store)

    def never() -> Iterator[StageBatch]:
        msg = "nothing should be read"
        raise AssertionError(msg)
        yield

    with pytest.raises(CommitConflictError, match="plan again"):
        store.commit(update(draft("b", 5, batches=never())))
    assert names(store) == before


@pytest.mark.parametrize("place", ["local", "memory", "s3"], indirect=True)
def test_of_committers_at_the_same_time_one_wins_and_nothing_of_it_is_lost(
    store: StageStore,
) -> None:
    start = threading.Barrier(4)

    def meet(source: str) -> Iterator[StageBatch]:
        yield StageBatch(rows=rows(source, 0, 5), problems=problems(source, 1))
        start.wait(30)  # all have planned, none has committed

    def commit(number: int) -> Manifest | None:
        source = f"s{number}"
        try:
            return store.commit(update(draft(source, 5, batches=meet(source))))
        except CommitConflictError:
            return None

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(commit, range(4)))
    (winner,) = [at for at, manifest in enumerate(done) if manifest is not None]
    assert store.latest() == done[winner]
    assert ids(store) == [f"s{winner}-{n}" for n in range(5)]
    assert len(names(store)) == 3  # the winner's rows, problems and manifest


def test_losers_that_plan_again_all_get_in(local: StageStore) -> None:
    def add(number: int) -> int:
        tries = 0
        while True:
            tries += 1
            base = local.latest()
            keep = base.fragments if base else ()
            plan = update(draft(f"s{number}", 3), keep=keep, base=base.generation if base else 0)
            try:
                local.commit(plan)
            except CommitConflictError:
                continue
            return tries

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(add, range(12)))
    assert ids(local) == [f"{s}-{n}" for s in sorted(f"s{k}" for k in range(12)) for n in range(3)]
    newest = local.latest()
    assert newest is not None
    assert newest.generation == 12


@pytest.mark.parametrize("error", [SourceError("damaged"), KeyboardInterrupt("stop")], ids=str)
def test_a_draft_that_fails_leaves_the_old_state_and_no_files(
    store: StageStore, error: BaseException
) -> None:
    made = store.commit(update(draft("a", 5)))
    before = names(store)

    def failing() -> Iterator[StageBatch]:
        yield StageBatch(rows=rows("b", 0, 600), problems=problems("b", 2))
        raise error

    plan = update(draft("c", 400, bad=1), draft("b", 600, batches=failing()), base=1)
    with pytest.raises(type(error), match=str(error)):
        store.commit(plan)
    assert names(store) == before
    assert store.latest() == made


def test_a_check_may_refuse_a_state(store: StageStore) -> None:
    def refuse(manifest: Manifest) -> None:
        assert manifest.rows == 5
        msg = "too few rows"
        raise TableError(msg)

    with pytest.raises(TableError, match="too few rows"):
        store.commit(update(draft("a", 5)), refuse)
    assert names(store) == []
    assert store.latest() is None


def test_a_folder_that_cannot_be_written_is_a_workspace_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = StageStore(url=str(tmp_path / "file" / "stage"))
    with pytest.raises(WorkspaceError, match="cannot be written"):
        store.commit(update(draft("a", 5)))


def test_a_chunk_file_is_whole_can_be_read_and_be_committed(store: StageStore) -> None:
    assert not store.has_file("x-0.parquet")
    for _ in range(2):
        store.write_file("x-0.parquet", rows("x", 0, 300))
        store.write_file("x-1.parquet", rows("x", 300, 310))
    assert store.has_file("x-0.parquet")
    assert store.read_file("x-0.parquet").equals(rows("x", 0, 300))
    assert store.read_file("x-1.parquet")["n"].to_pylist() == list(range(300, 310))
    fragment = Fragment(
        source="x", identity="1", fingerprint="f", rows=310, files=("x-0.parquet", "x-1.parquet")
    )
    made = store.commit(update(keep=[fragment]))
    assert made.schema.equals(SCHEMA)
    assert ids(store) == expected(x=310)
    assert store.commit(update(keep=made.fragments, base=1)) == made
    assert store.commit(update(keep=[fragment], base=1)) == made


def test_a_chunk_file_without_rows_has_its_schema(store: StageStore) -> None:
    store.write_file("x.parquet", rows("x", 0, 0))
    assert store.read_file("x.parquet").schema.equals(SCHEMA)


def test_a_chunk_file_that_is_gone_cannot_be_committed(store: StageStore) -> None:
    fragment = Fragment(source="x", identity="1", fingerprint="f", rows=1, files=("x.parquet",))
    with pytest.raises(WorkspaceError, match=r"are gone: \['x.parquet'\]"):
        store.commit(StageUpdate(keep=(fragment,), write=(), schema=SCHEMA, base_generation=0))
    with pytest.raises(WorkspaceError, match="gone"):
        store.read_file("x.parquet")


def test_a_sweep_takes_what_no_state_names_once_the_grace_is_over(store: StageStore) -> None:
    first = store.commit(update(draft("a", 5, bad=1), draft("b", 5)))
    store.write_file("left-over.parquet", rows("x", 0, 1))
    second = store.commit(update(draft("c", 5), keep=first.fragments[1:], base=1))
    before = names(store)
    assert store.sweep(grace_s=3_600) == 0
    assert names(store) == before
    assert store.sweep(grace_s=-5) == 4
    named = {*second.fragments[0].files, *second.fragments[1].files, "_manifest-000002.json"}
    assert names(store) == sorted(named)
    assert ids(store) == expected(b=5, c=5)
    with pytest.raises(WorkspaceError, match="is gone, swept or deleted"):
        list(store.open(first).batches(first.fragments[0]))


def test_rows_whose_schema_grows_within_a_fragment_keep_every_value(store: StageStore) -> None:
    def assets(*keys: str) -> pa.Table:
        return pa.table({"assets": pa.array([{key: {"href": key} for key in keys}] * 3)})

    parts = [assets("B1"), assets("B1"), assets("B2"), assets("B1"), assets("B1", "B2")]
    batches = [StageBatch(rows=part) for part in parts]
    made = store.commit(update(draft("a", 15, batches=batches)))
    (fragment,) = made.fragments
    assert len(fragment.files) == 2
    table = store.open()
    found = pa.concat_tables(table.batches(fragment))["assets"].to_pylist()
    one, two = {"href": "B1"}, {"href": "B2"}
    values = [(one, None)] * 6 + [(None, two)] * 3 + [(one, None)] * 3 + [(one, two)] * 3
    assert found == [{"B1": b1, "B2": b2} for b1, b2 in values]
    assert table.dataset().to_table()["assets"].to_pylist() == found


def test_a_given_schema_is_what_all_rows_are_brought_to(store: StageStore) -> None:
    wide = SCHEMA.append(pa.field("cloud", pa.float64()))
    plan = StageUpdate(keep=(), write=(draft("a", 2),), schema=wide, base_generation=0)
    made = store.commit(plan)
    assert made.schema.names == ["id", "n", "cloud"]
    found = pa.concat_tables(store.open().batches(made.fragments[0]))
    assert found["cloud"].to_pylist() == [None, None]
    assert found.schema.metadata == SCHEMA.metadata


def test_a_column_goes_when_the_last_fragment_that_has_it_goes(store: StageStore) -> None:
    extra = rows("b", 0, 2).append_column("n2", pa.array(["x", "y"]))
    first = store.commit(update(draft("a", 2), draft("b", 2, batches=[StageBatch(rows=extra)])))
    assert first.schema.names == ["id", "n", "n2"]
    second = store.commit(update(keep=first.fragments[:1], base=1))
    assert second.schema.names == ["id", "n"]


def test_offsets_are_delta_encoded_nothing_has_a_dictionary_and_row_groups_are_bounded(
    local: StageStore,
) -> None:
    level = pa.struct([("tile_offsets", pa.list_(pa.int64())), ("dtype", pa.string())])
    header = {"tile_offsets": list(range(0, 4_000, 10)), "dtype": "uint16"}
    table = pa.table({"header": pa.array([header] * 1_000, level)})
    local.write_file("x.parquet", table)
    footer = pq.ParquetFile(f"{local.url}/x.parquet").metadata
    assert [footer.row_group(i).num_rows for i in range(4)] == [250] * 4
    offsets, dtype = footer.row_group(0).column(0), footer.row_group(0).column(1)
    assert offsets.path_in_schema == "header.tile_offsets.list.element"
    assert "DELTA_BINARY_PACKED" in offsets.encodings
    assert not offsets.has_dictionary_page
    assert not dtype.has_dictionary_page
    assert {offsets.compression, dtype.compression} == {"ZSTD"}
    sql = "select header.tile_offsets o from read_parquet($file)"
    found = query(sql, {"file": f"{local.url}/x.parquet"})
    assert found["o"].to_pylist() == [header["tile_offsets"]] * 1_000


def test_heavy_rows_make_short_row_groups(tmp_path: Path) -> None:
    store = StageStore(url=str(tmp_path), settings=BuildSettings(batch_bytes=100_000))
    store.write_file("x.parquet", pa.table({"text": ["x" * 10_000] * 100}))
    footer = pq.ParquetFile(tmp_path / "x.parquet").metadata
    counts = [footer.row_group(i).num_rows for i in range(footer.num_row_groups)]
    assert sum(counts) == 100
    assert max(counts) <= 10


def test_a_fragment_is_never_held_as_a_whole(local: StageStore) -> None:
    peak = 0

    def stream() -> Iterator[StageBatch]:
        nonlocal peak
        for at in range(200):
            text = pa.array([f"{at}-{n:0>100}" for n in range(10_000)])
            yield StageBatch(rows=pa.table({"text": text}))
            peak = max(peak, pa.total_allocated_bytes())

    before = pa.total_allocated_bytes()
    store = StageStore(url=local.url)
    made = store.commit(update(FragmentDraft(source="a", identity="1", fingerprint="f",
                                             batches=stream())))  # fmt: skip
    assert made.rows == 2_000_000
    assert peak - before < 100 << 20  # of 200 MB written
