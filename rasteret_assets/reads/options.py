"""What a caller may ask of a read, checked once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypedDict

import numpy as np
from numpy.typing import NDArray

from rasteret_assets.errors import ReadError
from rasteret_assets.reads.areas import checked_crs
from rasteret_assets.reads.resample import checked_resampling

Combine = Callable[[NDArray[Any], NDArray[np.bool_]], NDArray[Any]]
"""Makes one image (y, x) of several (record, y, x); the second argument is True where valid.
What it gives where no record is valid is not used."""

Mosaic = Literal["first", "last", "median"] | Combine
Period = Literal["datetime", "day", "month", "year"]

ChunkSize = int | str | tuple[int, ...] | None
Chunks = ChunkSize | Mapping[str, ChunkSize]
"""Sizes of dask's chunks: see `get_xarray`."""

MAX_BYTES: Final = 4 << 30
_MOSAICS: Final = ("first", "last", "median")
_PERIODS: Final = {"datetime": "us", "day": "D", "month": "M", "year": "Y"}


def _one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        msg = f"{name} {value!r} is none of {', '.join(map(repr, allowed))}"
        raise ReadError(msg)


class PickArguments(TypedDict, total=False):
    """Keyword arguments that all doors of the room share; see `get_xarray`."""

    apply_scale: bool
    on_error: Literal["raise", "skip"]
    on_drift: Literal["raise", "refresh", "skip"]


class PointArguments(PickArguments, total=False):
    """Those of `sample_points`."""

    mosaic: Literal["first", "last"] | None


class ZoneArguments(PickArguments, total=False):
    """Those of `get_gdf`."""

    stats: Sequence[str] | None
    all_touched: bool
    max_bytes: int


class ReadArguments(PickArguments, total=False):
    """Those of `get_xarray` and `get_numpy`."""

    crs: object
    resolution: float | tuple[float, float] | None
    resampling: str
    masked: bool
    masks: bool
    colors: bool
    mosaic: Mosaic | None
    mosaic_by: Period | None
    overview: int | None
    all_touched: bool
    max_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """How pixels are read: the arguments of `get_xarray`, understood and checked."""

    crs: str | None = None
    resolution: tuple[float, float] | None = None
    """x, y."""
    resampling: str = "nearest"
    masked: bool = False
    masks: bool = False
    colors: bool = False
    mosaic: Mosaic | None = None
    mosaic_by: Period | None = None
    overview: int | None = None
    all_touched: bool = False
    apply_scale: bool = False
    on_error: Literal["raise", "skip"] = "raise"
    on_drift: Literal["raise", "refresh", "skip"] = "raise"
    max_bytes: int = MAX_BYTES

    def __post_init__(self) -> None:
        checked_resampling(self.resampling)
        _one_of("on_error", self.on_error, ("raise", "skip"))
        _one_of("on_drift", self.on_drift, ("raise", "refresh", "skip"))
        if self.mosaic is not None and not callable(self.mosaic):
            _one_of("mosaic", self.mosaic, _MOSAICS)
        if self.mosaic_by is not None:
            _one_of("mosaic_by", self.mosaic_by, tuple(_PERIODS))
            if self.mosaic is None:
                msg = "mosaic_by says what to combine, but mosaic does not say how; give both"
                raise ReadError(msg)
        if self.colors:
            self._check_colors()
        if self.overview is not None and self.overview < 0:
            msg = f"overview is {self.overview}; 0 is full size, 1 the first overview"
            raise ReadError(msg)
        if self.resolution is not None and not all(0 < size < np.inf for size in self.resolution):
            msg = f"resolution is {self.resolution}; give positive sizes in units of the CRS"
            raise ReadError(msg)

    def _check_colors(self) -> None:
        """Check that numbers stay indices of palettes."""
        for name, value, allowed in (
            ("resampling", self.resampling, ("nearest", "mode")),
            ("mosaic", self.mosaic, (None, "first", "last")),
            ("apply_scale", self.apply_scale, (False,)),
        ):
            if value not in allowed:
                msg = f"colors of palettes need {name} to be one of {allowed}, not {value!r}"
                raise ReadError(msg)

    @property
    def period(self) -> str | None:
        """NumPy's unit of the time that a mosaic takes together; None takes all."""
        return None if self.mosaic_by is None else _PERIODS[self.mosaic_by]

    @property
    def ranks(self) -> bool:
        """Whether the mosaic is made while images come in, by their order."""
        return self.mosaic in ("first", "last")

    @property
    def floating(self) -> bool:
        """Whether results are floats with nan where invalid."""
        return self.masked or self.apply_scale or self.mosaic == "median"

    @property
    def wants_valid(self) -> bool:
        """Whether each image's validity is needed, beyond filling what is invalid."""
        return self.floating or self.masks or self.colors or self.mosaic is not None


def options_of(arguments: ReadArguments) -> ReadOptions:
    """Return the options that a caller's arguments mean.

    Raises
    ------
    ReadError
        If one cannot be.
    """
    given = {name: value for name, value in arguments.items() if name not in ("crs", "resolution")}
    crs, resolution = arguments.get("crs"), arguments.get("resolution")
    if isinstance(resolution, int | float):
        resolution = (float(resolution), float(resolution))
    return ReadOptions(
        crs=None if crs is None else checked_crs(crs),
        resolution=resolution,
        **given,  # type: ignore[arg-type]  # the names and types of ReadArguments
    )
