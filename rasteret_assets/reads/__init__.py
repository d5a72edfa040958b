"""Pixels of indexed records: which tiles, their bytes, and arrays made of them."""

from rasteret_assets.reads.areas import AreaLike, area_of
from rasteret_assets.reads.arrays import get_numpy, get_xarray
from rasteret_assets.reads.geometry_columns import ArrowStream
from rasteret_assets.reads.options import Chunks, PointArguments, ReadArguments, ZoneArguments
from rasteret_assets.reads.point_tables import GeoTable, points_of
from rasteret_assets.reads.points import sample_points
from rasteret_assets.reads.transfer import Access

__all__ = [
    "Access",
    "AreaLike",
    "ArrowStream",
    "Chunks",
    "GeoTable",
    "PointArguments",
    "ReadArguments",
    "ZoneArguments",
    "area_of",
    "get_numpy",
    "get_xarray",
    "points_of",
    "sample_points",
]
