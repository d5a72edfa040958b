"""Indices of palettes made colours."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from rasteret_assets.errors import ReadError
from rasteret_assets.reads.cube import BandPixels
from rasteret_assets.reads.headers import BandImage

COMPONENTS: Final = ("red", "green", "blue", "alpha")
COLOR: Final = "color"

Table = NDArray[np.uint8]
"""(entry, component): red, green, blue."""


def color_table(palette: Sequence[int]) -> Table:
    """Return the colours of a TIFF's palette, whose numbers go up to 65535, in eight bits.

    As GDAL brings them down: by 257; by 256 where all are multiples of that; not at all where
    none is over 255.

    Parameters
    ----------
    palette
        All reds, all greens, all blues (TIFF 6.0, section 5).

    Examples
    --------
    >>> color_table([0, 65535, 257, 0, 0, 514]).tolist()
    [[0, 1, 0], [255, 0, 2]]
    """
    numbers = np.asarray(palette, np.uint16).reshape(3, -1).T
    if numbers.max(initial=0) <= np.iinfo(np.uint8).max:
        return numbers.astype(np.uint8)
    by = 256 if not (numbers % 256).any() else 257
    return (numbers // by).astype(np.uint8)


def colored(band: BandPixels, indices: xr.Variable, *, per_record: bool) -> xr.Variable | None:
    """Return the colours (time, color, y, x) of a band, uint8; None if it has no palette.

    Alpha is 255 where pixels are valid, else 0, as are the other components.

    Parameters
    ----------
    indices
        The band's variable, (time, y, x); nan where invalid if it is floating.

    Raises
    ------
    ReadError
        If only some records have a palette, or they differ within a mosaic.
    """
    images = [image for image in band.images if image is not None]
    found = [table for image in images if (table := _table_of(image)) is not None]
    if not found:
        return None
    if len(found) < len(images):
        msg = f"band {band.name!r} has a palette in {len(found)} of {len(images)} records"
        raise ReadError(msg)
    if not per_record and any(not np.array_equal(found[0], table) for table in found):
        msg = f"palettes of band {band.name!r} differ between records; read them without a mosaic"
        raise ReadError(msg)
    whole = np.zeros((len(band.images), max(map(len, found)), 3), np.uint8)
    for at, image in enumerate(band.images):
        if image is not None and (table := _table_of(image)) is not None:
            whole[at, : len(table)] = table
    dims = ("time", "entry", "component") if per_record else ("entry", "component")
    made: xr.Variable = xr.apply_ufunc(
        _expand,
        indices,
        xr.Variable(indices.dims, band.valid),
        xr.Variable(dims, whole if per_record else whole[:1][0]),
        input_core_dims=[[], [], ["entry", "component"]],
        output_core_dims=[[COLOR]],
        dask="parallelized",
        output_dtypes=[np.uint8],
        dask_gufunc_kwargs={"output_sizes": {COLOR: len(COMPONENTS)}},
    )
    return made.transpose("time", COLOR, "y", "x")


def _table_of(image: BandImage) -> Table | None:
    palette = image.palette
    return None if palette is None else color_table(palette)


def _expand(indices: NDArray[Any], valid: NDArray[np.bool_], tables: Table) -> NDArray[np.uint8]:
    """Return the components (time, y, x, component) of indices (time, y, x)."""
    found = np.zeros((*indices.shape, len(COMPONENTS)), np.uint8)
    shared = tables.reshape(-1, *tables.shape[-2:])
    for at, (image, there) in enumerate(zip(indices, valid, strict=True)):
        table = shared[min(at, len(shared) - 1)]
        entries = np.where(there, image, 0).astype(np.int64)
        inside = there & (entries < len(table))
        found[at, ..., :3][inside] = table[entries[inside]]
        found[at, ..., 3] = np.where(inside, np.iinfo(np.uint8).max, 0)
    return found
