"""What a read brings into a process: no orchestrator, and no library that it has no use for."""

import json
import subprocess
import sys
from pathlib import Path

from tests.rig.scenes import geotiff, record_table, write_table

_PROGRAM = """
import json, sys
import pyarrow as pa
import rasteret_assets

table, workspace = sys.argv[1:]
built = rasteret_assets.build_from_table(table, "c", enrich_cog=True, workspace_dir=workspace)
found = rasteret_assets.load("c", workspace_dir=workspace)
box = (77.583, 13.0105, 77.585, 13.0120)
cube = found.get_xarray(box, ["B04", "B08"])
points = found.sample_points(pa.table({"lon": [77.584], "lat": [13.011]}), ["B04"])
read = [cube.B04.size > 0, points["B04"].null_count == 0]
print(json.dumps([read, sorted({name.partition(".")[0] for name in sys.modules})]))
"""


def test_reading_imports_neither_dagster_nor_optional_libraries(tmp_path: Path) -> None:
    for number in range(2):
        for at, band in enumerate(("B04", "B08")):
            (tmp_path / f"{number}-{band}.tif").write_bytes(geotiff(2 * number + at))
    table = record_table(2, lambda number, band: str(tmp_path / f"{number}-{band}.tif"))
    path = write_table(table, tmp_path / "items.parquet")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _PROGRAM, str(path), str(tmp_path / "workspace")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    read, modules = json.loads(done.stdout)
    assert read == [True, True]
    assert {"dagster", "dask", "geopandas", "torch", "matplotlib"}.isdisjoint(modules)
