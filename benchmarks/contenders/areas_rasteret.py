"""rasteret: one area of all scenes, by its own `get_xarray`. Runs in an environment of its own."""

import logging
from typing import Any

import numpy as np
import rasteret
from numpy.typing import NDArray

from benchmarks.contenders.clock import Given, measured
from benchmarks.contenders.pixels import box_of, checksum
from benchmarks.contenders.rasteret_peer import plain_http


def read(given: Given) -> NDArray[Any]:
    """Open the Collection and return pixels (time, band, y, x)."""
    bands = given["bands"].split(",")
    found = rasteret.load(given["collection"]).get_xarray(
        box_of(given["box"]),
        bands,
        geometry_crs=int(given["epsg"]),
        backend=plain_http(given["url"]),
        progress=False,
    )
    return np.stack([found[band].values for band in bands], axis=1)


if __name__ == "__main__":
    logging.disable(logging.INFO)
    measured(read, checksum)
