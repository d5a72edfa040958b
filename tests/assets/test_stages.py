from dataclasses import replace

import dagster as dg
import pyarrow.compute as pc
import pytest

from rasteret_assets.api import load
from rasteret_assets.assets import DeclaredCollection
from tests.assets.conftest import BANDS, Archive
from tests.assets.runs import Deployment, declared, errors_of
from tests.rig.http_server import Fault


def test_one_run_builds_everything_for_all_declared_bands(
    deployment: Deployment, archive: Archive
) -> None:
    assert deployment.run(bands=BANDS).success

    collection = load("demo", workspace_dir=deployment.root)
    assert collection.count_rows() == 4
    assert collection.bands == list(BANDS)
    assert archive.gets() == 12


def test_the_same_run_again_asks_for_nothing_and_commits_nothing(
    deployment: Deployment, archive: Archive
) -> None:
    deployment.run(bands=BANDS)
    before = deployment.workspace.collection("demo").latest()
    archive.gets()

    assert deployment.run(bands=BANDS).success

    assert archive.gets() == 0
    assert deployment.workspace.collection("demo").latest() == before


def test_bands_may_come_one_after_the_other(deployment: Deployment, archive: Archive) -> None:
    deployment.run(bands=["B08"])
    assert archive.gets() == 4
    assert load("demo", workspace_dir=deployment.root).bands == ["B08"]

    deployment.run(bands=["B04"])
    assert archive.gets() == 4
    assert load("demo", workspace_dir=deployment.root).bands == ["B04", "B08"]


def test_one_stage_alone_leaves_the_others_as_they_are(deployment: Deployment) -> None:
    assert deployment.run(stages=["raw_table"]).success

    workspace = deployment.workspace
    assert workspace.stage("demo", "raw_table").open().count_rows() == 4
    assert workspace.stage("demo", "validated_table").latest() is None
    assert not workspace.collection("demo").exists()


def test_a_new_source_file_costs_its_own_headers_alone(
    deployment: Deployment, archive: Archive
) -> None:
    source = replace(deployment.declared.spec, sources=(str(archive.folder),))
    watched = replace(deployment, declared=DeclaredCollection(spec=source))
    watched.run(bands=BANDS)
    archive.gets()
    archive.add(4, 6, "more.parquet")

    assert watched.run(bands=BANDS).success

    assert archive.gets() == 6
    assert load("demo", workspace_dir=deployment.root).count_rows() == 6


def test_bands_that_are_not_declared_are_found_by_a_first_run(
    deployment: Deployment, archive: Archive
) -> None:
    found = replace(
        deployment, declared=declared("found", archive.folder / "items.parquet", bands=None)
    )

    assert found.run(stages=["raw_table", "validated_table", "remapped_table"]).success
    assert found.instance.get_dynamic_partitions("found/bands") == list(BANDS)

    assert found.run(stages=["band_headers", "collection"], bands=BANDS).success
    assert load("found", workspace_dir=found.root).bands == list(BANDS)


def test_records_alone_need_no_header(deployment: Deployment, archive: Archive) -> None:
    source = archive.folder / "items.parquet"
    plain = replace(deployment, declared=declared("plain", source, enrich=False))

    assert plain.run().success

    assert archive.gets() == 0
    assert load("plain", workspace_dir=plain.root).count_rows() == 4


def test_a_name_with_other_characters_gets_its_own_group_and_folder(
    deployment: Deployment, archive: Archive
) -> None:
    source = archive.folder / "items.parquet"
    named = replace(deployment, declared=declared("c2.l2-sr", source, bands=BANDS))

    assert named.run(bands=BANDS).success

    specs = {spec.key: spec for spec in named.definitions.resolve_all_asset_specs()}
    assert specs[dg.AssetKey(["c2.l2-sr", "collection"])].group_name == "c2_dot_l2_dash_sr"
    assert load("c2.l2-sr", workspace_dir=named.root).count_rows() == 4


