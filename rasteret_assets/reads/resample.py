"""Pixels of one grid brought onto another, validity with them."""

from typing import Any, Final

import numpy as np
import rasterio.warp
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.transform import Affine

from rasteret_assets.errors import ReadError
from rasteret_assets.geo.grid import Grid
from rasteret_assets.reads.control_points import ControlPoints
from rasteret_assets.reads.quiet import quiet
from rasteret_assets.reads.validity import Mask
from rasteret_assets.reads.warp_scale import Scale

RESAMPLING: Final = {
    name: Resampling[name]
    for name in (
        "nearest",
        "bilinear",
        "cubic",
        "cubic_spline",
        "lanczos",
        "average",
        "mode",
        "max",
        "min",
        "med",
        "q1",
        "q3",
        "sum",
        "rms",
    )
}
"""GDAL's ways to resample, by rasterio's names."""

_GDAL_TYPES: Final = frozenset(
    ("uint8", "int16", "uint16", "int32", "uint32", "float32", "float64")
)
Placed = Grid | ControlPoints
"""What tells where pixels lie."""

_HALVES: Final[dict[int, np.dtype[Any]]] = {8: np.dtype("u4"), 16: np.dtype("f8")}


def checked_resampling(name: str) -> str:
    """Return `name` if it is one of GDAL's ways.

    Raises
    ------
    ReadError
        If it is not.
    """
    if name not in RESAMPLING:
        msg = f"resampling {name!r} is none of {', '.join(RESAMPLING)}"
        raise ReadError(msg)
    return name


def resample(
    values: NDArray[Any],
    valid: Mask | None,
    source: Placed,
    target: Grid,
    how: str,
    *,
    scale: Scale | None = None,
) -> tuple[NDArray[Any], Mask]:
    """Return pixels on the grid `target`, and which of them are valid.

    Parameters
    ----------
    values, valid
        (y, x), on the grid `source`.
    how
        A name of `RESAMPLING`. Nearest takes numbers as they are, of any type; the others
        compute from valid pixels alone, and round where the type is whole numbers.
    scale
        By which kernels are widened, where pixels get fewer; None leaves it to GDAL.
    """
    there = np.ones(values.shape, bool) if valid is None else valid
    if how == "nearest":
        moved = _nearest(values, source, target)
        found = _warp(there.astype(np.uint8), source, target, "nearest", 0, None)
        return moved, found != 0
    floating = np.result_type(values.dtype, np.float32)
    if floating.kind == "c":
        msg = f"complex samples cannot be resampled by {how!r}; use 'nearest'"
        raise ReadError(msg)
    prepared = np.where(there, values, floating.type(np.nan)).astype(floating, copy=False)
    result = _warp(prepared, source, target, how, np.nan, np.nan, scale=scale)
    found = ~np.isnan(result)
    if values.dtype.kind in "iu":
        info = np.iinfo(values.dtype)
        rounded = np.floor(np.where(found, result, 0) + 0.5)
        return np.clip(rounded, int(info.min), int(info.max)).astype(values.dtype), found
    return result.astype(values.dtype, copy=False), found


def _nearest(values: NDArray[Any], source: Placed, target: Grid) -> NDArray[Any]:
    """Pick pixels; GDAL warps doubles, so what they do not hold is taken in halves."""
    if values.dtype.name in _GDAL_TYPES:
        return _warp(values, source, target, "nearest", 0, None)
    size = values.dtype.itemsize
    if (half := _HALVES.get(size)) is None:
        return _warp(values.view(f"u{size}"), source, target, "nearest", 0, None).view(values.dtype)
    halves = np.ascontiguousarray(values).view(half).reshape(*values.shape, -1)
    moved = [
        _warp(np.ascontiguousarray(halves[..., at]), source, target, "nearest", 0, None)
        for at in range(halves.shape[-1])
    ]
    return np.stack(moved, axis=-1).view(values.dtype)[..., 0]


def _warp(
    values: NDArray[Any],
    source: Placed,
    target: Grid,
    how: str,
    fill: float,
    nodata: float | None,
    *,
    scale: Scale | None = None,
) -> NDArray[Any]:
    scales = {} if scale is None else {"XSCALE": repr(scale[0]), "YSCALE": repr(scale[1])}
    result = np.full((target.height, target.width), fill, values.dtype)
    with quiet():
        rasterio.warp.reproject(
            values,
            result,
            src_transform=Affine(*source.transform) if isinstance(source, Grid) else None,
            gcps=None if isinstance(source, Grid) else source.gcps(),
            src_crs=source.crs,
            dst_transform=Affine(*target.transform),
            dst_crs=target.crs,
            src_nodata=nodata,
            dst_nodata=nodata,
            resampling=RESAMPLING[how],
            init_dest_nodata=False,
            tolerance=0,
            **scales,
        )
    return result
