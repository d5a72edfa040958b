"""Scenes with pixels where a benchmark reads, and holes elsewhere.

Pixels are like those of images: neighbours are alike, and noise keeps deflate to about two thirds
of their bytes. Files are as GDAL's COG driver lays them out (see `files`), so that tiles below
each other are as far apart as in a full file.
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
import shapely
from numpy.typing import NDArray

from benchmarks.files import Template, template, write_file

ZONE = 32_601
CORNER = (300_000.0, 1_500_000.0)
PIXEL = 10.0
_SMOOTH = 3.0
"""Steepness of the spectrum: of fields and coasts, more or less."""
_NOISE = 12.0
_DAY = np.timedelta64(86_400_000_000, "us")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How large scenes are, and where they lie."""

    side: int
    tile: int
    apart: float = 0.0
    """Metres from one to the next; 0 puts all in one place."""

    @property
    def tiles_across(self) -> int:
        """Columns of tiles."""
        return -(-self.side // self.tile)

    def corner(self, scene: int) -> tuple[float, float]:
        """Return easting and northing of a scene's upper left corner."""
        across, down = scene % 4, scene // 4
        return CORNER[0] + across * self.apart, CORNER[1] + down * self.apart


def texture(side: int, seed: int) -> NDArray[np.float64]:
    """Return a picture (y, x) that has detail at every scale, and repeats beyond its edges."""
    rng = np.random.default_rng(seed)
    steps = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :])
    steps[0, 0] = np.inf
    phases = np.exp(2j * np.pi * rng.random(steps.shape))
    picture: NDArray[np.float64] = np.fft.irfft2(phases * steps ** (-_SMOOTH / 2), (side, side))
    return picture / picture.std()


def encoded(pixels: NDArray[np.uint16]) -> bytes:
    """Return a tile as it is stored: predictor 2, deflate."""
    return zlib.compress(imagecodecs.delta_encode(pixels, axis=1).tobytes(), 6)


def write_scenes(
    folder: Path,
    shape: Shape,
    scenes: int,
    bands: Sequence[str],
    tiles_of: Callable[[int], Sequence[int]],
) -> list[list[str]]:
    """Write files `{scene}-{band}.tif`, and return their names by scene; those there are kept.

    Parameters
    ----------
    tiles_of
        Numbers of the tiles that hold pixels, by scene.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = [[f"{scene}-{band}.tif" for band in bands] for scene in range(scenes)]
    done = folder / f"{scenes}-{len(bands)}.written"
    if not done.exists():
        form = template(folder, side=shape.side, tile=shape.tile)
        ground = texture(shape.tile, 0)
        for scene, of_scene in enumerate(names):
            for band, name in enumerate(of_scene):
                seed = scene * len(bands) + band
                _write(folder / name, form, shape, scene, (seed, ground, tiles_of(scene)))
        done.touch()
    return names


def _write(
    path: Path,
    form: Template,
    shape: Shape,
    scene: int,
    what: tuple[int, NDArray[np.float64], Sequence[int]],
) -> None:
    seed, ground, tiles = what
    rng = np.random.default_rng(seed)
    stored = {}
    for tile in tiles:
        moved = np.roll(ground, rng.integers(0, shape.tile, 2), axis=(0, 1))
        pixels = 3_000 + 600 * moved + rng.normal(0, _NOISE, ground.shape)
        stored[tile] = encoded(np.clip(pixels, 1, 20_000).astype(np.uint16))
    write_file(path, form, seed, corner=shape.corner(scene), zone=ZONE, stored=stored)


def write_records(
    path: Path, shape: Shape, bands: Sequence[str], hrefs: Sequence[Sequence[str]]
) -> Path:
    """Write the record table of scenes, a day apart, whose files are at `hrefs`."""
    to_lonlat = pyproj.Transformer.from_crs(ZONE, 4326, always_xy=True)
    length = shape.side * PIXEL
    left, top = np.array([shape.corner(scene) for scene in range(len(hrefs))]).T
    boxes = shapely.box(left, top - length, left + length, top)
    boxes = shapely.segmentize(boxes, length / 8)
    x, y = shapely.get_coordinates(boxes).T
    outlines = shapely.set_coordinates(boxes, np.column_stack(to_lonlat.transform(x, y)))
    edges = [pa.array(edge) for edge in shapely.bounds(outlines).T.copy()]
    columns = zip(*hrefs, strict=True)
    assets = {band: _asset(of_band) for band, of_band in zip(bands, columns, strict=True)}
    times = np.datetime64("2024-01-01", "us") + np.arange(len(hrefs)) * _DAY
    table = pa.table(
        {
            "id": [f"scene-{scene:04}" for scene in range(len(hrefs))],
            "datetime": pa.array(times).cast(pa.timestamp("us", tz="UTC")),
            "geometry": pa.array(shapely.to_wkb(outlines), pa.binary()),
            "bbox": pa.StructArray.from_arrays(edges, ["xmin", "ymin", "xmax", "ymax"]),
            "assets": pa.StructArray.from_arrays(list(assets.values()), list(assets)),
            "proj:epsg": pa.array([ZONE] * len(hrefs), pa.int32()),
        }
    )
    pq.write_table(table, path)
    return path


def _asset(hrefs: Sequence[str]) -> pa.StructArray:
    kind = pa.repeat("image/tiff; application=geotiff", len(hrefs))
    return pa.StructArray.from_arrays([pa.array(hrefs), kind], ["href", "type"])
