"""The one grid that all images of a read are brought onto."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyproj
import shapely
from rasterio.features import geometry_mask
from rasterio.transform import Affine
from rasterio.warp import calculate_default_transform

from rasteret_assets.errors import ReadError
from rasteret_assets.geo.grid import Bounds, Grid, Window
from rasteret_assets.reads.areas import Area
from rasteret_assets.reads.options import ReadOptions
from rasteret_assets.reads.quiet import quiet
from rasteret_assets.reads.validity import Mask

_PIXELS_MAX: Final = 1 << 40


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Target:
    """Where results lie."""

    grid: Grid
    area: Area | None
    """In the grid's CRS, if pixels outside are left out."""
    all_touched: bool

    def inside(self, grid: Grid) -> Mask | None:
        """Return which pixels (y, x) of `grid`, a part of the own one, are of the area.

        None where all are.
        """
        if self.area is None:
            return None
        points = shapely.get_type_id(self.area.geometries).max() <= 0  # mean their pixels
        with quiet():
            found: Mask = geometry_mask(
                list(self.area.geometries),
                (grid.height, grid.width),
                Affine(*grid.transform),
                all_touched=self.all_touched or points,
                invert=True,
            )
        return None if found.all() else found


def target_of(grids: Sequence[Grid], area: Area | None, options: ReadOptions) -> Target:
    """Return the grid of a read: all of the area, in whole pixels.

    Parameters
    ----------
    grids
        Of the images to be read; at least one.
    area
        None takes all that the images cover.

    Notes
    -----
    Where all images share a grid, and neither a CRS nor a resolution is asked for, the result
    is on that grid and holds their pixels as they are. Otherwise the CRS is the one asked for,
    else the one most images have; pixels have the size asked for, else that of the finest
    image; and they begin where that image's do, or at multiples of their size.

    Raises
    ------
    ReadError
        If the area has no place in the CRS, or more pixels than anything holds, or crosses
        the antimeridian where the grid does not.
    """
    base = base_grid(grids, options)
    if area is None:
        area = _extent(grids)
    elif area.crosses and pyproj.CRS.from_user_input(base.crs).is_geographic:
        msg = "the box crosses the antimeridian, the grid is in longitudes: name a projected crs"
        raise ReadError(msg)
    placed = area.to(base.crs)
    window = base.window_of(placed.bounds)
    if window.width * window.height > _PIXELS_MAX:
        msg = f"the area takes {window.width} x {window.height} pixels; ask for less, or coarser"
        raise ReadError(msg)
    return Target(
        grid=base.cut(window),
        area=placed if placed.clips else None,
        all_touched=options.all_touched,
    )


def base_grid(grids: Sequence[Grid], options: ReadOptions) -> Grid:
    """Return a grid of the right CRS, pixel size and origin, of any extent."""
    first = grids[0]
    asked = options.crs is None and options.resolution is None
    if asked and first.is_upright and all(first.offset_of(other) for other in set(grids)):
        return first
    crs = options.crs or Counter(grid.crs for grid in grids).most_common(1)[0][0]
    native = [grid for grid in grids if grid.crs == crs]
    finest = min(native or grids, key=lambda grid: grid.resolution[0] * grid.resolution[1])
    resolution = options.resolution or (finest.resolution if native else _carried(finest, crs))
    if native and finest.is_upright and _same(resolution, finest.resolution):
        return finest
    across, down = resolution
    anchored = native and finest.is_upright
    left, top = (finest.c, finest.f) if anchored else (0.0, 0.0)
    return Grid(crs=crs, a=across, c=left, e=-down, f=top, width=1, height=1)


def _same(one: tuple[float, float], two: tuple[float, float]) -> bool:
    return bool(np.allclose(one, two, rtol=1e-9, atol=0))


def _carried(grid: Grid, crs: str) -> tuple[float, float]:
    """Return the pixel size in another CRS that keeps the detail, as GDAL suggests it."""
    transform, _, _ = calculate_default_transform(
        grid.crs, crs, grid.width, grid.height, *grid.bounds
    )
    return abs(transform.a), abs(transform.e)


def _extent(grids: Sequence[Grid]) -> Area:
    """Return the boxes around the images, in the CRS of the first."""
    crs = grids[0].crs
    boxes = []
    for grid in set(grids):
        box = np.array([shapely.box(*grid.bounds)], object)
        boxes.append(Area(crs=grid.crs, geometries=box, clips=False).to(crs).geometries)
    return Area(crs=crs, geometries=np.concatenate(boxes), clips=False)


def cover_of(grid: Grid, bounds: Bounds, crs: str) -> Window:
    """Return the pixels of `grid`, endless in all directions, that a box may touch.

    Raises
    ------
    ReadError
        If part of the box has no place in the grid's CRS.
    """
    box = np.array([shapely.box(*bounds)], object)
    return grid.window_of(Area(crs=crs, geometries=box, clips=False).to(grid.crs).bounds)
