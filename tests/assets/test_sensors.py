import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import dagster as dg
import pyarrow.compute as pc
import pytest

from rasteret_assets.api import load
from rasteret_assets.assets.asking import ASKED, asked_again_at, asked_by
from rasteret_assets.assets.watching import SourceCursor
from rasteret_assets.errors import SourceError
from tests.assets.conftest import BANDS, Archive
from tests.assets.runs import Deployment, declared
from tests.rig.http_server import Fault


@pytest.fixture
def watched(deployment: Deployment, archive: Archive) -> Deployment:
    """A collection of the whole source folder, its bands declared, with a retry schedule."""
    made = declared("demo", archive.folder, bands=BANDS, retry_cron="0 6 * * *")
    return replace(deployment, declared=replace(made, sensor_quiet_s=0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """What one evaluation of a sensor or schedule answered."""

    requests: tuple[dg.RunRequest, ...]
    cursor: str | None = None
    skipped: str | None


@pytest.fixture
def scheduled(watched: Deployment, tmp_path: Path) -> Iterator[Deployment]:
    """The same with an instance on disk: schedules find theirs by where it is stored."""
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        yield replace(watched, instance=instance)


def look(deployment: Deployment, cursor: str | None, sensor: str = "demo__source") -> Tick:
    """One tick of a sensor."""
    definitions = deployment.definitions
    with dg.build_sensor_context(
        deployment.instance,
        cursor=cursor,
        repository_def=definitions.get_repository_def(),
        resources=deployment.evaluated_with,
    ) as context:
        told = definitions.resolve_sensor_def(sensor).evaluate_tick(context)
    return Tick(
        requests=tuple(told.run_requests or ()), cursor=told.cursor, skipped=told.skip_message
    )


def look_at_schedule(deployment: Deployment) -> Tick:
    """One tick of the retry schedule."""
    definitions = deployment.definitions
    with dg.build_schedule_context(
        deployment.instance,
        repository_def=definitions.get_repository_def(),
        resources=deployment.evaluated_with,
    ) as context:
        told = definitions.resolve_schedule_def("demo__retry").evaluate_tick(context)
    return Tick(requests=tuple(told.run_requests or ()), skipped=told.skip_message)


def execute(deployment: Deployment, request: dg.RunRequest, job: str) -> dg.ExecuteInProcessResult:
    """Execute what a sensor or schedule asked for, as the daemon would."""
    return deployment.definitions.resolve_job_def(job).execute_in_process(
        instance=deployment.instance,
        tags=request.tags,
        run_config=request.run_config,
        raise_on_error=False,
    )


def test_the_first_look_asks_for_a_run_over_all_bands(watched: Deployment) -> None:
    tick = look(watched, None)

    (request,) = tick.requests
    assert request.tags["rasteret_assets/new"] == "1: items.parquet"
    assert execute(watched, request, "demo__update").success
    assert load("demo", workspace_dir=watched.root).bands == list(BANDS)


def test_nothing_is_asked_for_while_nothing_changes(watched: Deployment) -> None:
    first = look(watched, None)
    second = look(watched, first.cursor)

    assert not second.requests
    assert second.skipped == "1 files, as at the last look"


def test_a_run_that_failed_is_asked_for_again_later(
    watched: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = look(watched, None)
    in_the_way = Path(watched.root) / ".stages"
    in_the_way.parent.mkdir(parents=True, exist_ok=True)
    in_the_way.write_text("no folder")
    assert not execute(watched, first.requests[0], "demo__update").success

    waiting = look(watched, first.cursor)
    assert not waiting.requests
    assert "has failed; it is asked for again at" in str(waiting.skipped)

    monkeypatch.setattr("rasteret_assets.assets.asking._FIRST_WAIT_S", 0)  # minutes later
    in_the_way.unlink()
    again = look(watched, waiting.cursor or first.cursor)
    (request,) = again.requests
    assert request.run_key != first.requests[0].run_key
    assert request.tags["rasteret_assets/new"] == "1: items.parquet"
    assert execute(watched, request, "demo__update").success
    assert look(watched, again.cursor).skipped == "1 files, as at the last look"


def test_it_takes_longer_each_time_until_a_run_that_failed_is_asked_for_again(
    watched: Deployment,
) -> None:
    instance = watched.instance
    waits = []
    for failures in range(9):
        cursor = SourceCursor(asked=f"demo:{failures}:x", failures=failures)
        tags = {ASKED: cursor.asked}
        instance.add_run(
            dg.DagsterRun(job_name="demo__update", status=dg.DagsterRunStatus.FAILURE, tags=tags)
        )
        waits.append((asked_again_at(instance, cursor) or 0) - time.time())
    expected = [300, 600, 1200, 2400, 4800, 9600, 19200, 21600, 21600]
    assert waits == pytest.approx(expected, abs=30)


def test_the_run_over_the_bands_found_counts_as_part_of_what_was_asked_for(
    watched: Deployment,
) -> None:
    asked = dg.DagsterRun(job_name="demo__update", tags={ASKED: "demo:1:x"})
    by_hand = dg.DagsterRun(job_name="demo__update")
    for run in (asked, by_hand):
        watched.instance.add_run(run)
    assert asked_by(watched.instance, asked.run_id) == {ASKED: "demo:1:x"}
    assert asked_by(watched.instance, by_hand.run_id) == {}


@pytest.mark.parametrize("status", ["STARTED", "SUCCESS", "CANCELED", "NOT_STARTED"])
def test_a_run_that_did_not_fail_is_not_asked_for_again(watched: Deployment, status: str) -> None:
    cursor = SourceCursor(asked="demo:1:x")
    ended = dg.DagsterRunStatus(status)
    failed = dg.DagsterRunStatus.FAILURE
    for one in (failed, ended):  # the later counts: a retry of the first
        watched.instance.add_run(
            dg.DagsterRun(job_name="demo__update", status=one, tags={ASKED: cursor.asked})
        )
    assert asked_again_at(watched.instance, cursor) is None


def test_new_changed_and_vanished_files_are_told_apart_and_taken_in(
    watched: Deployment, archive: Archive
) -> None:
    archive.add(4, 5, "old.parquet")
    first = look(watched, None)
    execute(watched, first.requests[0], "demo__update")
    archive.gets()
    archive.add(0, 5, "items.parquet")
    archive.add(6, 8, "new.parquet")
    (archive.folder / "old.parquet").unlink()

    tick = look(watched, first.cursor)

    (request,) = tick.requests
    told = {k: v for k, v in request.tags.items() if k.startswith("rasteret_assets/")}
    assert told.pop("rasteret_assets/settled_before")
    assert told.pop("rasteret_assets/asked") == request.run_key
    assert told == {
        "rasteret_assets/new": "1: new.parquet",
        "rasteret_assets/changed": "1: items.parquet",
        "rasteret_assets/vanished": "1: old.parquet",
    }
    assert execute(watched, request, "demo__update").success
    ids = load("demo", workspace_dir=watched.root).dataset.to_table(columns=["id"])["id"]
    assert sorted(ids.to_pylist()) == [f"scene-{n:03}" for n in (0, 1, 2, 3, 4, 6, 7)]
    # Scene 4 came with another file before, so its headers are asked for again; 0 to 3 are known.
    assert archive.gets() == 9


def test_a_listing_that_comes_back_is_a_change_of_its_own(
    watched: Deployment, archive: Archive
) -> None:
    first = look(watched, None)
    more = archive.add(4, 5, "more.parquet")
    second = look(watched, first.cursor)
    more.unlink()
    third = look(watched, second.cursor)

    keys = [tick.requests[0].run_key for tick in (first, second, third)]
    assert len(set(keys)) == 3


def test_a_collection_that_is_declared_otherwise_is_brought_up_to_date(
    watched: Deployment,
) -> None:
    first = look(watched, None)
    execute(watched, first.requests[0], "demo__update")
    cloudless = replace(watched.declared.spec, filter_expr=pc.field("eo:cloud_cover") < 5)
    otherwise = replace(watched, declared=replace(watched.declared, spec=cloudless))

    tick = look(otherwise, first.cursor)

    (request,) = tick.requests
    assert request.tags["rasteret_assets/declaration"] == "changed"
    assert execute(otherwise, request, "demo__update").success
    assert load("demo", workspace_dir=watched.root).count_rows() == 1
    assert not look(otherwise, tick.cursor).requests


def aged(file: Path, seconds: float) -> Path:
    """Make `file` look as if it was last written `seconds` ago."""
    moment = time.time() - seconds
    os.utime(file, (moment, moment))
    return file


@pytest.fixture
def patient(watched: Deployment, archive: Archive) -> Deployment:
    """The same, but files are taken only once they are quiet for a minute; the first one is."""
    aged(archive.folder / "items.parquet", 3600)
    return replace(watched, declared=replace(watched.declared, sensor_quiet_s=60))


def ids_of(deployment: Deployment) -> list[str]:
    """The ids of the Collection's records, sorted."""
    table = load("demo", workspace_dir=deployment.root).dataset.to_table(columns=["id"])
    return sorted(table["id"].to_pylist())


def test_a_file_that_is_being_written_waits_until_it_is_quiet(
    patient: Deployment, archive: Archive
) -> None:
    first = look(patient, None)
    execute(patient, first.requests[0], "demo__update")
    half = archive.folder / "half.parquet"
    half.write_bytes((archive.folder / "items.parquet").read_bytes()[:1000])

    waiting = look(patient, first.cursor)
    assert not waiting.requests
    assert waiting.skipped == "waiting until nothing has changed for 60 s in 1: half.parquet"

    aged(archive.add(4, 5, "half.parquet"), 61)
    tick = look(patient, waiting.cursor)
    assert tick.requests[0].tags["rasteret_assets/new"] == "1: half.parquet"
    assert execute(patient, tick.requests[0], "demo__update").success
    assert ids_of(patient) == [f"scene-{n:03}" for n in range(5)]


def test_a_run_takes_settled_files_and_keeps_what_it_has_of_the_others(
    patient: Deployment, archive: Archive
) -> None:
    other = aged(archive.add(4, 6, "other.parquet"), 3600)
    first = look(patient, None)
    execute(patient, first.requests[0], "demo__update")
    archive.gets()
    other.write_bytes(b"PAR1 and no more so far")
    aged(archive.add(6, 7, "more.parquet"), 61)

    tick = look(patient, first.cursor)

    told = tick.requests[0].tags
    assert told["rasteret_assets/new"] == "1: more.parquet"
    assert not {"rasteret_assets/changed", "rasteret_assets/vanished"} & told.keys()
    assert execute(patient, tick.requests[0], "demo__update").success
    assert ids_of(patient) == [f"scene-{n:03}" for n in range(7)]
    assert archive.gets() == 3
    assert not look(patient, tick.cursor).requests  # the half-written one waits still

    aged(archive.add(4, 5, "other.parquet"), 61)
    changed = look(patient, tick.cursor).requests[0]
    assert changed.tags["rasteret_assets/changed"] == "1: other.parquet"
    assert execute(patient, changed, "demo__update").success
    assert ids_of(patient) == [f"scene-{n:03}" for n in (0, 1, 2, 3, 4, 6)]


def test_a_listing_of_ten_thousand_files_is_quick_and_its_cursor_small(
    patient: Deployment, archive: Archive
) -> None:
    for number in range(10_000):
        (archive.folder / f"{number:05}.parquet").touch()
    quick = replace(patient, declared=replace(patient.declared, sensor_quiet_s=0))

    first = look(quick, None)
    began = time.monotonic()
    again = look(quick, first.cursor)

    assert again.skipped == "10,001 files, as at the last look"
    assert time.monotonic() - began < 10  # 60 s is what Dagster gives a tick
    assert first.cursor is not None
    assert len(first.cursor) < 200


def test_a_tick_that_is_repeated_asks_under_the_same_key(watched: Deployment) -> None:
    ticks = [look(watched, None), look(watched, None)]
    keys = {tick.requests[0].run_key for tick in ticks}
    assert len(keys) == 1


def test_a_source_that_is_gone_fails_the_tick(watched: Deployment, archive: Archive) -> None:
    archive.folder.rename(archive.folder.with_name("elsewhere"))

    with pytest.raises(SourceError, match="no such file"):
        look(watched, None)


def test_bands_that_were_found_are_enriched_by_a_second_run(
    deployment: Deployment, archive: Archive
) -> None:
    aged(archive.folder / "items.parquet", 3600)
    found = replace(deployment, declared=declared("demo", archive.folder, bands=None))
    first = look(found, None)
    assert execute(found, first.requests[0], "demo__update").success

    tick = look(found, None, "demo__bands")

    (request,) = tick.requests
    assert execute(found, request, "demo__headers").success
    assert load("demo", workspace_dir=found.root).bands == list(BANDS)


def test_the_schedule_tries_headers_again_that_may_have_healed(
    scheduled: Deployment, archive: Archive
) -> None:
    archive.server.always("001/B08.tif", Fault(status=503))
    archive.server.always("002/B04.tif", Fault(status=404))
    scheduled.run(bands=BANDS)
    archive.server.always("001/B08.tif", None)
    archive.gets()

    tick = look_at_schedule(scheduled)

    (request,) = tick.requests
    assert request.tags["rasteret_assets/retry"] == "B08: 1"
    assert execute(scheduled, request, "demo__headers").success
    assert archive.gets() == 1
    codes = load("demo", workspace_dir=scheduled.root).problems["code"].to_pylist()
    assert codes == ["not_found"]


def test_the_schedule_leaves_headers_alone_after_so_many_runs(
    scheduled: Deployment, archive: Archive
) -> None:
    limited = replace(scheduled, declared=replace(scheduled.declared, retry_rounds=3))
    archive.server.always("001/B08.tif", Fault(status=503))
    limited.run(bands=BANDS)
    archive.gets()
    asked = []
    for _ in range(4):
        tick = look_at_schedule(limited)
        for request in tick.requests:
            assert execute(limited, request, "demo__headers").success
        asked.append(archive.gets())

    assert [count > 0 for count in asked] == [True, True, False, False]
    assert tick.skipped == "no header has failed that may have healed"
    assert look_at_schedule(scheduled).requests  # where there is no limit
    archive.server.always("001/B08.tif", None)
    assert limited.run(bands=BANDS).success
    assert archive.gets() == 1  # whoever asks for it gets it


def test_the_schedule_asks_for_nothing_when_nothing_can_heal(scheduled: Deployment) -> None:
    scheduled.run(bands=BANDS)
    tick = look_at_schedule(scheduled)
    assert tick.skipped == "no header has failed that may have healed"
