from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow.parquet as pq
import pytest

from rasteret_assets.api import build_from_table, load
from rasteret_assets.assets.declared import CollectionLimits, DriftSampling
from tests.assets.conftest import BANDS, Archive, collection_yaml
from tests.assets.projects import project_of
from tests.assets.runs import Deployment
from tests.rig.http_server import Fault
from tests.rig.scenes import geotiff

DAILY = DriftSampling(cron="0 3 * * *", files=12, per_host=3)


@pytest.fixture
def watched(deployment: Deployment) -> Deployment:
    """The archive's four scenes of three bands, all of whose files are asked at a time."""
    return replace(deployment, declared=replace(deployment.declared, drift=DAILY))


def look(deployment: Deployment) -> dg.AssetCheckEvaluation:
    """Run the drift job and return what its check says."""
    job = deployment.definitions.resolve_job_def("demo__drift")
    result = job.execute_in_process(instance=deployment.instance)
    (evaluation,) = result.get_asset_check_evaluations()
    return evaluation


def rows_of(evaluation: dg.AssetCheckEvaluation, table: str) -> list[dict[str, Any]]:
    value = evaluation.metadata[table]
    assert isinstance(value, dg.TableMetadataValue)
    return [dict(record.data) for record in value.records]


def asked(archive: Archive) -> list[tuple[str, str]]:
    """Method and path of every request since last asked, sorted."""
    seen = sorted((one.method, one.path) for one in archive.server.seen())
    archive.server.forget()
    return seen


def test_a_materialization_asks_for_headers_alone(watched: Deployment, archive: Archive) -> None:
    result = watched.run(bands=BANDS)

    assert result.success
    assert {method for method, _ in asked(archive)} == {"GET"}
    names = {one.check_name for one in result.get_asset_check_evaluations()}
    assert "files_unchanged" not in names


def test_files_that_stay_pass_with_one_head_request_each(
    watched: Deployment, archive: Archive
) -> None:
    watched.run(bands=BANDS)
    archive.server.forget()
    archive.server.latency_s = 0.02

    evaluation = look(watched)

    assert evaluation.passed
    assert evaluation.description == "of 12 files none has changed"
    assert archive.server.peak_in_flight <= 3
    wanted = [("HEAD", f"{n:03}/{band}.tif") for n in range(4) for band in BANDS]
    assert asked(archive) == sorted(wanted)


def test_a_look_keeps_to_the_limits_of_its_collection(
    watched: Deployment, archive: Archive
) -> None:
    watched.run(bands=BANDS)
    careful = replace(watched.declared, limits=CollectionLimits(max_per_host=1))
    archive.server.forget()
    archive.server.latency_s = 0.02

    assert look(replace(watched, declared=careful)).passed

    assert archive.server.peak_in_flight == 1


def test_files_that_changed_are_told_and_exactly_their_headers_fetched_by_the_next_run(
    watched: Deployment, archive: Archive
) -> None:
    watched.run(bands=BANDS)
    archive.server.put("001/B08.tif", geotiff(500, side=96))
    archive.server.put("003/B04.tif", geotiff(501, side=96))
    archive.server.forget()

    evaluation = look(watched)

    assert not evaluation.passed
    assert evaluation.severity is dg.AssetCheckSeverity.WARN
    assert evaluation.metadata["changed"].value == 2
    told = rows_of(evaluation, "changed_files")
    assert {(row["id"], row["band"], row["source_row"]) for row in told} == {
        ("scene-001", "B08", 1),
        ("scene-003", "B04", 3),
    }
    assert all(row["source_file"].endswith("items.parquet") for row in told)
    assert all(row["was"] != row["now"] for row in told)
    asked(archive)

    assert watched.run(bands=["B04"], stages=["band_headers", "collection"]).success
    assert asked(archive) == [("GET", "003/B04.tif")]
    assert watched.run(bands=BANDS, stages=["band_headers", "collection"]).success
    assert asked(archive) == [("GET", "001/B08.tif")]
    assert watched.run(bands=BANDS).success
    assert asked(archive) == []

    rows = load("demo", workspace_dir=watched.root).dataset.to_table().sort_by("id")
    widths = {
        band: [h["image_width"] for h in rows[f"{band}_metadata"].to_pylist()] for band in BANDS
    }
    assert widths == {"B04": [64, 64, 64, 96], "B08": [64, 96, 64, 64], "B11": [64] * 4}
    assert look(watched).passed


def test_a_file_of_the_same_size_that_has_another_tag_has_changed(
    watched: Deployment, archive: Archive
) -> None:
    watched.run(bands=BANDS)
    archive.server.always("002/B11.tif", Fault(headers={"ETag": '"other"'}))
    assert look(watched).metadata["changed"].value == 1


def test_a_file_without_a_tag_that_has_another_size_has_changed(
    watched: Deployment, archive: Archive
) -> None:
    silent = Fault(headers={"ETag": "", "Last-Modified": ""})
    archive.server.always("002/B11.tif", silent)
    watched.run(bands=BANDS)
    assert look(watched).passed
    archive.server.put("002/B11.tif", geotiff(7, side=96))
    assert look(watched).metadata["changed"].value == 1


def test_what_is_gone_or_not_told_is_no_change(watched: Deployment, archive: Archive) -> None:
    watched.run(bands=BANDS)
    archive.server.always("000/B04.tif", Fault(status=404))
    archive.server.always("001/B04.tif", Fault(status=405))
    archive.server.always("002/B04.tif", Fault(status=503))
    archive.server.forget()

    evaluation = look(watched)

    assert not evaluation.passed
    assert len(asked(archive)) == 12  # a server that is in trouble is not asked again
    counts = {name: evaluation.metadata[name].value for name in ("changed", "gone", "unanswered")}
    assert counts == {"changed": 0, "gone": 1, "unanswered": 2}
    assert rows_of(evaluation, "files_gone")[0]["id"] == "scene-000"
    assert evaluation.metadata["headers_to_fetch_again"].value == 0


