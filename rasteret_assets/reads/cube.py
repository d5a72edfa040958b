"""What a read gives, before it takes the form a caller likes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rasteret_assets.geo.grid import Grid
from rasteret_assets.reads.headers import BandImage
from rasteret_assets.reads.records import Lacking, Skipped
from rasteret_assets.reads.validity import Mask, holds


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BandPixels:
    """One band of a result."""

    name: str
    values: NDArray[Any]
    """(time, y, x)."""
    valid: Mask | None
    """As `values`; None unless it was asked for."""
    fill: float
    """What invalid pixels hold."""
    filled: bool
    """Whether there are such pixels that no file calls nodata."""
    images: tuple[BandImage | None, ...]
    """One per record."""

    @property
    def nodata(self) -> float | None:
        """Of the first image that says one."""
        said = [image.nodata for image in self.images if image is not None]
        return next((number for number in said if number is not None), None)

    @property
    def fill_may_be_valid(self) -> bool:
        """Whether `fill` may also be the value of a valid pixel.

        It may not where it is every image's nodata, and no mask says otherwise.
        """
        return not np.isnan(self.fill) and any(
            holds(image.dtype, self.fill) and (image.has_mask or image.nodata != self.fill)
            for image in self.images
            if image is not None
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cube:
    """What a read gives."""

    grid: Grid
    times: NDArray[np.datetime64]
    ids: tuple[str, ...]
    """One per record, in the order of `BandPixels.images`."""
    bands: tuple[BandPixels, ...]
    skipped: tuple[Skipped, ...]
    lacking: tuple[Lacking, ...]
