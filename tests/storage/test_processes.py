"""Writers that are processes of their own: side by side, and killed in the middle."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rasteret_assets.storage import CollectionStore, StageStore
from tests.conftest import ROOT
from tests.storage.made import collection_update, draft, month, update
from tests.storage.sql import query
from tests.storage.writer import MONTHS

WRITER = [sys.executable, "-m", "tests.storage.writer"]
KILLS = 4


@pytest.mark.parametrize("place", ["local", "s3"], indirect=True)
def test_of_two_processes_that_commit_side_by_side_nothing_is_lost(place: str) -> None:
    store = StageStore(url=f"{place}/stage")
    writers = [subprocess.Popen([*WRITER, "add", store.url, name, "8"], cwd=ROOT) for name in "ab"]
    assert [writer.wait(120) for writer in writers] == [0, 0]
    newest = store.latest()
    assert newest is not None
    assert newest.generation == 16
    assert [f.source for f in newest.fragments] == sorted(f"{n}{k}" for n in "ab" for k in range(8))
    table = store.open()
    assert sum(len(batch) for f in newest.fragments for batch in table.batches(f)) == 48


def test_a_killed_writer_leaves_a_whole_state_and_the_next_one_goes_on(tmp_path: Path) -> None:
    stage = StageStore(url=str(tmp_path / "stage"))
    collection = CollectionStore(url=str(tmp_path / "demo_records"))
    chance = random.Random(4)
    for _ in range(KILLS):
        writer = subprocess.Popen(
            [*WRITER, "replace", stage.url, collection.url], cwd=ROOT, stdout=subprocess.PIPE
        )
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"committed\n"
        time.sleep(chance.uniform(0.02, 0.6))
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        assert_whole(stage, collection)
    go_on(stage, collection)


def assert_whole(stage: StageStore, collection: CollectionStore) -> None:
    newest, state = stage.latest(), collection.latest()
    if newest is not None:
        table = stage.open()
        counts = [sum(len(b) for b in table.batches(f)) for f in newest.fragments]
        assert len(counts) == MONTHS
        assert set(counts) == {newest.fragments[0].rows}
    if state is not None:
        counted = collection.open().to_table(columns=["month"]).group_by("month")
        counts = counted.aggregate([("month", "count")])["month_count"].to_pylist()
        assert len(counts) == MONTHS
        assert set(counts) == {state.files[0].rows}
        assert collection.problems().num_rows == state.files[0].rows


def go_on(stage: StageStore, collection: CollectionStore) -> None:
    """Commit once more, sweep, and find that nothing but the new state is left."""
    newest, state = stage.latest(), collection.latest()
    assert newest is not None
    assert state is not None
    stage.commit(update(draft("last", 4), base=newest.generation))
    collection.commit(collection_update(month(2025, 1, 4), base=state.generation))
    stage.sweep(grace_s=-5)
    collection.sweep(grace_s=-5)
    assert stage.open().count_rows() == 4
    assert len(list(Path(stage.url).iterdir())) == 2
    files = [path for path in Path(collection.url).rglob("*") if path.is_file()]
    glob = f"{collection.url}/**/*.parquet"
    found = query("select id from read_parquet($file)", {"file": glob})
    assert found.num_rows == 4
    assert len(files) == 2
