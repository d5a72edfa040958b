"""Pixels of indexed records: which tiles, their bytes, and arrays made of them."""

from rasteret_assets.reads.areas import AreaLike, ArrowStream, area_of
from rasteret_assets.reads.arrays import get_numpy, get_xarray
from rasteret_assets.reads.options import Chunks, PointArguments, ReadArguments, ZoneArguments
from rasteret_assets.reads.points import points_area, sample_points
from rasteret_assets.reads.transfer import Access

__all__ = [
    "Access",
    "AreaLike",
    "ArrowStream",
    "Chunks",
    "PointArguments",
    "ReadArguments",
    "ZoneArguments",
    "area_of",
    "get_numpy",
    "get_xarray",
    "points_area",
    "sample_points",
]
