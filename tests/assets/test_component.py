from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest
import yaml  # type: ignore[import-untyped]  # the stubs are a package of their own

from rasteret_assets.assets import (
    EnrichmentResource,
    RecordTableCollection,
    build_collection_defs,
)
from rasteret_assets.assets.declared import CollectionLimits
from rasteret_assets.assets.enrichment import look_settings
from rasteret_assets.assets.scaffold import TEMPLATE
from rasteret_assets.contract.settings import BuildSettings, FetchSettings
from rasteret_assets.errors import ConfigError
from tests.assets.conftest import BANDS, Archive, collection_yaml
from tests.assets.projects import Project, project_of
from tests.assets.runs import Deployment, declared


def test_attributes_become_what_build_from_table_takes(tmp_path: Path) -> None:
    component = RecordTableCollection(
        name="demo",
        source=["tables/items.parquet", "s3://bucket/items/"],
        filter='"eo:cloud_cover" < 20',
        columns=["scene", "assets"],
        column_map={"scene": "id"},
        bands=["B04"],
        base_uri="https://host/",
    )

    spec = component.declared(tmp_path).spec

    assert spec.sources == (str(tmp_path / "tables" / "items.parquet"), "s3://bucket/items/")
    assert str(spec.filter_expr) == "(eo:cloud_cover < 20)"
    assert (spec.columns, spec.column_map) == (("scene", "assets"), {"scene": "id"})
    assert (spec.bands, spec.base_uri, spec.enrich) == (("B04",), "https://host/", True)


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"name": "../evil"}, "collection name '../evil': use letters"),
        ({"source": []}, "no source given"),
        ({"bands": []}, "bands is empty"),
        ({"bands": ["B04", "B04"]}, r"bands \['B04'\] are declared more than once"),
        ({"bands": ["B04"], "enrich": False}, "bands are those to enrich, but enrich is false"),
        (
            {"filter": "eo:cloud_cover <"},
            "the filter 'eo:cloud_cover <' is not CQL2: line 1, column 17",
        ),
        ({"column_map": {"a": "id", "b": "id"}}, r"names \['id'\] more than once"),
        ({"sensor_interval_s": 0}, "sensor_interval_s is 0"),
    ],
    ids=lambda value: ", ".join(value) if isinstance(value, dict) else "",
)
def test_a_value_that_cannot_be_meant_is_a_load_error(
    attributes: dict[str, object], said: str, tmp_path: Path
) -> None:
    given = {"name": "demo", "source": "items.parquet", **attributes}
    with pytest.raises(ConfigError, match=said):
        RecordTableCollection.model_validate(given).declared(tmp_path)


def test_two_collections_of_one_name_do_not_load(deployment: Deployment) -> None:
    other = replace(deployment, declared=declared("demo", "other.parquet", bands=["B04"]))
    both = dg.Definitions.merge(deployment.definitions, build_collection_defs(other.declared))

    with pytest.raises(dg.DagsterInvalidDefinitionError, match="demo"):
        dg.Definitions.validate_loadable(both)


def test_the_scaffold_declares_a_collection_that_loads(tmp_path: Path) -> None:
    text = TEMPLATE.format(type_name="rasteret_assets.RecordTableCollection", name="new-one")
    said = yaml.safe_load(text)
    assert said["type"] == "rasteret_assets.RecordTableCollection"
    declared = RecordTableCollection.model_validate(said["attributes"]).declared(tmp_path)
    assert declared.spec.bands == ("B04", "B08")


def test_the_scaffold_speaks_of_every_attribute() -> None:
    text = TEMPLATE.format(type_name="x", name="new-one")
    uncommented = text.replace("  # ", "  ")
    for name in RecordTableCollection.model_fields:
        assert f"\n  {name}: " in uncommented


@pytest.fixture
def project(archive: Archive, tmp_path: Path) -> Project:
    """A project of one collection, as a user of the package has it."""
    items = archive.folder / "items.parquet"
    return project_of(tmp_path, {"demo": collection_yaml("demo", items, bands=BANDS)})


