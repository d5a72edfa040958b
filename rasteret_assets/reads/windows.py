"""Windows of images of many records, taken onto one grid."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from rasteret_assets.errors import FetchError, ProblemCode
from rasteret_assets.geo.grid import Grid
from rasteret_assets.reads.combine import combine
from rasteret_assets.reads.driver import FilePlans, Finish, Images
from rasteret_assets.reads.headers import BandImage
from rasteret_assets.reads.layers import Layers
from rasteret_assets.reads.plan import Plan
from rasteret_assets.reads.scene import Canvas, Placement, canvas_of, place
from rasteret_assets.reads.validity import Mask

_SCRATCH_PER_PIXEL = 16
"""Bytes: a pixel, its mask, and what resampling makes of them, about."""


class Windows:
    """Takes windows of images onto `grid`, which is that of the plan or a part of it."""

    def __init__(self, plan: Plan, grid: Grid) -> None:
        self._plan, self._grid, self._options = plan, grid, plan.options
        self.layers = [
            Layers(plan.layers, grid, kind.dtype, kind.fill, plan.options) for kind in plan.kinds
        ]
        """One per band."""
        self.images: dict[int, Images] = {}
        """Of each record that was planned: those of the index, or of files indexed anew."""
        self._placements: dict[int, list[Placement | None]] = {}

    def scratch_bytes(self, index: int, images: Images) -> int:
        """Return what pixels take that are not read into the result itself."""
        overview, layer = self._options.overview, self._layer(index)
        whole = self._plan.target.grid
        placements = [
            None if image is None else place(image, self._grid, overview, whole=whole)
            for image in images
        ]
        self._placements[index] = placements
        return sum(
            placement.source.width * placement.source.height * _SCRATCH_PER_PIXEL
            for layers, placement in zip(self.layers, placements, strict=True)
            if placement is not None and layers.view(layer, placement) is None
        )

    def plan(self, index: int, images: Images, files: FilePlans) -> Finish:
        """Plan the windows of one record's images.

        Raises
        ------
        FetchError
            `file_changed`, if a file that was indexed anew holds what the result cannot.
        """
        self.images[index] = images
        layer, canvases = self._layer(index), list[Canvas | None]()
        placements = self._placements.pop(index)
        for image, layers, placement in zip(images, self.layers, placements, strict=True):
            if image is None or placement is None:
                layers.filled = True
                canvases.append(None)
                continue
            _check_type(image, layers)
            view = layers.view(layer, placement)
            canvases.append(canvas_of(placement, self._grid, files.of(image), view))
        return partial(self._take, index, layer, canvases)

    def _layer(self, index: int) -> int:
        return int(self._plan.slots[index]) if self._options.ranks else index

    def _take(self, index: int, layer: int, canvases: Sequence[Canvas | None]) -> None:
        last = self._options.mosaic == "last"
        rank = len(self._plan.records) - 1 - index if last else index
        for layers, canvas in zip(self.layers, canvases, strict=True):
            if canvas is not None:
                layers.take(layer, rank, canvas)

    def finish(self, kept: Sequence[int], times: Sequence[int], inside: Mask | None) -> None:
        """Reduce the layers to `times`, numbers of the plan's, made of the records `kept`.

        Times of which no record is kept are invalid throughout.
        """
        slots, how = self._plan.slots, self._options.mosaic
        which = np.array(kept, np.int64)
        for layers in self.layers:
            if how is None:
                layers.invalidate(np.setdiff1d(times, which))
                layers.keep(times)
            elif self._options.ranks:
                layers.keep(times)
            else:
                combine(layers, [which[slots[which] == time] for time in times], how)
            layers.clip(inside)


def _check_type(image: BandImage, layers: Layers) -> None:
    """Check that a result, whose type is by the index, holds every pixel of an image."""
    kind = layers.values.dtype
    if not np.can_cast(image.dtype, kind, "safe"):
        detail = f"the file has changed and holds {image.dtype} now, which {kind} cannot"
        raise FetchError(ProblemCode.FILE_CHANGED, f"{detail}; update the Collection")
