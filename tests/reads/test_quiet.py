"""Warnings while several threads warp: none of rasterio's own arrays, and the filters as before."""

import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from rasterio.errors import NotGeoreferencedWarning

from rasteret_assets.geo.grid import Grid
from rasteret_assets.reads.quiet import quiet
from rasteret_assets.reads.resample import resample

FINE = Grid(crs="EPSG:32632", a=5, c=0, e=-5, f=0, width=80, height=60)
COARSE = Grid(crs="EPSG:32632", a=10, c=0, e=-10, f=0, width=40, height=30)


def test_threads_that_warp_do_not_warn_and_leave_no_filter() -> None:
    values = np.ones((60, 80), np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = list(warnings.filters)
        with ThreadPoolExecutor(8) as threads:
            made = threads.map(
                lambda _: resample(values, None, FINE, COARSE, "average")[0].sum(), range(400)
            )
            assert set(made) == {40 * 30}
        assert list(warnings.filters) == before


def test_a_filter_of_the_callers_stays() -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("always", category=NotGeoreferencedWarning)
        before = list(warnings.filters)
        with quiet(), quiet():
            assert list(warnings.filters) != before
        assert list(warnings.filters) == before
