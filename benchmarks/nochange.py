"""Re-materializing a collection whose source has not changed, Dagster's start-up included.

    .venv/bin/python -m benchmarks.nochange [--rows 1000000] [--files 100] [--turns 3] [--keep]

The first run builds it: two bands, whose records share a few small files, so that fetching is
quick. `--keep` measures what an earlier call has built.
"""

import argparse
import shutil
import statistics
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

from benchmarks.dagster_runs import DagsterRun, Deployment
from benchmarks.server import serving
from benchmarks.table import write_table
from benchmarks.turns import ROOT

WORK = ROOT / ".bench"
_FILES = 16
_SIDE = 64


def main() -> None:
    """Build, do it again with nothing changed, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--keep", action="store_true")
    given = parser.parse_args()
    measure(given.rows, given.files, given.turns, keep=given.keep)


def measure(rows: int, files: int, turns: int, *, keep: bool = False) -> None:
    """Measure `turns` runs with nothing changed, over `rows` rows in `files` source files."""
    source, folder = WORK / "nochange-source", WORK / "nochange"
    deployment = Deployment(folder=folder) if keep else built(source, folder, rows, files)
    runs = [deployment.materialize() for _ in range(turns)]
    report(f"{rows:,} rows in {files} files, nothing changed, {turns} runs", runs)


def built(source: Path, folder: Path, rows: int, files: int) -> Deployment:
    """Return a deployment whose collection is current."""
    names = _small_files(WORK / "nochange-files")
    with serving(WORK / "nochange-files", WORK / "nginx", latency_s=0) as server:
        shutil.rmtree(source, ignore_errors=True)
        for number in range(files):
            table, some = source / f"{number:05}.parquet", rows // files
            write_table(table, some, server.url, names, first=number * some, shared=True)
        deployment = Deployment.new(source, folder)
        report("the first run", [deployment.materialize()])
    return deployment


def _small_files(folder: Path) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{number}.tif" for number in range(_FILES)]
    for number, name in enumerate(names):
        with rasterio.open(
            folder / name,
            "w",
            driver="GTiff",
            width=_SIDE,
            height=_SIDE,
            count=1,
            dtype="uint16",
            crs="EPSG:32633",
            transform=Affine(10, 0, 300_000 + 640 * number, 0, -10, 1_500_000),
            tiled=True,
            blockxsize=16,
            blockysize=16,
        ) as raster:
            raster.write(np.full((_SIDE, _SIDE), number, np.uint16), 1)
    return names


def report(title: str, runs: list[DagsterRun]) -> None:
    """Print the median of the runs, in all and step by step."""
    print(f"\n{title}")
    print(f"{'in all':40}{statistics.median(run.seconds for run in runs):9.2f} s")
    print(f"{'CPU time':40}{statistics.median(run.cpu for run in runs):9.2f} s")
    for step in runs[-1].steps:
        print(f"  {step:38}{statistics.median(run.steps[step] for run in runs):9.2f} s")
    rest = statistics.median(run.outside_steps for run in runs)
    print(f"  {'start-up, and between steps':38}{rest:9.2f} s", flush=True)


if __name__ == "__main__":
    main()
