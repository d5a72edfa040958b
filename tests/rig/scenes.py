"""Small archives for tests: GeoTIFFs of known pixels, and the table that lists them."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from rasterio.io import MemoryFile
from rasterio.transform import from_origin

FIRST_DAY = datetime(2024, 1, 15, 5, 30, tzinfo=UTC)
DAYS_APART = 20
GEOTIFF = "image/tiff; application=geotiff; profile=cloud-optimized"


def pixels(seed: int, *, side: int = 96) -> np.ndarray:
    """Return the uint16 array (y, x) that scene `seed` holds."""
    return np.random.default_rng(seed).integers(1, 4000, (side, side), dtype=np.uint16)


def geotiff(seed: int, *, side: int = 96, epsg: int = 32643) -> bytes:
    """Return a tiled, deflated GeoTIFF of `pixels(seed)`, as GDAL writes it."""
    profile = {
        "driver": "GTiff",
        "width": side,
        "height": side,
        "count": 1,
        "dtype": "uint16",
        "crs": f"EPSG:{epsg}",
        "transform": from_origin(780_000, 1_440_000, 10, 10),
        "tiled": True,
        "blockxsize": 32,
        "blockysize": 32,
        "compress": "deflate",
        "predictor": 2,
        "nodata": 0,
    }
    with MemoryFile() as memory:
        with memory.open(**profile) as raster:
            raster.write(pixels(seed, side=side), 1)
        return bytes(memory.read())


def record_table(
    rows: int,
    href: Callable[[int, str], str | None],
    bands: Sequence[str] = ("B04", "B08"),
    *,
    start: int = 0,
    columns: Mapping[str, pa.Array] | None = None,
) -> pa.Table:
    """Return `rows` records from number `start` on, as STAC GeoParquet has them.

    Each is `scene-000`, `scene-001` … with a footprint of its own and twenty days between.
    """
    numbers = range(start, start + rows)
    boxes = shapely.box(
        [77.5 + 0.01 * (n % 10) for n in numbers],
        [13.0 + 0.01 * (n % 7) for n in numbers],
        [77.6 + 0.01 * (n % 10) for n in numbers],
        [13.1 + 0.01 * (n % 7) for n in numbers],
    )
    assets = [
        {band: _asset(href(n, band)) for band in bands}
        | {"thumbnail": {"href": f"https://nowhere.invalid/{n}.png", "type": "image/png"}}
        for n in numbers
    ]
    kind = pa.struct([("href", pa.string()), ("type", pa.string())])
    made = {
        "id": pa.array([f"scene-{n:03}" for n in numbers]),
        "datetime": pa.array(
            [FIRST_DAY + timedelta(days=DAYS_APART * n) for n in numbers],
            pa.timestamp("us", tz="UTC"),
        ),
        "geometry": pa.array(shapely.to_wkb(boxes), pa.binary()),
        "assets": pa.array(assets, pa.struct([(name, kind) for name in [*bands, "thumbnail"]])),
        "eo:cloud_cover": pa.array([float((7 * n) % 100) for n in numbers]),
        "collection": pa.array(["sentinel-2-l2a"] * rows),
    }
    return pa.table({**made, **(columns or {})})


def write_table(table: pa.Table, path: Path) -> str:
    """Write `table` to `path` and return it as text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)
    return str(path)


def read_with_gdal(data: bytes) -> np.ndarray:
    """Return the first band of the GeoTIFF `data` as GDAL reads it.

    From memory: over HTTP, GDAL would hold the interpreter that has to answer it.
    """
    with MemoryFile(data) as memory, memory.open() as raster:
        return np.asarray(raster.read(1))


def _asset(href: str | None) -> dict[str, str] | None:
    return None if href is None else {"href": href, "type": GEOTIFF}
