"""The doors of the room: pixels as xarray, and as NumPy arrays."""

from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import Any, Unpack

import numpy as np
import pyarrow as pa
import xarray as xr
from numpy.typing import NDArray

from rasteret_assets.errors import ConfigError, ReadError
from rasteret_assets.geo.crs import LONLAT
from rasteret_assets.reads.areas import Area, AreaLike, area_of
from rasteret_assets.reads.cube import Cube
from rasteret_assets.reads.dataset import to_dataset
from rasteret_assets.reads.options import Chunks, ReadArguments, ReadOptions, options_of
from rasteret_assets.reads.reading import read_cube
from rasteret_assets.reads.transfer import Access


def get_xarray(
    table: pa.Table,
    *,
    bands: Sequence[str],
    geometries: AreaLike | None = None,
    geometry_crs: object = LONLAT,
    access: Access | None = None,
    chunks: Chunks | None = None,
    **arguments: Unpack[ReadArguments],
) -> xr.Dataset:
    """Return pixels as (time, y, x), a variable per band, on one grid.

    The grid covers the whole area in whole pixels, also where no file reaches. Where all
    images share a grid and neither `crs` nor `resolution` is given, it is theirs and pixels
    are taken as they are. Else images are resampled onto the CRS that most of them have, with
    the pixel size of the finest: so bands of 10 m and 20 m come at 10 m. Files that only ground
    control points place are warped by them.

    Parameters
    ----------
    table
        Rows of a Collection: `id`, `datetime`, `geometry` and `{band}_metadata` columns.
    bands
        Asset keys, or `key[i]` for sample i (from 0) of a file that was indexed whole.
    geometries
        A box (left, bottom, right, top), which gives all pixels it touches; or geometries,
        which leave out pixels whose centre lies outside all of them: Shapely, WKB, GeoJSON,
        Arrow or GeoArrow arrays, GeoPandas objects. They may be of several kinds: of points,
        the pixels they lie in count. None takes all that the images cover. What no image
        covers is invalid; an area that none meets, and one that is empty or has a missing
        geometry, is an error.
    geometry_crs
        CRS of `geometries`; coordinates are x, y.
    access
        How files are reached.
    crs, resolution
        Of the result; `resolution` in its units, one number or x and y.
    resampling
        One of rasterio's names, where grids differ.
    masked
        Whether to give floats with nan for invalid pixels.
    masks
        Whether to add a boolean `{band}_mask`, True where valid.
    colors
        Whether to add the colours that a palette gives the band's indices, as `{band}_rgba`:
        uint8 of (time, color, y, x), where `color` is red, green, blue, alpha, and alpha is 0
        where pixels are invalid.
    mosaic
        Makes one image of several records, ordered by time: the "first" or "last" valid
        pixel, their "median" (floats), or a function of values and validity, both (record, y,
        x). None keeps each record.
    mosaic_by
        Combines each "day" (UTC), "month", "year", or equal "datetime"; None all.
    overview
        Level to read: 0 is full size. None takes the coarsest that `resolution` allows.
    all_touched
        Whether pixels touched by geometries count, not only those with their centre inside.
    apply_scale
        Whether to give quantities (numbers x scale + offset), as floats with nan.
    on_error, on_drift
        Whether files that cannot be read, or that changed since they were indexed, stop the
        read, are left out with their record ("skip"; `skipped` in the attributes tells), or
        are indexed anew for this read ("refresh"). A band that a record has no header of is
        no failure: its pixels are invalid, and `missing_bands` in the attributes tells why.
    max_bytes
        Refuse results, or chunks, larger than this.
    chunks
        Gives dask arrays, which read when they are computed, each task the tiles of its chunk.
        Sizes are said as to `xarray.open_dataset`: by dimension (`{"x": 2048, "y": 2048}`; `{}`
        takes one time and whole tiles, of 1024 pixels a side at least), one number for all, or
        "auto". Where `on_error` or `on_drift` is "skip", records that fail while computing are
        invalid in their chunk and logged.

    Returns
    -------
    xarray.Dataset
        `time` in UTC, with `id` beside it unless records are combined; `x`, `y` of pixel
        centres; `spatial_ref`. Invalid pixels (by mask, nodata or alpha, outside the images
        or the geometries) hold `_FillValue`: the files' nodata, else 0 or nan. Where a valid
        pixel may have that value too (files of other nodata, or of none), the variable says
        `fill_ambiguous`: there only `masks=True` or `masked=True` tells them apart.

    Raises
    ------
    ReadError
        If the request cannot be met: unknown band, nothing there, too large.
    ConfigError
        If there are `chunks`, and dask is not installed.
    FetchError, TiffError
        If a file cannot be read. Both are `ProblemError` with a code.
    """
    access = access or Access()
    if chunks is None:
        cube, options = _read(table, bands, geometries, geometry_crs, access, arguments)
    else:
        options, area = options_of(arguments), _area(geometries, geometry_crs)
        cube = _lazy().lazy_cube(table, bands, area, options, access, chunks)
    return to_dataset(cube, options, access.reasons)


def get_numpy(
    table: pa.Table,
    *,
    bands: Sequence[str],
    geometries: AreaLike | None = None,
    geometry_crs: object = LONLAT,
    access: Access | None = None,
    **arguments: Unpack[ReadArguments],
) -> NDArray[Any]:
    """Return pixels as (time, band, y, x), of one type that holds those of all bands.

    Parameters, grid and errors are those of `get_xarray`. With `masks`, the array is a
    `numpy.ma.MaskedArray` that masks what is not valid.
    """
    access = access or Access()
    if arguments.get("colors"):
        msg = "get_numpy gives the bands' numbers alone; for colors use get_xarray"
        raise ReadError(msg)
    cube, options = _read(table, bands, geometries, geometry_crs, access, arguments)
    arrays = [band.values for band in cube.bands]
    # one band needs no copy
    values = arrays[0][:, np.newaxis] if len(arrays) == 1 else np.stack(arrays, axis=1)
    if not options.masks:
        return values
    valid = [band.valid for band in cube.bands if band.valid is not None]
    return np.ma.MaskedArray(values, ~np.stack(valid, axis=1))


def _read(  # what both doors are given
    table: pa.Table,
    bands: Sequence[str],
    geometries: AreaLike | None,
    geometry_crs: object,
    access: Access,
    arguments: ReadArguments,
) -> tuple[Cube, ReadOptions]:
    options = options_of(arguments)
    area = _area(geometries, geometry_crs)
    return read_cube(table, bands, area, options, access), options


def _area(geometries: AreaLike | None, crs: object) -> Area | None:
    return None if geometries is None else area_of(geometries, crs)


def _lazy() -> ModuleType:
    """Return the module that imports dask, which is optional."""
    try:
        return import_module("rasteret_assets.reads.lazy")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "dask":
            raise
        msg = "chunks needs dask: pip install 'rasteret-assets[dask]'"
        raise ConfigError(msg) from error
