"""GDAL through rasterio, a file opened in each of 64 threads."""

from concurrent.futures import ThreadPoolExecutor

import rasterio

from benchmarks.contenders.clock import Given, timed
from benchmarks.contenders.hrefs import hrefs_of

# What its users set for reading COGs: no folder listings, no side files.
_OPTIONS = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".tif",
    "GDAL_HTTP_MULTIPLEX": "YES",
    "VSI_CACHE": "FALSE",
}


def header(href: str) -> tuple[object, ...]:
    """Return what GDAL says of a file's layout and place."""
    with rasterio.Env(**_OPTIONS), rasterio.open(f"/vsicurl/{href}") as file:
        return file.width, file.height, file.block_shapes, file.transform, file.crs


def read(given: Given) -> int:
    """Open every file and return how many there were."""
    with ThreadPoolExecutor(int(given.get("threads", "64"))) as pool:
        return sum(1 for _ in pool.map(header, hrefs_of(given["table"])))


if __name__ == "__main__":
    timed(read)
