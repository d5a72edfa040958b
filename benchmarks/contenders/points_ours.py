"""rasteret-assets: pixels at points, by `sample_points`."""

from typing import Any

import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.contenders.clock import Given, measured
from benchmarks.contenders.pixels import checksum
from rasteret_assets import load
from rasteret_assets.reads import tiles


def sample(given: Given) -> NDArray[Any]:
    """Open the Collection and return the value at each point."""
    if "gap" in given:
        setattr(tiles, "GAP_BYTES", int(given["gap"]))  # noqa: B010  # a constant but for this
    points = pq.read_table(given["points"], columns=["x", "y"])
    found = load(given["collection"]).sample_points(
        points, ["B04"], geometry_crs=int(given["epsg"])
    )
    values: NDArray[Any] = found["B04"].to_numpy()
    return values


if __name__ == "__main__":
    measured(sample, checksum)
