"""Pixels of indexed records: which tiles, their bytes, and arrays made of them."""

from rasteret_assets.reads.areas import AreaLike, lonlat_bounds
from rasteret_assets.reads.arrays import get_numpy, get_xarray
from rasteret_assets.reads.options import ReadArguments
from rasteret_assets.reads.points import sample_points
from rasteret_assets.reads.transfer import Access

__all__ = [
    "Access",
    "AreaLike",
    "ReadArguments",
    "get_numpy",
    "get_xarray",
    "lonlat_bounds",
    "sample_points",
]
