"""A small archive of cloud-optimised GeoTIFFs, with its STAC GeoParquet table.

    python -m examples.demo_archive FOLDER

16 scenes: two places in two UTM zones, two overlapping tiles each, four dates. Each scene has
B04 and B08 (10 m), B11 (20 m), a three-sample `visual.tif` that the assets red, green and blue
share, a thumbnail and a metadata file. One B08 is in the table but not in the archive, as
happens. What is written is the same each time.
"""

import argparse
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from PIL import Image

from examples.demo_landscape import Field, Landscape, landscape, reflectance
from examples.demo_table import Scene, write_table

TABLE = "items.parquet"
TILE_PIXELS = 1024
STRIDE_PIXELS = 976
"""Tiles of one place overlap by 48 pixels, 480 m."""
DATES = ("2024-01-09", "2024-03-04", "2024-04-08", "2024-06-22")
CLOUDS = (0.0, 0.08, 0.0, 0.35)
MISSING = ("bengaluru-e-20240408", "B08")
"""In the table, but not on the server."""
CUT = "bengaluru-w-20240304"
"""Only partly within the satellite's swath: its south-west corner has no data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a pair of tiles lies."""

    name: str
    epsg: int
    west: float
    """Easting of the western tile's left edge, in metres."""
    north: float
    """Northing of both tiles' top edge, in metres."""
    coast: bool


PLACES = (
    Place(name="bengaluru", epsg=32643, west=768_000, north=1_449_000, coast=False),
    Place(name="chennai", epsg=32644, west=404_000, north=1_449_000, coast=True),
)


def generate(folder: Path) -> Path:
    """Write the archive into `folder` unless it is there already, and return its table's path."""
    table = folder / TABLE
    if table.exists():  # written last, so nothing is lacking
        return table
    folder.mkdir(parents=True, exist_ok=True)
    scenes: list[Scene] = []
    for number, place in enumerate(PLACES):
        shape = (TILE_PIXELS, TILE_PIXELS + STRIDE_PIXELS)
        ground = landscape(number + 1, shape, coast=place.coast)
        with ThreadPoolExecutor() as pool:  # GDAL compresses without holding Python's lock
            pairs = pool.map(partial(_write_visit, folder, place, ground), range(len(DATES)))
            scenes.extend(chain.from_iterable(pairs))
    write_table(table, scenes)
    return table


def _write_visit(folder: Path, place: Place, ground: Landscape, visit: int) -> list[Scene]:
    """Write what one overflight saw of `place`."""
    at = datetime.fromisoformat(f"{DATES[visit]}T05:21:{10 + visit}").replace(tzinfo=UTC)
    seed = place.epsg * 100 + visit
    seen = reflectance(ground, at.timetuple().tm_yday, CLOUDS[visit], seed)
    scenes = []
    for tile, start in (("w", 0), ("e", STRIDE_PIXELS)):
        scene = Scene(
            name=f"{place.name}-{tile}-{at:%Y%m%d}",
            at=at,
            cloud_cover=CLOUDS[visit] * 100,
            epsg=place.epsg,
            transform=(10, 0, place.west + start * 10, 0, -10, place.north),
            shape=(TILE_PIXELS, TILE_PIXELS),
        )
        pixels = {band: field[:, start : start + TILE_PIXELS] for band, field in seen.items()}
        _write_scene(folder / scene.name, scene, pixels)
        scenes.append(scene)
    return scenes


def _write_scene(folder: Path, scene: Scene, seen: dict[str, Field]) -> None:
    folder.mkdir(exist_ok=True)
    valid = _swath(scene.name)
    counts = {
        "B04": np.where(valid, seen["red"] * 10_000, 0).astype(np.uint16),
        "B08": np.where(valid, seen["nir"] * 10_000, 0).astype(np.uint16),
        "B11": (_halved(seen["swir"]) * valid[::2, ::2] * 10_000).astype(np.uint16),
    }
    _, _, west, _, _, north = scene.transform
    fine, coarse = Affine(10, 0, west, 0, -10, north), Affine(20, 0, west, 0, -20, north)
    for band, values in counts.items():
        if (scene.name, band) != MISSING:
            grid = coarse if band == "B11" else fine
            _write_cog(folder / f"{band}.tif", values[None], scene.epsg, grid)
    visual = np.stack([_as_byte(seen[band], valid) for band in ("red", "green", "blue")])
    _write_cog(folder / "visual.tif", visual, scene.epsg, fine)
    thumbnail = Image.fromarray(np.ascontiguousarray(visual[:, ::8, ::8].transpose(1, 2, 0)))
    thumbnail.save(folder / "thumbnail.png")
    about = {"id": scene.name, "sensing_time": scene.at.isoformat()}
    (folder / "metadata.json").write_text(json.dumps(about, indent=2) + "\n")


def _swath(name: str) -> NDArray[np.bool_]:
    """Return where the satellite looked: everywhere, but for one scene."""
    rows, columns = np.indices((TILE_PIXELS, TILE_PIXELS))
    return np.ones(rows.shape, bool) if name != CUT else columns > 1.6 * (rows - 640)


def _halved(field: Field) -> Field:
    quarters = field[::2, ::2] + field[1::2, ::2] + field[::2, 1::2] + field[1::2, 1::2]
    return (quarters / 4).astype(np.float32)


def _as_byte(field: Field, valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return reflectances 0 to 0.3 as 1 to 255; 0 is kept for no data."""
    return np.where(valid, np.clip(field / 0.3 * 254 + 1, 1, 255), 0).astype(np.uint8)


def _write_cog(
    path: Path, values: NDArray[np.uint16] | NDArray[np.uint8], epsg: int, transform: Affine
) -> None:
    """Write `values`, (band, y, x), with 0 as nodata."""
    with rasterio.open(
        path,
        "w",
        driver="COG",
        count=len(values),
        height=values.shape[1],
        width=values.shape[2],
        dtype=values.dtype,
        crs=f"EPSG:{epsg}",
        transform=transform,
        nodata=0,
        blocksize=256,
        compress="deflate",
        level=1,  # the demo is made on the spot: fast before small
        predictor="standard",
        overview_resampling="average",
    ) as dataset:
        dataset.write(values)


def main() -> None:
    """Generate the archive in the folder named on the command line."""
    parser = argparse.ArgumentParser(description="Write the demo archive.")
    parser.add_argument("folder", type=Path)
    print(generate(parser.parse_args().folder))


if __name__ == "__main__":
    main()
