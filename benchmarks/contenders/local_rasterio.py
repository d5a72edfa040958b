"""rasterio: a whole image from disk, in one thread or as many as there are cores."""

from typing import Any

import rasterio
from numpy.typing import NDArray

from benchmarks.contenders.clock import Given, measured
from benchmarks.contenders.pixels import checksum


def read(given: Given) -> NDArray[Any]:
    """Open the file and return all its pixels."""
    options = {"num_threads": given["threads"]} if "threads" in given else {}
    with rasterio.open(given["file"], **options) as file:
        pixels: NDArray[Any] = file.read(1)
        return pixels


if __name__ == "__main__":
    measured(read, checksum)
