"""Rows brought together from where they lie, in memory or on disk."""

from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import shapely

import rasteret_assets
from rasteret_assets import BuildSettings
from rasteret_assets.geo.hilbert import hilbert
from tests.pipeline.conftest import Archive
from tests.rig.scenes import FIRST_DAY

ROWS = 60
COLUMNS = 'id, datetime, geometry::BLOB AS g, "eo:cloud_cover", assets.B04.href AS href'

LITTLE_AT_A_TIME = {"batch_rows": 10, "file_bytes": 8_000}
"""A month's rows then lie in several runs, apart from each other, and a file holds some rows of
several."""


@pytest.mark.parametrize(
    "held",
    [pytest.param(64 << 20, id="records_at_hand"), pytest.param(2_000, id="records_read_again")],
)
def test_rows_of_a_month_that_lie_apart_come_out_as_duckdb_reads_them_from_the_source(
    archive: Archive, workspace: Path, held: int
) -> None:
    table = archive.table(ROWS).take(np.random.default_rng(5).permutation(ROWS))
    path = archive.write(table)
    built = rasteret_assets.build_from_table(
        path,
        "s2",
        workspace_dir=workspace,
        settings=BuildSettings(batch_bytes=held, **LITTLE_AT_A_TIME),
    )
    files = built.dataset.files
    assert 2 < len(files) < ROWS
    source = duckdb.execute(f"SELECT {COLUMNS} FROM read_parquet('{path}') ORDER BY id").fetchall()
    ours = duckdb.execute(f"SELECT {COLUMNS} FROM read_parquet({files}) ORDER BY id").fetchall()
    assert ours == source
    for file in files:
        found = duckdb.execute(
            "SELECT DISTINCT strftime(datetime AT TIME ZONE 'UTC', 'year=%Y/month=%-m') "
            f"FROM read_parquet('{file}')"
        ).fetchall()
        assert [month for (month,) in found if month not in file] == []


@pytest.mark.parametrize("batch_bytes", [2_000, 64 << 20])
def test_rows_of_a_month_stand_along_the_curve_whatever_files_they_come_from(
    archive: Archive, workspace: Path, batch_bytes: int
) -> None:
    rng = np.random.default_rng(7)
    lon, lat = rng.uniform(-170, 170, ROWS), rng.uniform(-80, 80, ROWS)
    archive.add(ROWS)
    boxes = shapely.to_wkb(shapely.box(lon - 0.1, lat - 0.1, lon + 0.1, lat + 0.1))
    table = archive.table(ROWS)
    for name, values in {
        "geometry": pa.array(boxes, pa.binary()),
        "datetime": pa.array([FIRST_DAY] * ROWS, pa.timestamp("us", tz="UTC")),
    }.items():
        table = table.set_column(table.schema.get_field_index(name), name, values)
    for part in range(3):
        archive.write(table.take(np.arange(part, ROWS, 3)), f"{part}.parquet")

    built = rasteret_assets.build_from_table(
        str(archive.folder),
        "s2",
        enrich_cog=True,
        band_codes=["B04"],
        workspace_dir=workspace,
        settings=BuildSettings(batch_bytes=batch_bytes),
    )

    rows = built.dataset.to_table()
    ids = table["id"].to_pylist()
    assert rows["id"].to_pylist() == [ids[at] for at in np.argsort(hilbert(lon, lat))]
    hrefs = [archive.href(ids.index(one), "B04") for one in rows["id"].to_pylist()]
    assert pc.struct_field(rows["B04_metadata"], "href").to_pylist() == hrefs
