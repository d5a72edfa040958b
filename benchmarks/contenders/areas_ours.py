"""rasteret-assets: one area of all scenes, by `get_xarray`."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.contenders.clock import Given, measured
from benchmarks.contenders.pixels import box_of, checksum
from rasteret_assets import load


def read(given: Given) -> NDArray[Any]:
    """Open the Collection and return pixels (time, band, y, x)."""
    bands = given["bands"].split(",")
    found = load(given["collection"]).get_xarray(
        box_of(given["box"]), bands, geometry_crs=int(given["epsg"])
    )
    return np.stack([found[band].values for band in bands], axis=1)


if __name__ == "__main__":
    measured(read, checksum)
