"""Results under way: one band's pixels of all times, filled image by image from threads."""

import threading
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rasteret_assets.geo.grid import Grid, Window
from rasteret_assets.reads.headers import BandImage
from rasteret_assets.reads.options import ReadOptions
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
        self.values = np.full(shape, fill, dtype)
        self.valid = np.zeros(shape, bool) if options.wants_valid else None
        self._ranks = None
        if options.ranks:
            self._ranks = np.full(shape, _NONE, np.int32)
        self._window = grid.window
        self._scales = options.apply_scale
        self._lock = threading.Lock()

    def view(self, time: int, window: Window, image: BandImage) -> NDArray[Any] | None:
        """Return the part of the result that pixels can be read into; None if there is none."""
        if self._ranks is not None or self._scales or image.dtype != self.values.dtype:
            return None
        return self.values[time][window.slices_in(self._window)]

    def leaves_as_read(self, image: BandImage) -> bool:
        """Whether pixels read into `view` are right as they stand."""
        plain = not image.has_mask and (image.alpha is None or image.nodata is not None)
        same = (
            image.nodata is None
            or image.nodata == self.fill
            or (
                image.nodata != image.nodata and self.fill != self.fill  # both nan
            )
        )
        return self.valid is None and plain and same

    def saw(self, window: Window) -> None:
        """Take note that an image covers `window` alone."""
        self.filled |= window != self._window

    def put(
        self,
        time: int,
        rank: int,
        window: Window,
        image: BandImage,
        values: NDArray[Any],
        valid: Mask | None,
    ) -> None:
        """Take pixels in; where `valid` is None all are."""
        if self._scales:
            scale = 1.0 if image.scale is None else image.scale
            values = values.astype(self.values.dtype) * scale + (image.offset or 0.0)
        part = window.slices_in(self._window)
        taken = np.ones(values.shape, bool) if valid is None else valid
        if self._ranks is None:
            target = self.values[time][part]
            if not np.shares_memory(target, values):
                target[...] = values
            if valid is not None:
                target[~valid] = self.fill
                self.filled = True
            if self.valid is not None:
                self.valid[time][part] = taken
            return
        with self._lock:  # other records may overlap it
            ranks = self._ranks[time][part]
            wins = taken & (rank < ranks)
            ranks[wins] = rank
            self.values[time][part][wins] = values[wins]
            if self.valid is not None:
                self.valid[time][part] |= wins

    def keep(self, times: list[int]) -> None:
        """Drop all other times."""
        if len(times) < len(self.values):
            self.values = self.values[times]
            self.valid = None if self.valid is None else self.valid[times]

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
