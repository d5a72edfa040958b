"""Results under way: one band's pixels of all times, filled image by image from threads."""

import threading
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rasteret_assets.geo.grid import Grid, Window
from rasteret_assets.reads.headers import BandImage
from rasteret_assets.reads.options import ReadOptions
from rasteret_assets.reads.scene import Canvas, Placement, quantities
from rasteret_assets.reads.validity import Mask

_NONE: Final = np.iinfo(np.int32).max
"""Rank of a pixel that no record has given yet."""


class Layers:
    """One band's pixels (time, y, x), and which are valid.

    Parameters
    ----------
    ranked
        Whether several records share a time, of which the one of the lowest rank wins.
    """

    def __init__(
        self, times: int, grid: Grid, dtype: np.dtype[Any], fill: float, options: ReadOptions
    ) -> None:
        shape = (times, grid.height, grid.width)
        self.fill = fill
        self.filled = False
        """Whether some pixel holds `fill` for want of a valid one."""
        # fresh zeros are not written before pixels are
        self.values = np.full(shape, fill, dtype) if fill else np.zeros(shape, dtype)
        self.valid = np.zeros(shape, bool) if options.wants_valid else None
        self._ranks = None
        if options.ranks:
            self._ranks = np.full(shape, _NONE, np.int32)
        self._window = grid.window
        self._options = options
        self._lock = threading.Lock()

    def view(self, time: int, placement: Placement) -> NDArray[Any] | None:
        """Return the part of the result that pixels can be read into; None if there is none."""
        same = placement.exact and placement.image.dtype == self.values.dtype
        if self._ranks is not None or self._options.apply_scale or not same:
            return None
        return self.values[time][placement.target.slices_in(self._window)]

    def take(self, time: int, rank: int, canvas: Canvas) -> None:
        """Take in what was read of an image; maybe into a `view` already."""
        placement = canvas.placement
        self.filled |= placement.target != self._window
        if np.shares_memory(canvas.values, self.values) and self._right_as_read(placement.image):
            return
        values, valid = canvas.pixels(self._options.resampling)
        if self._options.apply_scale:
            values = quantities(placement.image, values, self.values.dtype)
        if self._ranks is None:
            self._put(time, placement.target, values, valid)
        else:
            self._put_if_first(self._ranks, (time, rank), placement.target, values, valid)

    def _right_as_read(self, image: BandImage) -> bool:
        """Whether pixels read into a `view` hold `fill` wherever they are invalid."""
        if self.valid is not None or image.has_mask:
            return False
        if image.nodata is None:
            return image.alpha is None
        if self.values.dtype.kind in "fc":  # what is only near nodata is invalid too
            return bool(np.isnan(image.nodata) and np.isnan(self.fill))
        return image.nodata == self.fill

    def _put(self, time: int, window: Window, values: NDArray[Any], valid: Mask | None) -> None:
        part = window.slices_in(self._window)
        target = self.values[time][part]
        if not np.shares_memory(target, values):
            target[...] = values
        if valid is not None:
            target[~valid] = self.fill
            self.filled = True
        if self.valid is not None:
            self.valid[time][part] = True if valid is None else valid

    def _put_if_first(
        self,
        all_ranks: NDArray[np.int32],
        place: tuple[int, int],
        window: Window,
        values: NDArray[Any],
        valid: Mask | None,
    ) -> None:
        time, rank = place
        part = window.slices_in(self._window)
        with self._lock:  # other records may overlap it
            ranks = all_ranks[time][part]
            wins = rank < ranks if valid is None else valid & (rank < ranks)
            ranks[wins] = rank
            self.values[time][part][wins] = values[wins]
            if self.valid is not None:
                self.valid[time][part] |= wins

    def invalidate(self, times: NDArray[np.int64]) -> None:
        """Give up what was read of `times`."""
        if len(times):
            self.filled = True
            self.values[times] = self.fill
            if self.valid is not None:
                self.valid[times] = False

    def keep(self, times: Sequence[int]) -> None:
        """Drop all other times."""
        if len(times) < len(self.values):
            self.values = self.values[list(times)]
            self.valid = None if self.valid is None else self.valid[list(times)]
            self._ranks = None if self._ranks is None else self._ranks[list(times)]

    def clip(self, inside: Mask | None) -> None:
        """Make pixels outside an area (y, x) invalid; None leaves all."""
        if self._ranks is not None and not self.filled:
            self.filled = bool((self._ranks == _NONE).any())
        if inside is None:
            return
        self.filled = True
        self.values[:, ~inside] = self.fill
        if self.valid is not None:
            self.valid &= inside
