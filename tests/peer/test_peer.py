"""The peer library opens our Collections, and sees in them what we wrote."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import rasteret_assets
from examples.demo_archive import generate
from examples.serve import serving
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
box, url, bands = tuple(json.loads(sys.argv[2])), sys.argv[3], sys.argv[4:]
plain = ObstoreBackend(  # the peer's own client, plain HTTP allowed
    HTTPStore.from_url(url, client_options={"allow_http": True}), url_prefix=url
)
found = c.get_xarray(geometries=box, bands=bands, geometry_crs=4326, backend=plain)
print(json.dumps({
    "times": [str(time)[:19] for time in found.time.values],
    **{band: found[band].astype(int).values.tolist() for band in bands},
}))
"""

Box = tuple[float, float, float, float]

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


def assert_same_pixels(
    workspace: Path, name: str, url: str, box: Box, bands: tuple[str, ...]
) -> None:
    ours = rasteret_assets.load(name, workspace_dir=workspace).get_xarray(
        geometries=box, bands=list(bands)
    )
    told = ask_peer(PIXELS, str(workspace / f"{name}_records"), json.dumps(box), url, *bands)
    assert told["times"] == [str(time)[:19] for time in ours.time.values]
    assert told["times"]
    for band in bands:
        theirs = np.array(told[band]).reshape(ours[band].shape)
        # The peer clips a box like a polygon: pixels whose centre is outside are 0 there.
        inside = theirs != 0
        assert inside[..., 2:-2, 2:-2].all()
        np.testing.assert_array_equal(ours[band].values[inside], theirs[inside])


def test_it_reads_the_same_pixels(built: tuple[Path, str]) -> None:
    workspace, url = built
    assert_same_pixels(workspace, "s2", url, (77.583, 13.0105, 77.585, 13.0120), ("B04", "B08"))


def test_it_reads_the_same_pixels_of_the_demo_archive(tmp_path: Path) -> None:
    archive = generate(tmp_path / "archive").parent
    with serving(archive) as url:
        rasteret_assets.build_from_table(
            f"{url}/items.parquet", "demo", enrich_cog=True, workspace_dir=tmp_path
        )
        box = (77.55, 13.05, 77.56, 13.06)
        assert_same_pixels(tmp_path, "demo", url, box, ("B04", "B08"))
