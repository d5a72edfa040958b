"""One image of one record: which level and window of it, read and brought onto the grid."""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rasteret_assets.errors import ReadError
from rasteret_assets.geo.grid import Grid, Window
from rasteret_assets.reads.control_points import ControlPoints
from rasteret_assets.reads.headers import BandImage
from rasteret_assets.reads.levels import Sample
from rasteret_assets.reads.resample import resample
from rasteret_assets.reads.target import cover_of
from rasteret_assets.reads.tiles import TilePlan
from rasteret_assets.reads.validity import Mask, valid_pixels
from rasteret_assets.reads.warp_scale import Scale, warp_scale

_KERNEL_PIXELS: Final = 4
"""Pixels beyond a window that the widest kernel (Lanczos) takes in, with one to spare."""
_FACTOR_SLACK: Final = 1.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """What to read of an image, and where it goes."""

    image: BandImage
    level: int
    source: Window
    """Pixels of the level; none of them outside the image."""
    target: Window
    """Pixels of the result."""
    exact: bool
    """Whether pixels are taken as they are, one for one."""
    scale: Scale | None = None
    """Pixels of the result per pixel of the level, where they are not and it is known."""


def place(
    image: BandImage, grid: Grid, overview: int | None, *, whole: Grid | None = None
) -> Placement | None:
    """Return what of `image` goes onto `grid`; None if they have nothing in common.

    Parameters
    ----------
    whole
        What `grid` is a part of, so that all parts are read from one level.
    overview
        The level to read; None takes the coarsest that is fine enough.

    Raises
    ------
    ReadError
        If the image has no such overview.
    """
    if overview is not None and overview > len(image.overviews):
        msg = f"band {image.band!r} has {len(image.overviews)} overviews; overview is {overview}"
        raise ReadError(msg)
    level = _level(image, whole or grid) if overview is None else overview
    own = image.placed_at(level)
    if isinstance(own, ControlPoints):
        return _by_control_points(image, own, level, grid)
    if (offset := grid.offset_of(own)) is not None:
        target = own.window.moved(*offset).intersect(grid.window)
        if target.is_empty:
            return None
        source = target.moved(-offset[0], -offset[1])
        return Placement(image=image, level=level, source=source, target=target, exact=True)
    source = _source(own, grid)
    if source.is_empty:
        return None
    target = _target(own.cut(source), grid)
    if target.is_empty:
        return None
    scale = warp_scale(*_overlap(own, whole or grid))
    return Placement(
        image=image, level=level, source=source, target=target, exact=False, scale=scale
    )


def _by_control_points(
    image: BandImage, points: ControlPoints, level: int, grid: Grid
) -> Placement | None:
    """Return what of an image without a transform goes onto `grid`."""
    touched, whole = points.window_of(grid), Window(0, 0, points.width, points.height)
    target = _target(points.grid, grid)
    if touched.intersect(whole).is_empty or target.is_empty:
        return None
    ratio = max(1.0, touched.width / grid.width, touched.height / grid.height)
    source = touched.grown(math.ceil(_KERNEL_PIXELS * ratio)).intersect(whole)
    return Placement(
        image=image, level=level, source=source, target=target, exact=False, scale=None
    )


def _overlap(own: Grid, whole: Grid) -> tuple[Grid, Grid]:
    """Return the parts of an image and of a result that have to do with each other."""
    part = own.cut(_source(own, whole))
    return part, whole.cut(_target(part, whole))


def _target(part: Grid, grid: Grid) -> Window:
    """Return the pixels of `grid` that part of an image may reach."""
    try:
        return cover_of(grid, part.bounds, part.crs).intersect(grid.window)
    except ReadError:  # reaches to where the grid's CRS does not
        return grid.window


def _source(own: Grid, grid: Grid) -> Window:
    """Return the pixels of an image that pixels of another grid are computed from."""
    touched = cover_of(own, grid.bounds, grid.crs)
    ratio = max(1.0, touched.width / grid.width, touched.height / grid.height)
    if touched.intersect(own.window).is_empty:
        return Window(0, 0, 0, 0)
    return touched.grown(math.ceil(_KERNEL_PIXELS * ratio)).intersect(own.window)


def _level(image: BandImage, grid: Grid) -> int:
    """Return the coarsest level whose pixels are no larger than the grid's."""
    if not len(image.overviews):
        return 0
    full = image.grid
    touched = cover_of(full, grid.bounds, grid.crs)
    factor = min(touched.width / grid.width, touched.height / grid.height)
    chosen = 0
    for level in range(1, len(image.overviews) + 1):
        reduced = image.grid_at(level)
        own = max(full.width / reduced.width, full.height / reduced.height)
        if own > factor * _FACTOR_SLACK:
            break
        chosen = level
    return chosen


@dataclass(slots=True, kw_only=True)
class Canvas:
    """Room for what is read of an image: its pixels and what tells valid ones."""

    placement: Placement
    grid: Grid
    """Of the result."""
    values: NDArray[Any]
    """(y, x) of `placement.source`."""
    mask: Mask | None = None
    alpha: NDArray[Any] | None = None

    def pixels(self, how: str) -> tuple[NDArray[Any], Mask | None]:
        """Return values and validity (None: all valid) of `placement.target`."""
        image, placed = self.placement.image, self.placement
        valid = valid_pixels(self.values, mask=self.mask, nodata=image.nodata, alpha=self.alpha)
        if placed.exact:
            return self.values, valid
        own = image.placed_at(placed.level).cut(placed.source)
        grid = self.grid.cut(placed.target)
        return resample(self.values, valid, own, grid, how, scale=placed.scale)


def canvas_of(
    placement: Placement, grid: Grid, plan: TilePlan, values: NDArray[Any] | None
) -> Canvas:
    """Return room for an image, to be filled by the tiles added to `plan`.

    Parameters
    ----------
    values
        An array (y, x) to read into; None makes one.
    """
    image, level, window = placement.image, placement.level, placement.source
    stored = image.level(level)
    if values is None:
        values = np.empty(window.shape, image.dtype)
    plan.add(stored, image.sample, window, values)
    canvas = Canvas(placement=placement, grid=grid, values=values)
    if (mask := image.mask(level)) is not None:
        canvas.mask = np.empty(window.shape, bool)
        plan.add(mask, Sample(), window, canvas.mask)
    elif image.nodata is None and image.alpha is not None:
        canvas.alpha = np.empty(window.shape, image.dtype)
        plan.add(stored, image.alpha, window, canvas.alpha)
    return canvas


def quantities(image: BandImage, values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return what stored numbers mean: times scale, plus offset."""
    scale = 1.0 if image.scale is None else image.scale
    meant: NDArray[Any] = values.astype(dtype) * scale + (image.offset or 0.0)
    return meant
