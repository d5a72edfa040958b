from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest
import yaml  # type: ignore[import-untyped]  # the stubs are a package of their own

from rasteret_assets.assets import RecordTableCollection, build_collection_defs
from rasteret_assets.assets.scaffold import TEMPLATE
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
def test_an_unknown_attribute_is_pointed_at(project: Project) -> None:
    file = project.folder / "archives/defs/demo/defs.yaml"
    file.write_text(file.read_text() + "  band: [B04]\n")

    checked = project.run("dg", "check", "yaml")

    assert checked.returncode == 1
    assert "defs.yaml" in checked.stdout + checked.stderr
    assert "'band' was unexpected" in checked.stdout + checked.stderr


@pytest.mark.slow
def test_a_filter_that_cannot_be_read_fails_the_load_and_is_shown(project: Project) -> None:
    file = project.folder / "archives/defs/demo/defs.yaml"
    file.write_text(file.read_text() + '  filter: "cloud <"\n')

    checked = project.run("dagster", "definitions", "validate")

    assert checked.returncode == 1
    assert "cloud <" in checked.stdout + checked.stderr
    assert "ConfigError" in checked.stdout + checked.stderr
