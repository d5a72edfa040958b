"""Rows brought together from where they lie, in memory or on disk."""

from pathlib import Path

import duckdb
import numpy as np
import pytest

import rasteret_assets
from rasteret_assets import BuildSettings
from tests.pipeline.conftest import Archive

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
