"""One source file among several that cannot be read."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import rasteret_assets
from rasteret_assets import BuildSettings, Collection
from rasteret_assets.contract.spec import CollectionSpec
from rasteret_assets.errors import SourceError
from rasteret_assets.pipeline.tables import raw_update
from rasteret_assets.storage import StageStore, list_sources
from tests.pipeline.conftest import Archive

FILES = ("a.parquet", "b.parquet", "c.parquet")


def build(source: object, workspace: Path, **given: object) -> Collection:
    return rasteret_assets.build_from_table(
        source,  # type: ignore[arg-type]  # one or several
        "s2",
        workspace_dir=workspace,
        enrich_cog=True,
        settings=BuildSettings(batch_rows=1),
        **given,  # type: ignore[arg-type]  # as each test has them
    )


def ids(collection: Collection) -> list[str]:
    return sorted(collection.dataset.to_table(columns=["id"])["id"].to_pylist())


def scenes(*numbers: int) -> list[str]:
    return [f"scene-{number:03}" for number in numbers]


def states(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def source(archive: Archive) -> Path:
    """A folder of three files of three records each."""
    for number, name in enumerate(FILES):
        table = archive.table(3, start=3 * number)
        pq.write_table(table, archive.folder / name, row_group_size=1)
    return archive.folder


def overwritten(path: Path) -> None:
    path.write_text("id,datetime\n1,2\n")


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def spoilt_inside(path: Path) -> None:
    """Leaves the footer and the first row group as they were."""
    last = pq.ParquetFile(path).metadata.row_group(2)
    data = bytearray(path.read_bytes())
    for column in range(last.num_columns):
        chunk = last.column(column)
        start = chunk.dictionary_page_offset or chunk.data_page_offset
        data[start : start + 40] = b"\xff" * 40
    path.write_bytes(data)


SPOILERS = [overwritten, emptied, cut, spoilt_inside]


@pytest.mark.parametrize("spoil", SPOILERS, ids=lambda one: one.__name__)
def test_a_new_one_is_a_problem_and_the_others_go_on(
    source: Path, workspace: Path, spoil: Callable[[Path], None]
) -> None:
    spoilt = source / "b.parquet"
    sound = spoilt.read_bytes()
    spoil(spoilt)
    built = build(source, workspace)
    assert ids(built) == scenes(0, 1, 2, 6, 7, 8)
    (problem,) = built.problems.to_pylist()
    assert (problem["source_file"], problem["code"]) == (str(spoilt), "source_unreadable")
    assert "b.parquet" in problem["detail"]
    assert {problem[name] for name in ("source_row", "id", "band", "href")} == {None}
    before = states(workspace)
    again = build(source, workspace, update=True)
    assert states(workspace) == before  # tried again, and nothing is new
    assert again.problems.equals(built.problems)
    spoilt.write_bytes(sound)
    mended = build(source, workspace, update=True)
    assert ids(mended) == scenes(*range(9))
    assert mended.problems.num_rows == 0


@pytest.mark.parametrize("spoil", SPOILERS, ids=lambda one: one.__name__)
def test_of_one_that_was_known_the_last_good_state_stays(
    archive: Archive, source: Path, workspace: Path, spoil: Callable[[Path], None]
) -> None:
    build(source, workspace)
    archive.gets()
    spoil(source / "b.parquet")
    archive.add(3, start=10)
    archive.write(archive.table(3, start=10), "d.parquet")
    updated = build(source, workspace, update=True)
    assert ids(updated) == scenes(*range(9), 10, 11, 12)
    assert archive.gets() == 6  # of the new file alone
    assert all(count == 12 for count in updated.summary()["coverage"].values())  # type: ignore[attr-defined]  # a JSON value
    (problem,) = updated.problems.to_pylist()
    assert problem["code"] == "source_unreadable"
    assert problem["detail"].endswith("its rows are those of the last time it could be read")
    pq.write_table(archive.table(1, start=4), source / "b.parquet")
    mended = build(source, workspace, update=True)
    assert ids(mended) == scenes(0, 1, 2, 4, 6, 7, 8, 10, 11, 12)
    assert mended.problems.num_rows == 0


def test_building_anew_loses_none_either(source: Path, workspace: Path) -> None:
    build(source, workspace)
    cut(source / "b.parquet")
    built = build(source, workspace, force=True)
    assert ids(built) == scenes(*range(9))
    assert built.problems["code"].to_pylist() == ["source_unreadable"]


def test_what_other_arguments_made_does_not_stay(source: Path, workspace: Path) -> None:
    build(source, workspace)
    cut(source / "b.parquet")
    built = build(source, workspace, update=True, filter_expr='"eo:cloud_cover" < 90')
    assert ids(built) == scenes(0, 1, 2, 6, 7, 8)
    assert built.problems["code"].to_pylist() == ["source_unreadable"]


def test_one_that_is_named_and_gone_is_a_problem_and_what_it_gave_stays(
    source: Path, workspace: Path
) -> None:
    named = [str(source / name) for name in FILES]
    build(named, workspace)
    (source / "c.parquet").unlink()
    updated = build(named, workspace, update=True)
    assert ids(updated) == scenes(*range(9))
    (problem,) = updated.problems.to_pylist()
    assert problem["source_file"] == named[2]
    assert "no such file" in problem["detail"]


def test_one_that_vanishes_after_it_was_listed_is_a_problem(source: Path, tmp_path: Path) -> None:
    spec = CollectionSpec(name="s2", sources=(str(source),))
    listed = list_sources(spec.sources)
    (source / "b.parquet").unlink()
    store = StageStore(url=str(tmp_path / "raw"))
    manifest = store.commit(raw_update(spec, listed, None, BuildSettings()))
    assert manifest.rows == 6
    problems = [store.open().problems(one) for one in manifest.fragments]
    (problem,) = pa.concat_tables(problems).to_pylist()
    assert problem["source_file"] == str(source / "b.parquet")
    assert "gone since it was listed" in problem["detail"]


def test_rows_before_the_damage_are_not_taken_and_leave_no_file(
    source: Path, tmp_path: Path
) -> None:
    spoilt_inside(source / "b.parquet")
    spec = CollectionSpec(name="s2", sources=(str(source),))
    store = StageStore(url=str(tmp_path / "raw"))
    settings = BuildSettings(batch_rows=1)
    manifest = store.commit(raw_update(spec, list_sources(spec.sources), None, settings))
    assert manifest.rows == 6
    named = {name for one in manifest.fragments for name in (*one.files, *one.problem_files)}
    assert {path.name for path in (tmp_path / "raw").glob("*.parquet")} == named


def test_one_that_left_the_folder_takes_its_rows_along(source: Path, workspace: Path) -> None:
    build(source, workspace)
    (source / "c.parquet").unlink()
    updated = build(source, workspace, update=True)
    assert ids(updated) == scenes(*range(6))
    assert updated.problems.num_rows == 0


@pytest.mark.parametrize("known", [False, True], ids=["new", "known"])
def test_where_none_can_be_read_that_is_an_error_and_nothing_changes(
    source: Path,
    workspace: Path,
    known: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    if known:
        build(source, workspace)
    before = states(workspace)
    for name in FILES:
        cut(source / name)
    with pytest.raises(SourceError, match=r"a\.parquet: cannot be read as Parquet"):
        build(source, workspace, update=known)
    assert states(workspace) == before
