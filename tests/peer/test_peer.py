"""The peer library opens our Collections, and sees in them what we wrote."""

from collections.abc import Iterator
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
from obstore.store import HTTPStore
from rasteret.cloud import ObstoreBackend
c = rasteret.load(sys.argv[1])
box, url = tuple(json.loads(sys.argv[2])), sys.argv[3]
plain = ObstoreBackend(  # the peer's own client, plain HTTP allowed
    HTTPStore.from_url(url, client_options={"allow_http": True}), url_prefix=url
)
found = c.get_xarray(geometries=box, bands=["B04", "B08"], geometry_crs=4326, backend=plain)
print(json.dumps({
    "times": len(found.time),
    **{band: found[band].astype(int).values.tolist() for band in ("B04", "B08")},
}))
"""

LISTED = """
import json, pathlib, sys, rasteret
found = rasteret.Collection.list_collections(pathlib.Path(sys.argv[1]))
print(json.dumps([one["name"] for one in found]))
"""


@pytest.fixture
def built(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A workspace with the enriched Collection `s2` of three scenes; the server's address."""
    with RangeServer() as server:
        for number in range(3):
            for at, band in enumerate(("B04", "B08")):
                server.put(f"{number}/{band}.tif", geotiff(2 * number + at))
        table = record_table(3, lambda n, band: server.url(f"{n}/{band}.tif"))
        path = write_table(table, tmp_path / "items.parquet")
        rasteret_assets.build_from_table(
            path, "s2", enrich_cog=True, workspace_dir=tmp_path / "workspace"
        )
        yield tmp_path / "workspace", server.url()


def test_it_reads_the_same_rows(built: tuple[Path, str]) -> None:
    workspace, _ = built
    told = ask_peer(ROWS, str(workspace / "s2_records"))
    ours = rasteret_assets.load("s2", workspace_dir=workspace).dataset
    rows = ours.to_table(columns=["id", "datetime", "bbox"]).sort_by("id").to_pylist()
    assert told["name"] == "s2"
    assert told["bands"] == ["B04", "B08"]
    assert told["rows"] == [
        [row["id"], row["datetime"].isoformat(), [row["bbox"]["xmin"], row["bbox"]["ymax"]]]
        for row in rows
    ]


def test_it_lists_the_workspace(built: tuple[Path, str]) -> None:
    assert ask_peer(LISTED, str(built[0])) == ["s2"]


def test_it_reads_the_same_pixels(built: tuple[Path, str]) -> None:
    workspace, url = built
    collection = rasteret_assets.load("s2", workspace_dir=workspace)
    box = (77.583, 13.0105, 77.585, 13.0120)
    ours = collection.get_xarray(geometries=box, bands=["B04", "B08"])
    told = ask_peer(PIXELS, str(workspace / "s2_records"), str(list(box)), url)
    assert told["times"] == ours.sizes["time"] > 0
    for band in ("B04", "B08"):
        theirs = np.array(told[band]).reshape(ours[band].shape)
        # The peer clips a box like a polygon: pixels whose centre is outside are 0 there.
        inside = theirs != 0
        assert inside[..., 1:-1, 1:-1].all()
        np.testing.assert_array_equal(ours[band].values[inside], theirs[inside])