def test_looks_keep_to_their_budget_and_come_to_every_file_in_turn(
    watched: Deployment, archive: Archive
) -> None:
    watched.run(bands=BANDS)
    few = replace(watched, declared=replace(watched.declared, drift=replace(DAILY, files=4)))
    archive.server.forget()

    looks = []
    for _ in range(3):
        assert look(few).metadata["files_asked"].value == 4
        looks.append({path for _, path in asked(archive)})

    assert [len(one) for one in looks] == [4, 4, 4]
    assert len(set.union(*looks)) == 12


def test_bands_of_one_file_are_fetched_again_together(
    watched: Deployment, archive: Archive
) -> None:
    """Two bands that are samples of one file: whichever was asked, both headers are stale."""
    items = archive.folder / "items.parquet"
    table = pq.read_table(items)
    assets = table["assets"].to_pylist()
    for one in assets:
        one["B08"] = one["B04"]
    table = table.set_column(table.schema.get_field_index("assets"), "assets", [assets])
    pq.write_table(table, items)
    watched.run(bands=BANDS)
    archive.server.put("001/B04.tif", geotiff(500, side=96))

    assert look(watched).metadata["headers_to_fetch_again"].value == 2
    asked(archive)
    watched.run(bands=BANDS)

    assert asked(archive) == [("GET", "001/B04.tif")]
    rows = load("demo", workspace_dir=watched.root).dataset.to_table().sort_by("id")
    for band in ("B04", "B08"):
        assert rows[f"{band}_metadata"][1]["image_width"].as_py() == 96


def test_a_stale_header_is_not_carried_over_to_a_changed_table(
    watched: Deployment, archive: Archive
) -> None:
    watched.run(bands=BANDS)
    archive.server.put("001/B08.tif", geotiff(500, side=96))
    look(watched)
    archive.add(4, 5, "items2.parquet")
    both = [pq.read_table(archive.folder / name) for name in ("items.parquet", "items2.parquet")]
    pq.write_table(both[0].slice(1), archive.folder / "items.parquet")
    asked(archive)

    watched.run(bands=BANDS)

    assert asked(archive) == [("GET", "001/B08.tif")]


def test_the_python_door_fetches_stale_headers_too(watched: Deployment, archive: Archive) -> None:
    watched.run(bands=BANDS)
    archive.server.put("001/B08.tif", geotiff(500, side=96))
    look(watched)
    asked(archive)

    build_from_table(
        archive.folder / "items.parquet",
        name="demo",
        workspace_dir=watched.root,
        enrich_cog=True,
        band_codes=list(BANDS),
        update=True,
    )

    assert asked(archive) == [("GET", "001/B08.tif")]


def test_counts_are_observed_so_that_they_can_be_plotted(
    watched: Deployment,
) -> None:
    watched.run(bands=BANDS)
    look(watched)

    records = watched.instance.fetch_observations(dg.AssetKey(["demo", "archive"]), limit=1).records
    (event,) = [record.asset_observation for record in records]
    assert event is not None
    assert event.metadata["files_asked"].value == 12
    assert event.metadata["changed"].value == 0


@pytest.fixture
def scheduled(watched: Deployment, tmp_path: Path) -> Iterator[Deployment]:
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        yield replace(watched, instance=instance)


def test_the_schedule_waits_for_the_first_headers(scheduled: Deployment) -> None:
    definitions = scheduled.definitions
    schedule = definitions.resolve_schedule_def("demo__sample_drift")
    assert schedule.cron_schedule == "0 3 * * *"

    def tick() -> Any:  # noqa: ANN401  # Dagster's own
        with dg.build_schedule_context(
            scheduled.instance,
            repository_def=definitions.get_repository_def(),
            resources=scheduled.evaluated_with,
        ) as context:
            return schedule.evaluate_tick(context)

    assert tick().skip_message == "no header has been fetched yet"
    scheduled.run(bands=BANDS)
    assert len(tick().run_requests) == 1


@pytest.mark.parametrize("name", ["files", "per_host"])
def test_a_budget_of_nothing_cannot_be_meant(name: str) -> None:
    with pytest.raises(ValueError, match=f"drift: {name} is 0; it must be at least 1"):
        replace(DAILY, **{name: 0})  # type: ignore[arg-type]  # one of two ints


def test_a_collection_without_drift_has_no_archive(deployment: Deployment) -> None:
    keys = {spec.key.path[-1] for spec in deployment.definitions.resolve_all_asset_specs()}
    assert "archive" not in keys


@pytest.mark.slow
def test_dagsters_own_commands_sample_and_fetch_again(archive: Archive, tmp_path: Path) -> None:
    items = archive.folder / "items.parquet"
    drift = {"cron": "0 3 * * *", "files": 12, "per_host": 4}
    yaml = collection_yaml("demo", items, bands=BANDS, drift=drift)
    project = project_of(tmp_path, {"demo": yaml})
    made = project.materialize("group:demo", "--partition-range", "B04...B11")
    assert made.returncode == 0, made.stderr
    assert {method for method, _ in asked(archive)} == {"GET"}
    archive.server.put("001/B08.tif", geotiff(500, side=96))

    sampled = project.run("dagster", "job", "execute", "-f", "definitions.py", "-j", "demo__drift")

    assert sampled.returncode == 0, sampled.stderr
    assert {method for method, _ in asked(archive)} == {"HEAD"}
    again = project.materialize("group:demo", "--partition-range", "B04...B11")
    assert again.returncode == 0, again.stderr
    assert asked(archive) == [("GET", "001/B08.tif")]
