"""rasterio: pixels at points, those of a file together, sorted by its blocks, files in threads."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from benchmarks.contenders.areas_gdal import OPTIONS
from benchmarks.contenders.clock import Given, measured
from benchmarks.contenders.pixels import checksum

Numbers = NDArray[Any]


def by_sample(file: Any, x: Numbers, y: Numbers) -> Numbers:  # noqa: ANN401  # rasterio's, untyped
    """Return values at points by the dataset's own `sample`, a block after the other."""
    order = np.lexsort(_blocks(file, x, y)[2:])
    values = np.empty(len(x), np.uint16)
    found = file.sample(np.column_stack([x, y])[order].tolist(), indexes=1)
    values[order] = np.fromiter((value[0] for value in found), np.uint16, len(x))
    return values


def by_block(file: Any, x: Numbers, y: Numbers) -> Numbers:  # noqa: ANN401  # as above
    """Return values at points; each block is read once, and its pixels are picked."""
    rows, cols, block_cols, block_rows = _blocks(file, x, y)
    height, width = file.block_shapes[0]
    values = np.empty(len(x), np.uint16)
    for row, col in set(zip(block_rows.tolist(), block_cols.tolist(), strict=True)):
        here = (block_rows == row) & (block_cols == col)
        block = file.read(1, window=Window(col * width, row * height, width, height))
        values[here] = block[rows[here] - row * height, cols[here] - col * width]
    return values


def _blocks(file: Any, x: Numbers, y: Numbers) -> tuple[Numbers, Numbers, Numbers, Numbers]:  # noqa: ANN401  # as above
    inverse = ~file.transform
    cols, rows = (np.floor(each).astype(int) for each in inverse * (x, y))
    height, width = file.block_shapes[0]
    return rows, cols, cols // width, rows // height


_WAYS = {"sample": by_sample, "block": by_block}


def sample(given: Given) -> Numbers:
    """Return the value at each point."""
    table = pq.read_table(given["points"])
    x, y, scenes = (table[name].to_numpy() for name in ("x", "y", "scene"))
    hrefs, way = given["hrefs"].split(), _WAYS[given["way"]]
    values = np.empty(len(x), np.uint16)

    def one(scene: int) -> None:
        here = np.flatnonzero(scenes == scene)
        with rasterio.Env(**OPTIONS), rasterio.open(f"/vsicurl/{hrefs[scene]}") as file:
            values[here] = way(file, x[here], y[here])

    with ThreadPoolExecutor(int(given["threads"])) as pool:
        list(pool.map(one, range(len(hrefs))))
    return values


if __name__ == "__main__":
    measured(sample, checksum)
