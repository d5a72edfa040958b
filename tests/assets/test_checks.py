from dataclasses import replace
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rasteret_assets.assets import DeclaredCollection
from tests.assets.conftest import BANDS, Archive
from tests.assets.runs import Deployment
from tests.rig.http_server import Fault
from tests.rig.scenes import geotiff


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

    stopped = with_thresholds(deployment, max_set_aside=0.2).run(bands=BANDS)
    assert not stopped.success
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
