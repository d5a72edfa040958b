"""The peer library opens our Collections, and sees in them what we wrote."""

from pathlib import Path

import numpy as np
import pytest

import rasteret_assets
from tests.rig.http_server import RangeServer
from tests.rig.peer import ask_peer
from tests.rig.scenes import geotiff, record_table, write_table

ROWS = """
import json, sys, rasteret
c = rasteret.load(sys.argv[1])
rows = c.dataset.to_table(columns=["id", "datetime", "bbox"]).sort_by("id").to_pylist()
print(json.dumps({
    "name": c.name, "bands": sorted(c.bands), "rows": [
        [row["id"], row["datetime"].isoformat(), [row["bbox"][k] for k in ("xmin", "ymax")]]
        for row in rows
    ],
}))
"""

PIXELS = """
import json, sys, rasteret
c = rasteret.load(sys.argv[1])
box = tuple(json.loads(sys.argv[2]))
found = c.get_xarray(geometries=box, bands=["B04", "B08"], geometry_crs=4326)
print(json.dumps({
    "times": len(found.time),
    "sums": {band: [int(a.astype("int64").sum()) for a in found[band].values] for band in ("B04", "B08")},
    "shape": list(found["B04"].shape),
    "first": found["B04"].values[0].astype(int).tolist(),
}))
"""

LISTED = """
import json, sys, rasteret
print(json.dumps([one["name"] for one in rasteret.Collection.list_collections(sys.argv[1])]))
"""


@pytest.fixture
def built(tmp_path: Path) -> "Path":
    """A workspace with the enriched Collection `s2` of three scenes, on a running server."""
    with RangeServer() as server:
        for number in range(3):
            for at, band in enumerate(("B04", "B08")):
                server.put(f"{number}/{band}.tif", geotiff(2 * number + at))
        table = record_table(3, lambda n, band: server.url(f"{n}/{band}.tif"))
        path = write_table(table, tmp_path / "items.parquet")
        rasteret_assets.build_from_table(
            path, "s2", enrich_cog=True, workspace_dir=tmp_path / "workspace"
        )
        yield tmp_path / "workspace"


def test_it_reads_the_same_rows(built: Path) -> None:
    told = ask_peer(ROWS, str(built / "s2_records"))
    ours = rasteret_assets.load("s2", workspace_dir=built).dataset
    rows = ours.to_table(columns=["id", "datetime", "bbox"]).sort_by("id").to_pylist()
    assert told["name"] == "s2"
    assert told["bands"] == ["B04", "B08"]
    assert told["rows"] == [
        [row["id"], row["datetime"].isoformat(), [row["bbox"]["xmin"], row["bbox"]["ymax"]]]
        for row in rows
    ]


def test_it_lists_the_workspace(built: Path) -> None:
    assert ask_peer(LISTED, str(built)) == ["s2"]


def test_it_reads_the_same_pixels(built: Path) -> None:
    collection = rasteret_assets.load("s2", workspace_dir=built)
    box = (77.5893, 13.0042, 77.5935, 13.0080)
    ours = collection.get_xarray(geometries=box, bands=["B04", "B08"])
    told = ask_peer(PIXELS, str(built / "s2_records"), str(list(box)))
    assert told["times"] == ours.sizes["time"]
    sums = {band: ours[band].astype("int64").sum(("y", "x")).values.tolist() for band in ours}
    assert told["sums"] == sums
    assert np.count_nonzero(ours["B04"].values) > 0
