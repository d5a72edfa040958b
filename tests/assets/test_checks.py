import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from rasteret_assets.assets import DeclaredCollection, EnrichmentResource
from rasteret_assets.assets.checks.geoparquet import file_failures
from rasteret_assets.storage import Workspace
from tests.assets.conftest import BANDS, Archive
from tests.assets.runs import Deployment
from tests.rig.http_server import Fault


def checked(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    """Each check's evaluation, by its name."""
    return {one.check_name: one for one in result.get_asset_check_evaluations()}


def with_thresholds(deployment: Deployment, **given: Any) -> Deployment:  # noqa: ANN401  # of its fields
    return replace(deployment, declared=replace(deployment.declared, **given))


def spoil_ids(archive: Archive) -> None:
    """Take the id of the last of four rows away."""
    items = archive.folder / "items.parquet"
    ids = pa.array(["scene-000", "scene-001", "scene-002", None])
    pq.write_table(pq.read_table(items).set_column(0, "id", ids), items)


def table_of(evaluation: dg.AssetCheckEvaluation, name: str = "offending_rows") -> list[Any]:
    """The rows of a table that a check shows."""
    value = evaluation.metadata[name]
    assert isinstance(value, dg.TableMetadataValue)
    return [dict(record.data) for record in value.records]


def steps_started(result: dg.ExecuteInProcessResult) -> set[str]:
    return {str(event.step_key) for event in result.all_events if event.is_step_start}


def rewrite(archive: Archive, name: str, values: pa.Array) -> None:
    """Give the source's rows another column of that name."""
    items = archive.folder / "items.parquet"
    table = pq.read_table(items)
    at = table.schema.get_field_index(name)
    changed = table.append_column(name, values) if at < 0 else table.set_column(at, name, values)
    pq.write_table(changed, items)


def test_a_sound_archive_passes_every_check(deployment: Deployment) -> None:
    result = deployment.run(bands=BANDS)

    assert result.success
    assert {name: one.passed for name, one in checked(result).items()} == {
        "rows_set_aside": True,
        "contract": True,
        "geometry_bounds": True,
        "geometry_valid": True,
        "ids_unique": True,
        "header_coverage": True,
        "header_agrees": True,
        "records_complete": True,
        "bands_current": True,
        "readable": True,
        "geoparquet_valid": True,
    }


def test_rows_set_aside_warn_by_default_and_stop_beyond_a_declared_share(
    deployment: Deployment, archive: Archive
) -> None:
    spoil_ids(archive)

    warned = deployment.run(bands=BANDS)
    assert warned.success
    evaluation = checked(warned)["rows_set_aside"]
    assert (evaluation.passed, evaluation.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert evaluation.description == "1 rows (25.00%) are set aside"
    assert "next_step" not in evaluation.metadata

    stopped = with_thresholds(deployment, max_set_aside=0.2).run(bands=BANDS)
    assert not stopped.success
    assert "max_set_aside" in str(checked(stopped)["rows_set_aside"].metadata["next_step"].value)
    assert not [e for e in stopped.all_events if e.is_step_start and "remapped" in str(e.step_key)]

    assert with_thresholds(deployment, max_set_aside=0.25).run(bands=BANDS).success


def test_too_few_headers_stop_a_run_before_the_collection(
    deployment: Deployment, archive: Archive
) -> None:
    archive.server.always("001/B08.tif", Fault(status=404))
    guarded = with_thresholds(deployment, min_coverage=0.8)

    assert guarded.run(bands=["B04"]).success
    before = deployment.workspace.collection("demo").latest()
    stopped = guarded.run(bands=["B08"])

    assert not stopped.success
    evaluation = checked(stopped)["header_coverage"]
    assert evaluation.description == "headers are lacking: B08 75.00%"
    assert "min_coverage" in str(evaluation.metadata["next_step"].value)
    assert deployment.workspace.collection("demo").latest() == before
    assert guarded.run(bands=["B04"]).success  # B08 is no matter of this run


def test_an_id_that_another_file_has_too_is_reported(
    deployment: Deployment, archive: Archive
) -> None:
    archive.add(3, 5, "more.parquet")
    spec = replace(deployment.declared.spec, sources=(str(archive.folder),))
    result = replace(deployment, declared=DeclaredCollection(spec=spec)).run(bands=BANDS)

    evaluation = checked(result)["ids_unique"]
    assert result.success
    assert not evaluation.passed
    assert evaluation.description == "1 records repeat an id of another file: scene-003"
    assert checked(result)["records_complete"].description == "6 of 6 records"


def test_a_band_whose_headers_are_those_of_older_records_is_reported(
    deployment: Deployment, archive: Archive
) -> None:
    deployment.run(bands=BANDS)
    archive.add(0, 5, "items.parquet")

    result = deployment.run(bands=["B04"])

    evaluation = checked(result)["bands_current"]
    assert not evaluation.passed
    assert evaluation.description == (
        "B08 lacks 5 records: run band_headers for it; B11 lacks 5 records: run band_headers for it"
    )


@pytest.mark.parametrize("name", ["max_set_aside", "min_coverage"])
def test_a_threshold_is_a_share(deployment: Deployment, name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is 5; it is a share, 0 to 1"):
        with_thresholds(deployment, **{name: 5})


def test_a_collection_may_have_to_be_fresh(deployment: Deployment) -> None:
    fresh = with_thresholds(deployment, fresh_within_h=24)
    specs = {spec.key.path[-1]: spec for spec in fresh.definitions.resolve_all_asset_specs()}
    assert specs["collection"].freshness_policy is not None
    assert specs["raw_table"].freshness_policy is None


def test_rows_set_aside_are_shown_as_panderas_failure_cases_with_their_source_rows(
    deployment: Deployment, archive: Archive
) -> None:
    spoil_ids(archive)
    boxes = [shapely.box(west, 0, west + 1, 1) for west in (0, 400, 0, 0)]
    rewrite(archive, "geometry", pa.array(shapely.to_wkb(boxes), pa.binary()))

    evaluation = checked(deployment.run(bands=BANDS))["rows_set_aside"]

    items = str(archive.folder / "items.parquet")
    cases = table_of(evaluation, "failure_cases")
    assert [
        (c["source_file"], c["source_row"], c["id"], c["column"], c["check"]) for c in cases
    ] == [
        (items, 1, "scene-001", "geometry_invalid", "equal_to(False)"),
        (items, 3, "", "id_missing", "equal_to(False)"),
    ]


def test_headers_that_are_lacking_are_shown_with_their_records(
    deployment: Deployment, archive: Archive
) -> None:
    archive.server.always("001/B08.tif", Fault(status=404))
    by_band = with_thresholds(deployment, min_coverage={"B08": 0.8})

    stopped = by_band.run(bands=BANDS)

    assert not stopped.success
    evaluation = checked(stopped)["header_coverage"]
    assert evaluation.severity is dg.AssetCheckSeverity.ERROR
    (row,) = table_of(evaluation)
    assert (row["band"], row["code"], row["id"], row["source_row"]) == (
        "B08",
        "not_found",
        "scene-001",
        1,
    )
    assert row["source_file"] == str(archive.folder / "items.parquet")
    another = by_band.run(bands=["B04"])
    assert another.success
    evaluation = checked(another)["header_coverage"]
    assert (evaluation.passed, evaluation.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "B08" in str(evaluation.description)
    elsewhere = with_thresholds(deployment, min_coverage={"B04": 1.0}).run(bands=BANDS)
    assert elsewhere.success
    evaluation = checked(elsewhere)["header_coverage"]
    assert (evaluation.passed, evaluation.severity) == (False, dg.AssetCheckSeverity.WARN)


def test_a_geometry_that_crosses_itself_is_kept_and_told_of(
    deployment: Deployment, archive: Archive
) -> None:
    bowtie = shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])
    shapes = [shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1), bowtie, shapely.box(2, 0, 3, 1)]
    rewrite(archive, "geometry", pa.array(shapely.to_wkb(shapes), pa.binary()))

    result = deployment.run(bands=BANDS)

    assert result.success
    evaluation = checked(result)["geometry_valid"]
    assert (evaluation.passed, evaluation.severity) == (False, dg.AssetCheckSeverity.WARN)
    (row,) = table_of(evaluation)
    assert (row["id"], row["source_row"]) == ("scene-002", 2)
    assert row["reason"] == shapely.is_valid_reason(bowtie)
    assert checked(result)["records_complete"].passed


@pytest.mark.parametrize(
    ("spoil", "check", "column"),
    [
        (
            lambda t: t.set_column(0, "id", pa.array([None, *t["id"].to_pylist()[1:]])),
            "contract",
            "id_null",
        ),
        (
            lambda t: t.set_column(
                2, "geometry", pa.array([b"no geometry", *t["geometry"].to_pylist()[1:]])
            ),
            "contract",
            "geometry_unreadable",
        ),
        (
            lambda t: t.set_column(
                4, "bbox", pa.array([dict.fromkeys(t["bbox"][0], 0.0), *t["bbox"].to_pylist()[1:]])
            ),
            "geometry_bounds",
            "bbox_differs",
        ),
    ],
    ids=["null", "unreadable", "box"],
)
def test_records_that_were_damaged_stop_the_run_before_headers_are_fetched(
    deployment: Deployment,
    archive: Archive,
    spoil: Callable[[pa.Table], pa.Table],
    check: str,
    column: str,
) -> None:
    """A file of the workspace is overwritten, and another instance takes over."""
    deployment.run(stages=["raw_table", "validated_table", "remapped_table"])
    (file,) = Path(deployment.root).glob(".stages/demo/remapped_table/*.parquet")
    pq.write_table(spoil(pq.read_table(file)), file)
    shutil.rmtree(Path(deployment.root) / ".stages/demo/examined_records")

    with dg.DagsterInstance.ephemeral() as instance:
        result = replace(deployment, instance=instance).run(bands=BANDS)

    assert not result.success
    assert archive.gets() == 0
    assert not {step for step in steps_started(result) if "band_headers" in step}
    evaluation = checked(result)[check]
    assert (evaluation.passed, evaluation.severity) == (False, dg.AssetCheckSeverity.ERROR)
    (row,) = table_of(evaluation)
    assert (row["column"], row["source_row"]) == (column, 0)
    assert row["source_file"] == str(archive.folder / "items.parquet")


def test_ids_are_shown_with_both_their_source_rows_and_files_are_looked_at_once(
    deployment: Deployment, archive: Archive
) -> None:
    spec = replace(deployment.declared.spec, sources=(str(archive.folder),))
    folder = replace(deployment, declared=DeclaredCollection(spec=spec))
    folder.run(bands=BANDS)
    examined = Path(deployment.root) / ".stages/demo/examined_records"
    before = {file.name: file.stat().st_mtime_ns for file in examined.glob("*.parquet")}
    archive.add(2, 5, "more.parquet")

    evaluation = checked(folder.run(bands=BANDS))["ids_unique"]

    rows = table_of(evaluation)
    assert [(r["id"], r["source_row"], r["first_row"]) for r in rows] == [
        ("scene-002", 0, 2),
        ("scene-003", 1, 3),
    ]
    assert {Path(r["first_source_file"]).name for r in rows} == {"items.parquet"}
    assert {Path(r["source_file"]).name for r in rows} == {"more.parquet"}
    after = {file.name: file.stat().st_mtime_ns for file in examined.glob("*.parquet")}
    assert before.items() <= after.items()
    assert len(after) == 2


# As rasterio and rio-stac write proj: fields of the archive's files.
TRANSFORM = [10.0, 0.0, 780_000.0, 0.0, -10.0, 1_440_000.0]


@pytest.mark.parametrize(
    ("name", "right", "wrong", "what"),
    [
        ("proj:epsg", 32643, 32644, "crs"),
        ("proj:code", "EPSG:32643", "EPSG:32644", "crs"),
        (
            "proj:transform",
            [*TRANSFORM, 0.0, 0.0, 1.0],
            [*TRANSFORM[:2], 780_010.0, *TRANSFORM[3:]],
            "transform",
        ),
        ("proj:shape", [64, 64], [64, 65], "shape"),
    ],
)
def test_a_header_that_is_not_what_its_record_says_is_shown(
    deployment: Deployment,
    archive: Archive,
    name: str,
    right: int | str | list[float],
    wrong: int | str | list[float],
    what: str,
) -> None:
    rewrite(archive, name, pa.array([right, wrong, None, right]))

    result = deployment.run(bands=["B04"])

    assert result.success
    evaluation = checked(result)["header_agrees"]
    assert (evaluation.passed, evaluation.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert evaluation.description == f"of 3 headers 1 another {what} from what the record says"
    (row,) = table_of(evaluation)
    assert (row["id"], row["source_row"], row["what"]) == ("scene-001", 1, what)
    assert str(wrong) in row["record"]
    assert str(wrong) not in row["header"]


def test_what_an_asset_says_counts_before_what_its_item_says(
    deployment: Deployment, archive: Archive
) -> None:
    items = archive.folder / "items.parquet"
    assets = pq.read_table(items)["assets"].to_pylist()
    for one in assets:
        one["B04"]["proj:shape"] = [64, 64]
    rewrite(archive, "assets", pa.array(assets))
    rewrite(archive, "proj:shape", pa.array([[9, 9]] * 4))

    evaluation = checked(deployment.run(bands=BANDS))["header_agrees"]

    counts = {row["band"]: row["shape"] for row in table_of(evaluation, "differences")}
    assert counts == {"B04": 0, "B08": 4, "B11": 4}


def test_headers_are_compared_once(deployment: Deployment, archive: Archive) -> None:
    rewrite(archive, "proj:epsg", pa.array([32643] * 4))
    assert checked(deployment.run(bands=BANDS))["header_agrees"].passed
    place = Path(deployment.root) / ".stages/demo/header_agreement/B04"
    before = sorted(place.iterdir())
    assert before
    for file in Path(deployment.root).glob(".stages/demo/band_headers/B04/*.parquet"):
        file.rename(file.with_suffix(".away"))  # whoever reads it now fails

    again = checked(deployment.run(bands=["B08"]))["header_agrees"]

    assert again.passed
    assert sorted(place.iterdir()) == before


def looking(deployment: Deployment) -> Deployment:
    return replace(deployment, enrichment=EnrichmentResource(chunk_headers=4))


def test_pixels_are_read_through_the_collection_once_it_has_changed(
    deployment: Deployment, archive: Archive
) -> None:
    seeing = looking(deployment)
    evaluation = checked(seeing.run(bands=BANDS))["readable"]
    assert evaluation.passed
    assert evaluation.description == "scene-003, B04: 100% of 64 x 64 pixels have data"

    archive.server.forget()
    assert checked(seeing.run(bands=BANDS))["readable"].passed
    assert archive.gets() == 0


def test_a_server_that_is_down_fails_the_check_of_pixels_and_no_run(
    deployment: Deployment, archive: Archive
) -> None:
    """Headers are there; then the server refuses every file."""
    deployment.run(
        bands=BANDS, stages=["raw_table", "validated_table", "remapped_table", "band_headers"]
    )
    for number in range(4):
        archive.server.always(f"{number:03}/B04.tif", Fault(status=403))

    result = looking(deployment).run(bands=BANDS, stages=["collection"])

    assert result.success
    evaluation = checked(result)["readable"]
    assert (evaluation.passed, evaluation.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "403" in str(evaluation.description)


def test_a_file_that_is_no_geoparquet_is_found_and_sound_ones_are_tested_once(
    deployment: Deployment,
) -> None:
    assert checked(deployment.run(bands=BANDS))["geoparquet_valid"].passed
    first, *_ = sorted(Path(deployment.root).glob("demo_records/year=*/month=*/*.parquet"))
    pq.write_table(pq.ParquetFile(first).read().replace_schema_metadata(None), first)
    with dg.DagsterInstance.ephemeral() as instance:
        other = replace(deployment, instance=instance)
        assert checked(other.run(bands=BANDS))["geoparquet_valid"].passed  # known by its name
    shutil.rmtree(Path(deployment.root) / ".stages/demo/geoparquet_tests")
    with dg.DagsterInstance.ephemeral() as instance:
        evaluation = checked(replace(deployment, instance=instance).run(bands=BANDS))[
            "geoparquet_valid"
        ]

    assert not evaluation.passed
    assert evaluation.description == "1 of 3 files are not valid"
    assert {row["file"] for row in table_of(evaluation, "failed_tests")} == {
        "/".join(first.parts[-3:])
    }


def test_runs_that_test_the_files_at_once_do_not_stop_each_other(deployment: Deployment) -> None:
    assert deployment.run(bands=BANDS).success
    shutil.rmtree(Path(deployment.root) / ".stages/demo/geoparquet_tests")
    place = Workspace(root=deployment.root)
    store = place.collection("demo")

    with ThreadPoolExecutor(3) as runs:
        found = list(runs.map(lambda _: file_failures(place, "demo", store), range(3)))

    assert found == [(3, [])] * 3
