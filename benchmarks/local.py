"""A whole image of 4,096 x 4,096 pixels from local disk.

    .venv/bin/python -m benchmarks.local [--turns 9]

`get_numpy` against rasterio, which reads in one thread, or decodes in several (NUM_THREADS).
Each in a first call, which opens the Collection or the file, and in a later one ("warm").
"""

import argparse

from benchmarks.agree import check_pixels
from benchmarks.scenes import Shape, write_records, write_scenes
from benchmarks.turns import ROOT, Contender, empty, report, take_turns
from rasteret_assets import build_from_table

WORK = ROOT / ".bench"
SHAPE = Shape(side=4_096, tile=512)
_WAYS = {
    "ours": ("local_ours", {}),
    "rasterio": ("local_rasterio", {}),
    "rasterio, all cores": ("local_rasterio", {"threads": "ALL_CPUS"}),
}
_CALLS = {"": "1", " warm": "2"}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=9)
    measure(parser.parse_args().turns)


def measure(turns: int) -> None:
    """Measure all of them."""
    folder = WORK / "local"
    every = list(range(SHAPE.tiles_across**2))
    names = write_scenes(folder, SHAPE, 1, ["B04"], lambda _: every)
    file = str(folder / names[0][0])
    table = write_records(WORK / "local.parquet", SHAPE, ["B04"], [[file]])
    workspace = empty(WORK / "workspace" / "collection")
    collection = build_from_table(table, "local", enrich_cog=True, workspace_dir=workspace)
    contenders = [
        Contender(
            label=f"{label}{kind}",
            script=script,
            arguments={"collection": collection.path, "file": file, "calls": calls, **more},
        )
        for kind, calls in _CALLS.items()
        for label, (script, more) in _WAYS.items()
    ]
    results = take_turns(contenders, turns, WORK / "workspace", None)
    check_pixels(results)
    megapixels = SHAPE.side**2 // 10**6
    counted = {label: [turn.of(megapixels) for turn in of] for label, of in results.items()}
    report(f"{SHAPE.side} x {SHAPE.side} pixels from disk, {turns} turns", counted, "Mpixel")


if __name__ == "__main__":
    main()
