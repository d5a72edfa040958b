"""10,000 points over 100 scenes, by HTTP with 30 ms latency.

    .venv/bin/python -m benchmarks.points [--turns 5] [--gaps]

`sample_points` against rasterio in threads, the points of a file sorted by its blocks. Scenes are
as large as those of HLS: 3,660 x 3,660 pixels, tiles of 256.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.agree import check_pixels
from benchmarks.scenes import PIXEL, ZONE, Shape, write_records, write_scenes
from benchmarks.server import serving
from benchmarks.turns import ROOT, Contender, empty, report, report_traffic, take_turns
from rasteret_assets import build_from_table

WORK = ROOT / ".bench"
SCENES = 100
POINTS = 10_000
BAND = "B04"
SHAPE = Shape(side=3_660, tile=256, apart=40_000.0)
_WAYS = {
    "ours": ("points_ours", {}),
    "ours warm": ("points_ours", {"calls": "2"}),
    "sample, 16 threads": ("points_rasterio", {"way": "sample", "threads": "16"}),
    "sample, 32 threads": ("points_rasterio", {"way": "sample", "threads": "32"}),
    "sample, 64 threads": ("points_rasterio", {"way": "sample", "threads": "64"}),
    "blocks, 16 threads": ("points_rasterio", {"way": "block", "threads": "16"}),
    "blocks, 64 threads": ("points_rasterio", {"way": "block", "threads": "64"}),
}
_GAPS_KIB = (0, 16, 64, 128, 256, 512)
"""Bytes between tiles up to which `--gaps` has them fetched in one request."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--only", default=";".join(_WAYS), help="labels, ; between")
    parser.add_argument("--gaps", action="store_true", help="ours alone, by threshold")
    given = parser.parse_args()
    if given.gaps:
        measure_gaps(given.turns)
    else:
        measure(given.turns, given.only.split(";"))


def measure(turns: int, only: Sequence[str] = tuple(_WAYS)) -> None:
    """Measure the contenders named in `only`."""
    _measure(turns, {label: _WAYS[label] for label in only})


def measure_gaps(turns: int) -> None:
    """Measure ours with other thresholds for fetching neighbouring tiles together."""
    ways = {f"gaps to {kib} KiB": ("points_ours", {"gap": str(kib << 10)}) for kib in _GAPS_KIB}
    _measure(turns, ways)


def _measure(turns: int, ways: Mapping[str, tuple[str, Mapping[str, str]]]) -> None:
    """Measure scripts with their arguments, by label."""
    points = write_points(WORK / "points.parquet")
    names = write_scenes(WORK / "points", SHAPE, SCENES, [BAND], _tiles(points).__getitem__)
    with serving(WORK / "points", WORK / "nginx") as server:
        hrefs = [[f"{server.url}/{name}" for name in of_scene] for of_scene in names]
        table = write_records(WORK / "points-scenes.parquet", SHAPE, [BAND], hrefs)
        workspace = empty(WORK / "workspace" / "collection")
        collection = build_from_table(table, "points", enrich_cog=True, workspace_dir=workspace)
        arguments = {
            "collection": collection.path,
            "points": str(WORK / "points.parquet"),
            "epsg": str(ZONE),
            "hrefs": " ".join(href for (href,) in hrefs),
        }
        contenders = [
            Contender(label=label, script=script, arguments={**arguments, **more})
            for label, (script, more) in ways.items()
        ]
        results = take_turns(contenders, turns, WORK / "workspace", server)
    check_pixels(results)
    counted = {label: [turn.of(POINTS) for turn in of] for label, of in results.items()}
    report(f"{POINTS:,} points over {SCENES} scenes, {turns} turns", counted, "points")
    report_traffic({label: of for label, of in counted.items() if not label.endswith("warm")})


def write_points(path: Path) -> pa.Table:
    """Write the points, in no order: x, y, and the number of the scene each lies in."""
    rng = np.random.default_rng(1)
    scenes = rng.integers(0, SCENES, POINTS)
    corners = np.array([SHAPE.corner(scene) for scene in range(SCENES)])[scenes]
    within = rng.uniform(0, SHAPE.side * PIXEL, (2, POINTS))
    x, y = corners[:, 0] + within[0], corners[:, 1] - within[1]
    table = pa.table({"x": x, "y": y, "scene": scenes})
    pq.write_table(table, path)
    return table


def _tiles(points: pa.Table) -> list[list[int]]:
    """Return, for each scene, the numbers of the tiles that points lie in."""
    x, y, scenes = (points[name].to_numpy() for name in ("x", "y", "scene"))
    corners = np.array([SHAPE.corner(scene) for scene in range(SCENES)])[scenes]
    length = SHAPE.tile * PIXEL
    cols, rows = (x - corners[:, 0]) // length, (corners[:, 1] - y) // length
    tiles = (rows * SHAPE.tiles_across + cols).astype(int)
    return [np.unique(tiles[scenes == scene]).tolist() for scene in range(SCENES)]


if __name__ == "__main__":
    main()
