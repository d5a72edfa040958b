"""rasteret-assets: a whole image from disk, by `get_numpy`."""

from typing import Any

from numpy.typing import NDArray

from benchmarks.contenders.clock import Given, measured
from benchmarks.contenders.pixels import checksum
from rasteret_assets import load


def read(given: Given) -> NDArray[Any]:
    """Open the Collection and return all pixels of its one record."""
    return load(given["collection"]).get_numpy(bands=["B04"])[0, 0]


if __name__ == "__main__":
    measured(read, checksum)