@pytest.mark.slow
def test_dg_scaffolds_a_collection_and_checks_it(project: Project) -> None:
    made = project.run("dg", "scaffold", "defs", "rasteret_assets.RecordTableCollection", "more")
    assert made.returncode == 0, made.stdout + made.stderr
    assert "name: more\n" in (project.folder / "archives/defs/more/defs.yaml").read_text()

    checked = project.run("dg", "check", "yaml")
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("band: [B04]", "'band' was unexpected"),
        ("max_set_aside: 5", "5 is greater than the maximum of 1"),
        ("sensor_interval_s: 0", "0 is less than the minimum of 1"),
        ("limits: {max_concurrent: 0}", "is not valid under any of the given schemas"),
        ("columns: []", "should be non-empty"),
        ("owners: 7", "is not valid under any of the given schemas"),
    ],
    ids=lambda value: value.split(":")[0],
)
def test_dg_check_yaml_points_at_what_is_wrong(project: Project, line: str, said: str) -> None:
    file = project.folder / "archives/defs/demo/defs.yaml"
    file.write_text(file.read_text() + f"  {line}\n")

    checked = project.run("dg", "check", "yaml")

    told = checked.stdout + checked.stderr
    assert checked.returncode == 1
    assert f"defs.yaml:{len(file.read_text().splitlines())}" in told
    assert f"attributes.{line.split(':', maxsplit=1)[0]}" in told or "band" in line
    assert said in told


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('filter: "cloud <"', "the filter 'cloud <' is not CQL2"),
        ('retry_cron: "every day"', "retry_cron is every day; cron has five fields"),
        ("limits: {budget: {request: 3}}", "limits: budget has no ['request']"),
        ("column_map: {a: id, b: id}", "column_map names ['id'] more than once"),
        ("enrich: false", "bands are those to enrich, but enrich is false"),
    ],
    ids=lambda value: value.split(":")[0],
)
def test_a_value_that_cannot_be_meant_is_told_with_its_file_line_and_attribute(
    project: Project, line: str, said: str
) -> None:
    file = project.folder / "archives/defs/demo/defs.yaml"
    file.write_text(file.read_text() + f"  {line}\n")
    told_of = "bands" if line.startswith("enrich") else line.split(":", maxsplit=1)[0]
    lines = file.read_text().splitlines()
    number = next(at for at, text in enumerate(lines, 1) if text.startswith(f"  {told_of}:"))

    checked = project.run("dagster", "definitions", "validate")

    told = checked.stdout + checked.stderr
    assert checked.returncode == 1
    assert f"defs.yaml:{number} - attributes.{told_of}" in told
    assert said in told


def test_docs_and_editors_know_what_each_attribute_means() -> None:
    schema = RecordTableCollection.model().model_json_schema()
    for described in (schema, schema["$defs"]["LimitAttributesModel"]):
        for name, attribute in described["properties"].items():
            assert attribute.get("description"), name


@pytest.mark.slow
def test_dg_finds_the_component_and_its_docs_tell_what_it_is_for(project: Project) -> None:
    listed = project.run("dg", "list", "components")
    assert listed.returncode == 0, listed.stdout + listed.stderr
    assert "rasteret_assets.RecordTableCollection" in listed.stdout
    inspected = project.run(
        "dg", "utils", "inspect-component", "rasteret_assets.RecordTableCollection"
    )
    assert inspected.returncode == 0, inspected.stdout + inspected.stderr
    assert "A Collection built from a Parquet table of scenes" in inspected.stdout
    assert "Rows to take, as CQL2 text" in inspected.stdout


def test_limits_of_a_collection_never_exceed_the_deployment_s(tmp_path: Path) -> None:
    given = {"max_concurrent": 500, "max_per_host": 4, "request_timeout_s": 90, "chunk_headers": 7}
    component = RecordTableCollection.model_validate(
        {"name": "demo", "source": "x.parquet", "limits": {**given, "budget": {"requests": 12}}}
    )
    limits = component.declared(tmp_path).limits

    fetch = limits.fetch_settings(FetchSettings(max_concurrent=100, max_per_host=100))

    assert (fetch.max_concurrent, fetch.max_per_host, fetch.request_timeout_s) == (100, 4, 90)
    assert (fetch.budget.requests, fetch.budget.ifds) == (12, 128)
    assert limits.build_settings(BuildSettings()).chunk_headers == 7
    assert CollectionLimits().fetch_settings(FetchSettings()) == FetchSettings()


def test_limits_of_a_collection_hold_in_its_runs(deployment: Deployment, archive: Archive) -> None:
    archive.server.latency_s = 0.2
    careful = replace(deployment.declared, limits=CollectionLimits(max_concurrent=2))

    assert replace(deployment, declared=careful).run(bands=BANDS).success

    assert archive.server.peak_in_flight == 2


def test_limits_of_a_collection_hold_for_looks_at_its_pixels(deployment: Deployment) -> None:
    paying = replace(deployment.declared, limits=CollectionLimits(requester_pays=True))
    settings = look_settings(paying, EnrichmentResource(max_attempts=7))
    assert settings is not None
    assert (settings.requester_pays, settings.max_attempts) == (True, 7)
    assert look_settings(paying, EnrichmentResource(look_at_pixels=False)) is None


def test_every_step_is_tried_again_where_its_worker_is_lost(deployment: Deployment) -> None:
    jobs = deployment.definitions.resolve_all_job_defs()
    ops = {op.name: op for job in jobs for op in job.graph.iterate_op_defs()}
    without = {name for name, op in ops.items() if op.retry_policy is None}
    assert "demo__raw_table" in ops
    assert without == {name for name in ops if "check" in name}


def test_a_schedule_may_take_in_the_source(deployment: Deployment) -> None:
    daily = replace(deployment.declared, update_cron="0 4 * * *")
    definitions = replace(deployment, declared=daily).definitions
    schedule = definitions.resolve_schedule_def("demo__update_schedule")
    assert schedule.job_name == "demo__update"
    assert schedule.cron_schedule == "0 4 * * *"
    with dg.build_schedule_context(deployment.instance) as context:
        (request,) = schedule.evaluate_tick(context).run_requests or ()
    assert request.tags["dagster/asset_partition_range_end"] == "B11"
