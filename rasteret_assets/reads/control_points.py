"""Images that have no transform but ground control points: where their pixels lie."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rasterio.control import GroundControlPoint
from rasterio.errors import RasterioError, TransformError
from rasterio.transform import GCPTransformer
from rasterio.warp import calculate_default_transform, transform

from rasteret_assets.errors import ProblemCode, TiffError
from rasteret_assets.geo.grid import Grid, Window

_NUMBERS: Final = 6
_STEPS: Final = 21
"""Places along each side of a grid that are looked at to find what it covers."""


@dataclass(frozen=True, kw_only=True)
class ControlPoints:
    """Ground control points of an image, between which GDAL fits a polynomial."""

    crs: str
    points: tuple[tuple[float, float, float, float, float], ...]
    """Column and row in pixels from the upper left corner, x, y, z."""
    width: int
    height: int

    def gcps(self) -> list[GroundControlPoint]:
        """Return the points as rasterio has them."""
        return [GroundControlPoint(row, col, x, y, z) for col, row, x, y, z in self.points]

    def cut(self, window: Window) -> "ControlPoints":
        """Return those of the pixels of `window`."""
        points = tuple(
            (col - window.col_off, row - window.row_off, x, y, z)
            for col, row, x, y, z in self.points
        )
        return ControlPoints(crs=self.crs, points=points, width=window.width, height=window.height)

    def reduced(self, width: int, height: int) -> "ControlPoints":
        """Return those of an overview."""
        across, down = width / self.width, height / self.height
        points = tuple((col * across, row * down, x, y, z) for col, row, x, y, z in self.points)
        return ControlPoints(crs=self.crs, points=points, width=width, height=height)

    @cached_property
    def grid(self) -> Grid:
        """The grid, in the points' CRS, that GDAL would warp the whole image onto.

        Raises
        ------
        TiffError
            `unsupported`, if no polynomial can be fitted.
        """
        try:
            affine, width, height = calculate_default_transform(
                self.crs, self.crs, self.width, self.height, gcps=self.gcps()
            )
        except (RasterioError, ValueError) as error:
            detail = f"its {len(self.points)} ground control points place no pixel: {error}"
            raise TiffError(ProblemCode.UNSUPPORTED, detail) from error
        a, b, c, d, e, f = tuple(affine)[:6]
        return Grid(crs=self.crs, a=a, b=b, c=c, d=d, e=e, f=f, width=width, height=height)

    def pixels_of(
        self, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return columns and rows of places in the points' CRS; nan where there is none."""
        known = np.isfinite(x) & np.isfinite(y)
        cols, rows = np.full(x.shape, np.nan), np.full(x.shape, np.nan)
        try:
            with GCPTransformer(self.gcps()) as fitted:
                found = fitted.rowcol(x[known], y[known], op=np.asarray)
        except TransformError as error:
            detail = f"its {len(self.points)} ground control points place no pixel: {error}"
            raise TiffError(ProblemCode.UNSUPPORTED, detail) from error
        rows[known], cols[known] = found
        return cols, rows

    def window_of(self, grid: Grid) -> Window:
        """Return the pixels that lie in `grid`, with one to spare; maybe none."""
        along = np.linspace(0.0, 1.0, _STEPS)
        across, down = (one.ravel() for one in np.meshgrid(along * grid.width, along * grid.height))
        a, b, c, d, e, f = grid.transform
        x, y = transform(grid.crs, self.crs, a * across + b * down + c, d * across + e * down + f)
        cols, rows = self.pixels_of(np.asarray(x, float), np.asarray(y, float))
        known = np.isfinite(cols) & np.isfinite(rows)
        if not known.any():
            return Window(0, 0, 0, 0)
        left, right = np.floor(cols[known].min()) - 1, np.ceil(cols[known].max()) + 1
        top, bottom = np.floor(rows[known].min()) - 1, np.ceil(rows[known].max()) + 1
        return Window(int(left), int(top), int(right - left), int(bottom - top))


def control_points_of(numbers: Sequence[float], crs: str, width: int, height: int) -> ControlPoints:
    """Return what the index holds of an image: i, j, k, x, y, z of each point, in a row."""
    rows = np.asarray(numbers, float).reshape(-1, _NUMBERS)
    points = tuple((col, row, x, y, z) for col, row, _, x, y, z in rows.tolist())
    return ControlPoints(crs=crs, points=points, width=width, height=height)
