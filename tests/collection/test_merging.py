from pathlib import Path

import pyarrow as pa
import pytest

import rasteret_assets
from rasteret_assets import Collection, as_collection, merge
from rasteret_assets.errors import ConfigError
from tests.collection.conftest import SCENES, reading_since_last_asked
from tests.rig.scenes import write_table

BOX = (77.583, 13.0105, 77.585, 13.0120)


def ids(collection: Collection) -> list[str]:
    return sorted(collection.dataset.to_table(columns=["id"])["id"].to_pylist())


def test_two_views_give_the_rows_of_both(world: Collection, enriched: Collection) -> None:
    west, clear = world.subset(bbox=(-180, -90, -90, 90)), enriched.subset(cloud_cover_lt=20)
    both = merge(west, clear)
    assert ids(both) == sorted(ids(west) + ids(clear))
    assert both.name == "world + s2"
    assert both.bands == enriched.bands
    assert ids(both.where("merged_from = 's2'")) == ids(clear)


def test_pixels_are_read_through_it(world: Collection, enriched: Collection) -> None:
    both = merge(enriched, world)
    assert (both.get_numpy(BOX) == enriched.get_numpy(BOX)).all()


def test_a_view_of_it_reads_only_what_it_needs(world: Collection, enriched: Collection) -> None:
    both = merge(world, enriched)
    reading_since_last_asked()
    assert ids(both.where("merged_from = 's2'")) == ids(enriched)
    assert reading_since_last_asked().size_bytes == 0
    both.subset(date_range=("2024-03-01", "2024-03-31")).dataset.to_table()
    assert reading_since_last_asked().files == {"month=3"}


def test_first_rows_rows_in_memory_and_chosen_bands_take_part(
    world: Collection, enriched: Collection
) -> None:
    few, rows = world.head(3), as_collection(pa.table(enriched), name="rows")
    one_band = enriched.subset(bands=["B04"])
    merged = merge(few, rows, one_band)
    assert ids(merged) == sorted(ids(few) + 2 * ids(enriched))
    named = merged.dataset.to_table(columns=["merged_from", "B08_metadata"])
    assert named["B08_metadata"].null_count == 3 + SCENES
    assert set(named["merged_from"].to_pylist()) == {"world", "rows", "s2"}


def test_merged_ones_merge_again(world: Collection, enriched: Collection) -> None:
    once = merge(world.head(5), enriched, name="once")
    twice = merge(once, enriched)
    assert ids(twice) == sorted(ids(once) + ids(enriched))
    assert ids(twice.where("merged_from = 'once'")) == ids(once)


def test_the_same_name_twice_is_told_apart(enriched: Collection) -> None:
    found = merge(enriched, enriched).dataset.to_table(columns=["merged_from"])
    assert set(found["merged_from"].to_pylist()) == {"s2", "s2 (2)"}


def test_a_column_that_differs_gets_the_wider_type(
    archive_table: pa.Table, enriched: Collection, tmp_path: Path
) -> None:
    at = archive_table.schema.get_field_index("eo:cloud_cover")
    whole = archive_table["eo:cloud_cover"].cast(pa.int16())
    table = archive_table.set_column(at, "eo:cloud_cover", whole)
    path = write_table(
        table.append_column("more", pa.array(["x"] * SCENES)), tmp_path / "a.parquet"
    )
    other = rasteret_assets.build_from_table(path, "other", workspace_dir=tmp_path)
    found = merge(other, enriched).dataset.to_table(columns=["eo:cloud_cover", "more"])
    assert found.schema.field("eo:cloud_cover").type == pa.float64()
    assert sorted(found["eo:cloud_cover"].to_pylist()) == sorted(2 * whole.to_pylist())
    assert found["more"].null_count == SCENES


def test_nothing_to_merge_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least one"):
        merge()


def test_a_column_nested_here_and_text_there_is_refused(enriched: Collection) -> None:
    table = pa.table(enriched).drop_columns(["assets"])
    text = as_collection(table.append_column("assets", pa.array(["{}"] * SCENES)))
    with pytest.raises(ConfigError, match="column assets is struct"):
        merge(enriched, text)
