"""From an archive to pictures in a minute: what `make demo` runs.

Makes a small archive, serves it on this machine, lets Dagster build its Collection (table checked,
headers fetched, months written), opens that from plain Python, and draws what it reads.
"""

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import shapely
import xarray as xr

import rasteret_assets
from examples.demo_archive import generate
from examples.home import ARCHIVE, DEMO, ROOT, environment, served_archive, workspace
from rasteret_assets.collection import Collection
from rasteret_assets.collection.pictures import footprint_map
from rasteret_assets.collection.quicklooks import quicklook

AREA = (77.55, 13.01, 77.58, 13.08)
SEEN = (77.49, 13.01, 77.64, 13.08)
"""What the pictures show."""
BANDS = "B04...blue"
"""The demo's partitions, first to last."""
PICTURES = {
    "true-colour": ("red", "green", "blue"),
    "near-infrared": ("B08", "B04", "green"),
}
NEXT = """
next
  make demo     again: nothing is fetched twice
  make ui       the same in Dagster's UI: assets, bands, problems, sensors; serves the archive, too
  meanwhile, from .venv/bin/python:

    import rasteret_assets
    collection = rasteret_assets.load({path!r})
    collection.problems.to_pandas()
    collection.get_xarray({area}, ["B04", "B08"])
"""


def main() -> int:
    """Run the demo; return 0 if all of it worked."""
    start = time.monotonic()
    generate(ARCHIVE)
    files = sum(1 for _ in ARCHIVE.rglob("*.tif"))
    say(start, f"archive   {files} GeoTIFFs in {shown(ARCHIVE)}")
    with served_archive() as url:
        say(start, f"server    {url}")
        if (code := materialize(url)) != 0:
            return code
        collection = rasteret_assets.load("demo", workspace_dir=workspace())
        say(start, f"Dagster   group 'demo' materialized; log in {shown(DEMO / 'dagster.log')}")
        print(f"\n{collection.describe()}\n")
        tell_problems(collection)
        for path in draw(collection):
            say(start, f"picture   {shown(path)}")
    print(NEXT.format(path=shown(Path(collection.path)), area=AREA))
    return 0


def materialize(url: str) -> int:
    """Let Dagster build all bands of the demo in one run; return its exit code."""
    command = [
        *(sys.executable, "-m", "dagster", "asset", "materialize", "-f", "definitions.py"),
        *("--select", "group:demo", "--partition-range", BANDS),
    ]
    log = DEMO / "dagster.log"
    with log.open("w") as out:
        done = subprocess.run(
            command, cwd=ROOT, env=environment(url), stdout=out, stderr=out, check=False
        )
    if done.returncode:
        print("\n".join(log.read_text().splitlines()[-30:]), file=sys.stderr)
        print(f"Dagster's run failed; all of its log: {shown(log)}", file=sys.stderr)
    return done.returncode


def tell_problems(collection: Collection) -> None:
    """Print how many problems there are of each kind, and one of each."""
    rows = collection.problems.to_pylist()
    for code, count in Counter(row["code"] for row in rows).items():
        one = next(row for row in rows if row["code"] == code)
        print(f"  {count} x {code}: for one, {one['id']} {one['band']}: {one['detail']}")


def draw(collection: Collection) -> list[Path]:
    """Write a map of the footprints and pictures of an area; return their paths."""
    column = collection.dataset.to_table(columns=["geometry"])["geometry"]
    footprints = shapely.from_wkb(column.to_numpy())
    written = {"footprints": footprint_map(footprints, title="demo: records per place")}
    clear = collection.subset(bbox=SEEN, date_range=("2024-01-01", "2024-01-31"))
    for name, bands in PICTURES.items():
        # Two scenes of one day meet in the area; the first that has a pixel gives it.
        pixels = clear.get_xarray(geometries=SEEN, bands=list(bands), mosaic="first", masks=True)
        written[name] = picture(pixels, bands, f"demo: {name}, January 2024")
    paths = []
    for name, png in written.items():
        path = DEMO / f"{name}.png"
        path.write_bytes(png)
        paths.append(path)
    return paths


def picture(pixels: xr.Dataset, bands: tuple[str, ...], title: str) -> bytes:
    """Return a picture of three bands of the first moment in `pixels`."""
    first = pixels.isel(time=0)
    return quicklook(
        np.stack([first[band].to_numpy() for band in bands]),
        np.stack([first[f"{band}_mask"].to_numpy() for band in bands]),
        title=title,
        bands=bands,
        together=bands == PICTURES["true-colour"],
        metres_per_pixel=float(first.x[1] - first.x[0]),
    )


def say(start: float, line: str) -> None:
    """Print a line with the seconds since `start`."""
    print(f"{time.monotonic() - start:6.1f} s  {line}", flush=True)


def shown(path: Path) -> str:
    """Return a path as seen from the checkout, where it lies within."""
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


if __name__ == "__main__":
    sys.exit(main())
