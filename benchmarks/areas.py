"""One area of 30 scenes over HTTP with 30 ms latency: 300 x 300 pixels across four tiles.

    .venv/bin/python -m benchmarks.areas [--turns 5] [--bands B04,B08] [--only ours,floor]

`get_xarray` of ours and of rasteret on the same Collection; GDAL in threads; and the floor:
fetching the same tiles and inflating them. Each as the first call of a process, and as a later
one ("warm"). All but the floor must come to the same pixels.
"""

import argparse
import json
import sys
from pathlib import Path

from benchmarks.agree import check_pixels
from benchmarks.peer import peer_python
from benchmarks.scenes import CORNER, PIXEL, ZONE, Shape, write_records, write_scenes
from benchmarks.server import Server, serving
from benchmarks.turns import ROOT, Contender, empty, report, report_traffic, take_turns
from rasteret_assets import build_from_table, load

WORK = ROOT / ".bench"
SCENES = 30
SHAPE = Shape(side=10_980, tile=1_024)
SIDE = 300
"""Pixels of the area's sides."""
_AT = (4, 5)
"""Row and column of the upper left one of its four tiles."""
_INSET = 0.25
"""Pixels by which the box stays within its outer pixels, so that all agree on which they are."""
_GDAL_THREADS = 16
_CALLS = {"": "1", " warm": "2"}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--bands", default="B04,B08")
    parser.add_argument("--only", default="ours,rasteret,GDAL,floor")
    given = parser.parse_args()
    measure(given.bands.split(","), given.turns, given.only.split(","))


def measure(bands: list[str], turns: int, only: list[str]) -> None:
    """Measure the contenders named in `only`, first and warm calls."""
    names = write_scenes(WORK / "areas", SHAPE, SCENES, ("B04", "B08"), lambda _: tiles())
    with serving(WORK / "areas", WORK / "nginx") as server:
        hrefs = [[f"{server.url}/{name}" for name in of_scene[: len(bands)]] for of_scene in names]
        collection = build(hrefs, bands)
        known = _contenders(server, hrefs, collection, bands)
        wanted = [one for one in known if one.label.removesuffix(" warm") in only]
        results = take_turns(wanted, turns, WORK / "workspace", server)
    check_pixels({label: of for label, of in results.items() if not label.startswith("floor")})
    windows = SCENES * len(bands)
    counted = {label: [turn.of(windows) for turn in of] for label, of in results.items()}
    report(f"{SCENES} scenes x {len(bands)} bands, {turns} turns", counted, "windows")
    report_traffic({label: of for label, of in counted.items() if not label.endswith("warm")})


def tiles() -> list[int]:
    """Return the numbers of the four tiles."""
    row, column = _AT
    return [
        (row + down) * SHAPE.tiles_across + column + across for down in (0, 1) for across in (0, 1)
    ]


def box() -> tuple[float, float, float, float]:
    """Return the area: left, bottom, right, top, its middle where the tiles meet."""
    row, column = _AT
    x = CORNER[0] + (column + 1) * SHAPE.tile * PIXEL
    y = CORNER[1] - (row + 1) * SHAPE.tile * PIXEL
    reach = (SIDE / 2 - _INSET) * PIXEL
    return x - reach, y - reach, x + reach, y + reach


def build(hrefs: list[list[str]], bands: list[str]) -> Path:
    """Return the folder of the Collection of the scenes."""
    table = write_records(WORK / "areas.parquet", SHAPE, bands, hrefs)
    workspace = empty(WORK / "workspace" / "collection")
    found = build_from_table(table, "areas", enrich_cog=True, workspace_dir=workspace)
    return Path(found.path)


def _contenders(
    server: Server, hrefs: list[list[str]], collection: Path, bands: list[str]
) -> list[Contender]:
    arguments = {
        "collection": str(collection),
        "bands": ",".join(bands),
        "box": ",".join(map(str, box())),
        "epsg": str(ZONE),
        "url": server.url,
        "threads": str(_GDAL_THREADS),
        "hrefs": " ".join(href for of_scene in hrefs for href in of_scene),
        "requests": json.dumps(requests_of(collection, bands)),
        "room": str(SHAPE.tile**2 * 2),
    }
    scripts = {
        "ours": "areas_ours",
        "rasteret": "areas_rasteret",
        "GDAL": "areas_gdal",
        "floor": "areas_floor",
    }
    return [
        Contender(
            label=f"{label}{kind}",
            script=script,
            arguments={**arguments, "calls": calls},
            python=peer_python() if label == "rasteret" else Path(sys.executable),
        )
        for kind, calls in _CALLS.items()
        for label, script in scripts.items()
    ]


def requests_of(collection: Path, bands: list[str]) -> list[tuple[str, list[tuple[int, int]]]]:
    """Return what is to be fetched: of each file, the tiles of each of the two rows."""
    rows = load(collection).dataset.to_table(columns=[f"{band}_metadata" for band in bands])
    found = []
    for header in (row for name in rows.column_names for row in rows[name].to_pylist()):
        spans = [
            (
                header["tile_offsets"][at],
                header["tile_offsets"][at] + header["tile_byte_counts"][at],
            )
            for at in tiles()
        ]
        found += [(header["href"], spans[:2]), (header["href"], spans[2:])]
    return found


if __name__ == "__main__":
    main()
