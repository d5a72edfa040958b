"""Where the images of many records lie, as boxes in one CRS: whole columns at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyproj
import shapely
from numpy.typing import NDArray

from rasteret_assets.errors import ReadError
from rasteret_assets.geo.grid import Grid
from rasteret_assets.reads.areas import Area
from rasteret_assets.reads.headers import BandHeaders
from rasteret_assets.reads.options import ReadOptions
from rasteret_assets.reads.target import base_grid

Boxes = NDArray[np.float64]
"""(record, 4): left, bottom, right, top; nan where a record has no image."""

_HALF_WORLD: Final = 180.0
_SHORT, _FULL = 4, 6
"""Numbers of a transform: scale and origin in x, then in y; or a, b, c, d, e, f."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Images:
    """Places of one band's images, a row per record."""

    affine: NDArray[np.float64]
    """(record, 6): a, b, c, d, e, f; nan where there is no image with a place."""
    size: NDArray[np.int64]
    """(record, 2): width, height in pixels; 0 where there is none."""
    crs: NDArray[np.object_]
    """Names; None where there is no image with a place."""

    @property
    def crs_names(self) -> set[str]:
        """All of them."""
        return set(self.crs[self.there].tolist())

    @property
    def there(self) -> NDArray[np.bool_]:
        """Which records have one."""
        return ~np.isnan(self.affine[:, 0])


def images_of_band(headers: BandHeaders, crs: Sequence[str | None]) -> Images:
    """Return the places of a band's images; `crs` is that of records whose headers say none."""
    affine = affine_of(headers.fields["transform"])
    names = pc.coalesce(headers.fields["crs"], pa.array(crs, pa.string()))
    affine[~np.asarray(pc.is_valid(names), bool)] = np.nan
    named = np.array(names.to_numpy(zero_copy_only=False), object)
    named[np.isnan(affine[:, 0])] = None
    size = [
        pc.fill_null(headers.fields[name], 0).to_numpy(zero_copy_only=False)
        for name in ("image_width", "image_height")
    ]
    return Images(affine=affine, size=np.stack(size, axis=1).astype(np.int64), crs=named)


def affine_of(transforms: pa.ListArray) -> NDArray[np.float64]:
    """Return a, b, c, d, e, f (x = a col + b row + c) of each image; nan where it has none."""
    lengths = pc.fill_null(pc.list_value_length(transforms), 0).to_numpy(zero_copy_only=False)
    values = pc.list_flatten(transforms).to_numpy(zero_copy_only=False)
    starts = np.cumsum(lengths) - lengths
    found = np.full((len(lengths), _FULL), np.nan)
    found[lengths == _SHORT] = 0
    short, full = starts[lengths == _SHORT], starts[lengths == _FULL]
    found[np.ix_(lengths == _SHORT, [0, 2, 4, 5])] = values[short[:, None] + np.arange(_SHORT)]
    found[lengths == _FULL] = values[full[:, None] + np.arange(_FULL)]
    return found


def common_grid(bands: Sequence[Images], options: ReadOptions) -> Grid:
    """Return a grid with the CRS and pixel size that a read of all images would have.

    Raises
    ------
    ReadError
        If there is no image.
    """
    affine = np.concatenate([band.affine[band.there] for band in bands])
    size = np.concatenate([band.size[band.there] for band in bands])
    crs = np.concatenate([band.crs[band.there] for band in bands]).astype(str)
    if not len(crs):
        msg = "no record has an image of the bands that says where it lies"
        raise ReadError(msg)
    names, which, counts = np.unique(crs, return_inverse=True, return_counts=True)
    kinds = np.column_stack([which, affine[:, [0, 1, 3, 4]], size])
    _, first = np.unique(kinds, axis=0, return_index=True)  # a handful, however many images
    grids = []
    for at in first.tolist():
        a, b, c, d, e, f = affine[at].tolist()
        width, height = size[at].tolist()
        name = str(crs[at])
        grids.append(Grid(crs=name, a=a, b=b, c=c, d=d, e=e, f=f, width=width, height=height))
    wanted = options.crs or str(names[counts.argmax()])
    named = as_named(wanted, names.tolist())
    return base_grid(grids, ReadOptions(crs=named, resolution=options.resolution))


def as_named(wanted: str, names: Sequence[str]) -> str:
    """Return a CRS by the name that images give it, if some are in it."""
    asked = pyproj.CRS.from_user_input(wanted)
    for name in names:
        if name == wanted or pyproj.CRS.from_user_input(name).equals(asked):
            return name
    return wanted


def boxes_in(bands: Sequence[Images], crs: str) -> Boxes:
    """Return for each record the box that all of its images fill, in one CRS.

    Raises
    ------
    ReadError
        If an image has no place in the CRS.
    """
    boxes = np.stack([_boxes(band, crs) for band in bands])
    missing = np.isnan(boxes)
    low = np.where(missing, -np.inf, boxes)[:, :, :2].max(axis=0)
    high = np.where(missing, np.inf, boxes)[:, :, 2:].min(axis=0)
    both = np.concatenate([low, high], axis=1)
    both[missing.all(axis=0) | (low >= high).any(axis=1, keepdims=True)] = np.nan
    return both


def _boxes(images: Images, crs: str) -> Boxes:
    corners = _corners(images)
    found = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    for name in sorted(images.crs_names):
        if name == crs:
            continue
        chosen = np.flatnonzero(images.crs == name)
        outlines = np.asarray(shapely.polygons(corners[chosen]), object)
        area = Area(crs=name, geometries=outlines, clips=False)
        found[chosen] = shapely.bounds(area.to(crs).geometries)
        wide = found[chosen, 2] - found[chosen, 0] > _HALF_WORLD
        if wide.any() and pyproj.CRS.from_user_input(crs).is_geographic:
            msg = (
                f"{int(wide.sum())} images in {name[:80]} reach across the antimeridian, where "
                "longitudes have no box: name a projected crs"
            )
            raise ReadError(msg)
    return found


def _corners(images: Images) -> NDArray[np.float64]:
    """Return the four corners (x, y) of each image."""
    width, height = images.size[:, :1], images.size[:, 1:]
    cols, rows = width * np.array([0, 1, 1, 0]), height * np.array([0, 0, 1, 1])
    a, b, c, d, e, f = images.affine.T[:, :, None]
    return np.stack([a * cols + b * rows + c, d * cols + e * rows + f], axis=2)
