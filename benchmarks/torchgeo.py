"""Patches per second: `to_torchgeo_dataset` against TorchGeo's RasterDataset, same files.

    .venv/bin/python -m benchmarks.torchgeo [--turns 3] [--patches 256] [--workers 0,2]

Random patches of 256 pixels and two bands, in batches of 16, from local files and over HTTP with
30 ms latency; the latter without workers, since GDAL's connections do not survive a fork. Both run
in .venv-torchgeo, which is made if need be, and must come to the same pixels. "warm" is a second
epoch over the same patches.
"""

import argparse
import subprocess
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import from_origin

from benchmarks.server import serving
from benchmarks.turns import ROOT, Contender, Turn, empty, report, take_turns
from rasteret_assets import build_from_table
from tests.rig.scenes import record_table, write_table

WORK = ROOT / ".bench"
BANDS = ("B04", "B08")
SCENES = 16
SIDE, TILE, PIXEL = 2_048, 512, 10
_FIRST = date(2024, 1, 1)
_GDAL = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".tif",
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
    "GDAL_HTTP_MULTIPLEX": "YES",
}
"""What its users set for reading COGs. Its caches stay as they are, decoded blocks included."""
_CALLS = {"": "1", " warm": "2"}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--patches", type=int, default=256)
    parser.add_argument("--workers", default="0,2")
    given = parser.parse_args()
    for workers in given.workers.split(","):
        measure(given.patches, given.turns, int(workers))


def measure(patches: int, turns: int, workers: int) -> None:
    """Measure both with so many workers, from local files and, without workers, over HTTP."""
    folder = WORK / "patches"
    write_files(folder)
    with serving(folder, WORK / "nginx") as server:
        places = [("local files", f"{folder}", f"{folder}")]
        if not workers:
            places.append(("HTTP, 30 ms", server.url, f"/vsicurl/{server.url}"))
        for what, base, opened in places:
            results = take_turns(
                _contenders(base, opened, patches, workers), turns, WORK / "workspace", server
            )
            _check(results)
            counted = {label: [turn.of(patches) for turn in of] for label, of in results.items()}
            title = f"{patches} patches, {what}, {workers} workers, median of {turns}"
            report(title, counted, "patches")


def _contenders(base: str, opened: str, patches: int, workers: int) -> list[Contender]:
    table = record_table(SCENES, lambda scene, band: f"{base}/{name_of(scene, band)}", BANDS)
    workspace = empty(WORK / "workspace" / "collection")
    source = write_table(table, workspace / "items.parquet")
    collection = build_from_table(source, "patches", enrich_cog=True, workspace_dir=workspace)
    arguments = {
        "collection": str(collection.path),
        "files": " ".join(f"{opened}/{name_of(scene, BANDS[0])}" for scene in range(SCENES)),
        "bands": ",".join(BANDS),
        "side": "256",
        "batch": "16",
        "seed": "1",
        "patches": str(patches),
        "workers": str(workers),
    }
    python = torchgeo_python()
    environment = {
        **_GDAL,
        "PYTHONPATH": str(ROOT / "tests" / "torchgeo" / "beside_cpu_torch"),
    }
    return [
        Contender(
            label=f"{label}{kind}",
            script=script,
            arguments={**arguments, "calls": calls},
            python=python,
            environment=environment,
        )
        for kind, calls in _CALLS.items()
        for label, script in (("ours", "patches_ours"), ("RasterDataset", "patches_torchgeo"))
    ]


def torchgeo_python() -> Path:
    """Return the interpreter that has TorchGeo, its environment made if need be."""
    subprocess.run(["make", "-s", ".venv-torchgeo/.installed"], cwd=ROOT, check=True)
    return ROOT / ".venv-torchgeo" / "bin" / "python"


def _check(results: Mapping[str, list[Turn]]) -> None:
    found = {label: {turn.count for turn in of} for label, of in results.items()}
    if len(set().union(*found.values())) > 1:
        msg = f"contenders disagree on the pixels: {found}"
        raise SystemExit(msg)


def name_of(scene: int, band: str) -> str:
    """Return the file of a scene's band."""
    return f"{band}_{_FIRST + timedelta(days=scene):%Y%m%d}.tif"


def write_files(folder: Path) -> None:
    """Write scenes side by side, as GDAL does; those there are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (scene, band) in enumerate((s, b) for s in range(SCENES) for b in BANDS):
        if (path := folder / name_of(scene, band)).exists():
            continue
        draft = path.with_suffix(".draft")
        with rasterio.open(
            draft,
            "w",
            driver="GTiff",
            width=SIDE,
            height=SIDE,
            count=1,
            dtype="uint16",
            crs="EPSG:32601",
            transform=from_origin(300_000 + scene * SIDE * PIXEL, 1_500_000, PIXEL, PIXEL),
            tiled=True,
            blockxsize=TILE,
            blockysize=TILE,
            compress="deflate",
            predictor=2,
        ) as file:
            file.write(picture(number), 1)
        draft.rename(path)


def picture(seed: int) -> NDArray[np.uint16]:
    """Return fields of one brightness each, with noise on them."""
    rng = np.random.default_rng(seed)
    fields = np.kron(rng.integers(500, 4_000, (64, 64)), np.ones((SIDE // 64, SIDE // 64)))
    pixels: NDArray[np.uint16] = (fields + rng.normal(0, 12, fields.shape)).astype(np.uint16)
    return pixels


if __name__ == "__main__":
    main()
