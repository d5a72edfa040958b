"""Affine pixel grids and windows of whole pixels in them: arithmetic only."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Bounds = tuple[float, float, float, float]
"""Left, bottom, right, top, in units of a CRS."""

ALIGNED: Final = 1e-3
"""Pixels by which grids may miss each other and still count as one."""
_EDGE: Final = 1e-6
"""Pixels by which bounds may pass an edge without taking in the pixel behind it: what is left
of ten digits after a subtraction."""


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of whole pixels; may lie outside its grid, and may be empty."""

    col_off: int
    row_off: int
    width: int
    height: int

    @property
    def is_empty(self) -> bool:
        """Whether there is no pixel in it."""
        return self.width <= 0 or self.height <= 0

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.height, self.width

    def intersect(self, other: "Window") -> "Window":
        """Return the pixels in both; empty where there are none.

        Examples
        --------
        >>> Window(0, 0, 10, 10).intersect(Window(8, -2, 10, 10))
        Window(col_off=8, row_off=0, width=2, height=8)
        """
        left, top = max(self.col_off, other.col_off), max(self.row_off, other.row_off)
        right = min(self.col_off + self.width, other.col_off + other.width)
        bottom = min(self.row_off + self.height, other.row_off + other.height)
        return Window(left, top, max(0, right - left), max(0, bottom - top))

    def moved(self, cols: int, rows: int) -> "Window":
        """Return the window as far to the right and down."""
        return Window(self.col_off + cols, self.row_off + rows, self.width, self.height)

    def grown(self, pixels: int) -> "Window":
        """Return the window with so many pixels more on each side."""
        return Window(
            self.col_off - pixels,
            self.row_off - pixels,
            self.width + 2 * pixels,
            self.height + 2 * pixels,
        )

    def slices_in(self, outer: "Window") -> tuple[slice, slice]:
        """Return where its pixels are in an array (y, x) of the pixels of `outer`."""
        top, left = self.row_off - outer.row_off, self.col_off - outer.col_off
        return slice(top, top + self.height), slice(left, left + self.width)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Pixels in a plane: x = a col + b row + c, y = d col + e row + f, for upper left corners."""

    crs: str
    """Anything PROJ reads."""
    a: float
    b: float = 0.0
    c: float
    d: float = 0.0
    e: float
    f: float
    width: int
    height: int

    def __post_init__(self) -> None:
        if not math.isfinite(self.a * self.e - self.b * self.d) or not self._area:
            msg = f"transform {self.transform} puts all pixels on a line or in a point"
            raise ValueError(msg)

    @property
    def _area(self) -> float:
        return abs(self.a * self.e - self.b * self.d)

    @property
    def transform(self) -> tuple[float, float, float, float, float, float]:
        """a, b, c, d, e, f, in the order of `affine.Affine`."""
        return self.a, self.b, self.c, self.d, self.e, self.f

    @property
    def is_upright(self) -> bool:
        """Whether rows and columns run along the axes, in whatever direction."""
        return self.b == self.d == 0

    @property
    def resolution(self) -> tuple[float, float]:
        """Length of a pixel's sides, in units of the CRS."""
        return math.hypot(self.a, self.d), math.hypot(self.b, self.e)

    @property
    def window(self) -> Window:
        """All its pixels."""
        return Window(0, 0, self.width, self.height)

    @property
    def bounds(self) -> Bounds:
        """The box around all its pixels."""
        corners = [(col, row) for col in (0, self.width) for row in (0, self.height)]
        x = [self.a * col + self.b * row + self.c for col, row in corners]
        y = [self.d * col + self.e * row + self.f for col, row in corners]
        return min(x), min(y), max(x), max(y)

    def window_of(self, bounds: Bounds) -> Window:
        """Return the smallest window of whole pixels that covers `bounds`, unclipped.

        Examples
        --------
        >>> grid = Grid(crs="EPSG:32632", a=10, c=0, e=-10, f=0, width=9, height=9)
        >>> grid.window_of((25, -25, 35, -5))
        Window(col_off=2, row_off=0, width=2, height=3)
        """
        left, bottom, right, top = bounds
        x, y = np.array([left, right, left, right]), np.array([bottom, bottom, top, top])
        cols, rows = self.pixels_of(x, y)
        first_col, first_row = math.floor(cols.min() + _EDGE), math.floor(rows.min() + _EDGE)
        last_col, last_row = math.ceil(cols.max() - _EDGE), math.ceil(rows.max() - _EDGE)
        # bounds without extent, such as a point's, are covered by the pixel they lie in
        width, height = max(1, last_col - first_col), max(1, last_row - first_row)
        return Window(first_col, first_row, width, height)

    def pixels_of(
        self, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return columns and rows of points, in pixels from the upper left corner."""
        determinant = self.a * self.e - self.b * self.d
        dx, dy = x - self.c, y - self.f
        return (
            (self.e * dx - self.b * dy) / determinant,
            (self.a * dy - self.d * dx) / determinant,
        )

    def cut(self, window: Window) -> "Grid":
        """Return the grid of the pixels of `window`."""
        return Grid(
            crs=self.crs,
            a=self.a,
            b=self.b,
            c=self.c + self.a * window.col_off + self.b * window.row_off,
            d=self.d,
            e=self.e,
            f=self.f + self.d * window.col_off + self.e * window.row_off,
            width=window.width,
            height=window.height,
        )

    def reduced(self, width: int, height: int) -> "Grid":
        """Return the grid of an overview: as large an area in so many pixels."""
        across, down = self.width / width, self.height / height
        return Grid(
            crs=self.crs,
            a=self.a * across,
            b=self.b * down,
            c=self.c,
            d=self.d * across,
            e=self.e * down,
            f=self.f,
            width=width,
            height=height,
        )

    def offset_of(self, other: "Grid") -> tuple[int, int] | None:
        """Return the column and row of this grid where `other` begins.

        None if the two are not one grid: another CRS, resolution or direction, or shifted by
        part of a pixel.
        """
        if self.crs != other.crs:
            return None
        steps = np.array([other.a - self.a, other.b - self.b, other.d - self.d, other.e - self.e])
        reach = max(self.width, self.height, other.width, other.height)
        if np.abs(steps).max() * reach > ALIGNED * min(self.resolution):
            return None
        cols, rows = self.pixels_of(np.array([other.c]), np.array([other.f]))
        col, row = round(float(cols[0])), round(float(rows[0]))
        apart = max(abs(float(cols[0]) - col), abs(float(rows[0]) - row))
        return (col, row) if apart <= ALIGNED else None

    def xs(self) -> NDArray[np.float64]:
        """Return the x of each column's pixel centres; only for upright grids."""
        return self.c + self.a * (np.arange(self.width, dtype=np.float64) + 0.5)

    def ys(self) -> NDArray[np.float64]:
        """Return the y of each row's pixel centres; only for upright grids."""
        return self.f + self.e * (np.arange(self.height, dtype=np.float64) + 0.5)


def grid_of(transform: list[float], crs: str, width: int, height: int) -> Grid:
    """Return the grid that a `transform` of the index means.

    Parameters
    ----------
    transform
        Four numbers are scale and origin in x, then in y; six are a, b, c, d, e, f.

    Raises
    ------
    ValueError
        If it has another length, or no area.

    Examples
    --------
    >>> grid_of([10, 500, -10, 900], "EPSG:32632", 2, 3).bounds
    (500.0, 870.0, 520.0, 900.0)
    """
    if len(transform) == 4:  # noqa: PLR2004  # as documented
        a, c, e, f = transform
        return Grid(crs=crs, a=a, c=c, e=e, f=f, width=width, height=height)
    a, b, c, d, e, f = transform
    return Grid(crs=crs, a=a, b=b, c=c, d=d, e=e, f=f, width=width, height=height)
