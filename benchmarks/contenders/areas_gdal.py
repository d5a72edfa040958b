"""GDAL through rasterio: one window of every file, a file opened in each of some threads."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import from_bounds

from benchmarks.contenders.clock import Given, measured
from benchmarks.contenders.pixels import box_of, checksum

OPTIONS = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".tif",
    "GDAL_HTTP_MULTIPLEX": "YES",
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
    "GDAL_INGESTED_BYTES_AT_OPEN": "32768",
    "GDAL_HTTP_MAX_CACHED_CONNECTIONS": "1000",
    # a second call asks the server again, as the others do; connections stay
    "CPL_VSIL_CURL_NON_CACHED": "/vsicurl/http://127.0.0.1",
}
"""What its users set for reading COGs: no folder listings, the header in one request."""


def read(given: Given) -> NDArray[Any]:
    """Read every file's window and return pixels (time, band, y, x)."""
    box, bands = box_of(given["box"]), given["bands"].split(",")

    def one(href: str) -> NDArray[Any]:
        with rasterio.Env(**OPTIONS), rasterio.open(f"/vsicurl/{href}") as file:
            window = from_bounds(*box, file.transform).round_offsets(op="floor")
            pixels: NDArray[Any] = file.read(1, window=window.round_lengths(op="ceil"))
            return pixels

    with ThreadPoolExecutor(int(given["threads"])) as pool:
        found = list(pool.map(one, given["hrefs"].split()))
    return np.stack(found).reshape(-1, len(bands), *found[0].shape)


if __name__ == "__main__":
    measured(read, checksum)
