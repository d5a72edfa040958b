"""Record tables of any length, as STAC GeoParquet writes them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import shapely

_AT_ONCE = 100_000
_START = np.datetime64("2021-01-01", "us")
_COG = "image/tiff; application=geotiff; profile=cloud-optimized"
BANDS = ("B04", "B08")


def write_table(
    path: Path, rows: int, url: str, files: Sequence[str], *, first: int = 0, shared: bool = False
) -> Path:
    """Write `rows` records over three years, each band of each at a URL of its own.

    The records are numbered from `first`. If `shared`, a band's URLs are those of `files`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = None
    for start in range(first, first + rows, _AT_ONCE):
        part = _part(start, min(start + _AT_ONCE, first + rows), url, files, shared=shared)
        writer = writer or pq.ParquetWriter(path, part.schema, compression="zstd")
        writer.write_table(part, row_group_size=50_000)
    if writer is not None:
        writer.close()
    return path


def _part(start: int, stop: int, url: str, files: Sequence[str], *, shared: bool) -> pa.Table:
    rng = np.random.default_rng(start)
    many = stop - start
    numbers = pa.array(np.arange(start, stop)).cast(pa.string())
    west, south = rng.uniform(-179, 178, many), rng.uniform(-70, 70, many)
    east, north = west + 1, south + 1
    outlines = shapely.box(west, south, east, north)
    box = {"xmin": west, "ymin": south, "xmax": east, "ymax": north}
    times = _START + rng.integers(0, 3 * 365 * 86_400, many).astype("timedelta64[s]")
    own = pa.repeat("shared", many) if shared else numbers
    assets = {
        band: _asset(own, np.arange(start, stop) * len(BANDS) + shift, url, band, files)
        for shift, band in enumerate(BANDS)
    }
    return pa.table(
        {
            "id": pc.binary_join_element_wise("scene", numbers, "-"),
            "collection": pa.repeat("scenes", many),
            "datetime": pa.array(times).cast(pa.timestamp("us", tz="UTC")),
            "geometry": pa.array(shapely.to_wkb(outlines), pa.binary()),
            "bbox": pa.StructArray.from_arrays(
                [pa.array(edge) for edge in box.values()], list(box)
            ),
            "assets": pa.StructArray.from_arrays(list(assets.values()), list(assets)),
            "eo:cloud_cover": pa.array(rng.uniform(0, 100, many).round(1)),
        }
    )


def _asset(
    own: pa.Array, places: np.ndarray, url: str, band: str, files: Sequence[str]
) -> pa.StructArray:
    names = pa.array(files).take(pa.array(places % len(files)))
    hrefs = pc.binary_join_element_wise(f"{url}/u", own, band, names, "/")
    return pa.StructArray.from_arrays([hrefs, pa.repeat(_COG, len(hrefs))], ["href", "type"])
