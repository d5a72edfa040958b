"""Tables whose geometry is of Parquet's own type, as GeoParquet 2.0 has it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
import pytest
import shapely

import rasteret_assets
from tests.pipeline.conftest import Archive

UTM = pyproj.CRS("EPSG:32643")
TO_UTM = pyproj.Transformer.from_crs("OGC:CRS84", UTM, always_xy=True)

WRITE = """
import json, sys
import geoarrow.pyarrow as ga
import pyarrow as pa
import pyarrow.parquet as pq

source, target, crs, footer = sys.argv[1:]
table = pq.read_table(source)
kind = ga.wkb().with_crs(json.loads(crs))
column = pa.ExtensionArray.from_storage(kind, table["geometry"].combine_chunks())
at = table.schema.get_field_index("geometry")
table = table.set_column(at, "geometry", column)
with pq.ParquetWriter(target, table.schema, store_schema=False) as writer:
    writer.write_table(table)
    if json.loads(footer):
        writer.add_key_value_metadata(json.loads(footer))
"""
"""In a process of its own: importing that package changes how Parquet is read in this one."""

MANNERS = {
    "projjson": (UTM.to_json_dict(), {}),
    "srid": ("srid:32643", {}),
    "projjson_in_the_footer": ("projjson:there", {"there": UTM.to_json()}),
    "beside_a_geo_key_without_it": (
        UTM.to_json_dict(),
        {"geo": '{"version": "2.0.0", "columns": {"geometry": {"encoding": "WKB"}}}'},
    ),
}


def in_utm(points: np.ndarray) -> np.ndarray:
    return np.stack(TO_UTM.transform(points[:, 0], points[:, 1]), axis=1)


def bounds_of(collection: rasteret_assets.Collection) -> np.ndarray:
    geometry = collection.dataset.to_table(columns=["geometry"])["geometry"]
    return np.asarray(shapely.bounds(shapely.from_wkb(geometry.to_numpy(zero_copy_only=False))))


def written(
    archive: Archive, crs: object, footer: object, changed: Callable[..., np.ndarray] | None
) -> str:
    table = archive.table(3)
    if changed is not None:
        geometry = shapely.from_wkb(table["geometry"].to_numpy(zero_copy_only=False))
        wkb = pa.array(shapely.to_wkb(shapely.transform(geometry, changed)), pa.binary())
        table = table.set_column(table.schema.get_field_index("geometry"), "geometry", wkb)
    plain = archive.folder.parent / "plain.parquet"
    pq.write_table(table, plain)
    target = str(archive.folder / "items.parquet")
    arguments = [str(plain), target, json.dumps(crs), json.dumps(footer)]
    subprocess.run([sys.executable, "-c", WRITE, *arguments], check=True, timeout=60)
    assert pq.ParquetFile(target).schema.column(2).logical_type.type == "GEOMETRY"
    assert b"ARROW:schema" not in (pq.ParquetFile(target).metadata.metadata or {})
    return target


@pytest.mark.parametrize(("crs", "footer"), MANNERS.values(), ids=MANNERS)
def test_a_crs_that_the_type_alone_names_is_followed(
    archive: Archive, workspace: Path, crs: object, footer: object
) -> None:
    path = written(archive, crs, footer, in_utm)
    built = rasteret_assets.build_from_table(path, "s2", workspace_dir=workspace)
    geometry = shapely.from_wkb(archive.table(3)["geometry"].to_numpy(zero_copy_only=False))
    expected = np.asarray(shapely.bounds(geometry))
    np.testing.assert_allclose(bounds_of(built), expected, atol=1e-6)
    assert built.problems.num_rows == 0


def test_a_type_without_a_crs_means_longitude_and_latitude(
    archive: Archive, workspace: Path
) -> None:
    path = written(archive, None, {}, None)
    built = rasteret_assets.build_from_table(path, "s2", workspace_dir=workspace)
    geometry = shapely.from_wkb(archive.table(3)["geometry"].to_numpy(zero_copy_only=False))
    np.testing.assert_array_equal(bounds_of(built), np.asarray(shapely.bounds(geometry)))
