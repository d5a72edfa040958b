"""Pixels of many records on one grid: planned, read, and what comes of it."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from rasteret_assets.errors import ReadError
from rasteret_assets.reads.areas import Area
from rasteret_assets.reads.cube import BandPixels, Cube
from rasteret_assets.reads.driver import Images, read_records
from rasteret_assets.reads.layers import Layers
from rasteret_assets.reads.options import ReadOptions
from rasteret_assets.reads.plan import Plan, plan_of
from rasteret_assets.reads.transfer import Access
from rasteret_assets.reads.windows import Windows


def read_cube(
    table: pa.Table,
    bands: Sequence[str],
    area: Area | None,
    options: ReadOptions,
    access: Access,
) -> Cube:
    """Return pixels of `bands` over `area`, of all rows of `table` that meet it.

    Raises
    ------
    ReadError
        If nothing meets the area, or the result would be larger than the options allow.
    FetchError, TiffError
        If a file cannot be read, unless the options say to skip its record.
    """
    plan, selection = plan_of(table, bands, area, options)
    _check_size(plan)
    grid = plan.target.grid
    windows = Windows(plan, grid)
    failed = read_records(plan.records, windows, options, access)
    kept = [index for index in range(len(plan.records)) if index not in failed]
    if not kept:
        first = next(iter(failed.values()))
        msg = f"all {len(failed)} records were skipped; the first: {first.detail}"
        raise ReadError(msg)
    times = np.unique(plan.slots[kept]).tolist()
    windows.finish(kept, times, plan.target.inside(grid))
    return Cube(
        grid=grid,
        times=plan.times[times],
        ids=tuple(plan.records[index].id for index in kept),
        bands=tuple(
            _band(name, layers, tuple(windows.images[index][at] for index in kept))
            for at, (name, layers) in enumerate(zip(bands, windows.layers, strict=True))
        ),
        skipped=(*selection.skipped, *failed.values()),
        lacking=selection.lacking,
    )


def _check_size(plan: Plan) -> None:
    grid, limit = plan.target.grid, plan.options.max_bytes
    size = plan.size_bytes((grid.height, grid.width))
    if size > limit:
        msg = (
            f"the result takes {size / 2**30:,.1f} GiB ({plan.layers} images of "
            f"{len(plan.bands)} bands, {grid.width} x {grid.height} pixels), the limit is "
            f"{limit / 2**30:,.1f} GiB: read it piece by piece with get_xarray(chunks={{}}), ask "
            "for a smaller area, a coarser resolution or fewer records, or raise max_bytes"
        )
        raise ReadError(msg)


def _band(name: str, layers: Layers, images: Images) -> BandPixels:
    return BandPixels(
        name=name,
        values=layers.values,
        valid=layers.valid,
        fill=layers.fill,
        filled=layers.filled,
        images=images,
    )