def test_a_file_that_is_missing_is_a_problem_and_not_the_end_of_the_run(
    deployment: Deployment, archive: Archive
) -> None:
    archive.server.always("002/B08.tif", Fault(status=404))

    assert deployment.run(bands=BANDS).success

    problems = load("demo", workspace_dir=deployment.root).problems
    told = problems.select(["id", "band", "code"]).to_pylist()
    assert told == [{"id": "scene-002", "band": "B08", "code": "not_found"}]


@pytest.mark.parametrize("asked", [2, 5])
def test_run_config_sets_how_many_requests_are_open_at_once(
    deployment: Deployment, archive: Archive, asked: int
) -> None:
    archive.server.latency_s = 0.3
    enrichment = {"max_concurrent": asked, "max_per_host": asked, "chunk_headers": 100}
    config = {"resources": {"enrichment": {"config": enrichment}}}

    assert deployment.run(bands=BANDS, config=config).success

    assert archive.server.peak_in_flight == asked


def test_headers_that_failed_are_asked_for_again_as_run_config_says(
    deployment: Deployment, archive: Archive
) -> None:
    archive.server.always("002/B08.tif", Fault(status=404))
    deployment.run(bands=BANDS)
    archive.server.always("002/B08.tif", None)
    archive.gets()

    deployment.run(bands=BANDS)
    assert archive.gets() == 0  # a missing file does not heal by itself

    deployment.run(bands=BANDS, config={"resources": {"enrichment": {"config": {"retry": "all"}}}})
    assert archive.gets() == 1
    assert load("demo", workspace_dir=deployment.root).problems.num_rows == 0


def test_headers_can_be_fetched_anew(deployment: Deployment, archive: Archive) -> None:
    deployment.run(bands=BANDS)
    archive.gets()
    config = {"resources": {"enrichment": {"config": {"refetch": True}}}}

    assert deployment.run(bands=["B08"], config=config).success

    assert archive.gets() == 4


class TestBadInput:
    def test_a_missing_source_fails_the_first_stage_and_leaves_nothing(
        self, deployment: Deployment, archive: Archive
    ) -> None:
        missing = archive.folder / "missing.parquet"
        broken = replace(deployment, declared=declared("broken", missing, bands=BANDS))

        result = broken.run(bands=BANDS)

        assert not result.success
        assert f"{missing}: no such file" in errors_of(result)
        assert not broken.workspace.has("broken")

    def test_a_declared_band_that_no_record_has_stops_before_the_collection(
        self, deployment: Deployment
    ) -> None:
        deployment.run(bands=BANDS)
        before = deployment.workspace.collection("demo").latest()
        spec = replace(deployment.declared.spec, bands=("B04", "B99"))
        wrong = replace(deployment, declared=DeclaredCollection(spec=spec))

        result = wrong.run(stages=["band_headers", "collection"], bands=["B99"])

        assert not result.success
        assert "no record has assets ['B99']" in errors_of(result)
        assert "'B04', 'B08', 'B11'" in errors_of(result)
        assert deployment.workspace.collection("demo").latest() == before

    def test_a_filter_that_no_row_meets_fails_and_says_so(self, deployment: Deployment) -> None:
        spec = replace(deployment.declared.spec, filter_expr=pc.field("eo:cloud_cover") < 0)
        empty = replace(deployment, declared=DeclaredCollection(spec=spec))

        result = empty.run(bands=BANDS)

        assert not result.success
        assert "no row meets the filter" in errors_of(result)
        assert empty.workspace.stage("demo", "raw_table").latest() is None

    def test_a_setting_out_of_range_fails_before_any_request(
        self, deployment: Deployment, archive: Archive
    ) -> None:
        config = {"resources": {"enrichment": {"config": {"max_concurrent": 0}}}}

        result = deployment.run(bands=BANDS, config=config)

        assert not result.success
        assert "max_concurrent is 0; it must be at least 1" in errors_of(result)
        assert archive.gets() == 0
