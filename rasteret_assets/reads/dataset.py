"""Results as xarray has them, described as CF and rioxarray do."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
import pyproj
import xarray as xr
from numpy.typing import NDArray

from rasteret_assets.errors import ReadError
from rasteret_assets.geo.grid import Grid
from rasteret_assets.reads.colors import COLOR, COMPONENTS, colored
from rasteret_assets.reads.cube import BandPixels, Cube
from rasteret_assets.reads.left_out import Reasons, left_out
from rasteret_assets.reads.options import ReadOptions

GRID_MAPPING: Final = "spatial_ref"
FILL_AMBIGUOUS: Final = "fill_ambiguous"
_DIMS: Final = ("time", "y", "x")


def to_dataset(cube: Cube, options: ReadOptions, reasons: Reasons | None) -> xr.Dataset:
    """Return a variable per band, and one per mask where they were asked for.

    Raises
    ------
    ReadError
        If scales differ between records of a mosaic.
    """
    per_record = options.mosaic is None
    variables: dict[str, xr.Variable] = {}
    coordinates: dict[str, xr.Variable] = {}
    for band in cube.bands:
        variables[band.name] = _variable(band, options)
        if not options.apply_scale:
            coordinates |= _scales(band, variables[band.name], per_record=per_record)
        if options.masks and band.valid is not None:
            said = {"long_name": f"{band.name} is valid"}
            variables[f"{band.name}_mask"] = _made(
                _DIMS, band.valid, said, {"grid_mapping": GRID_MAPPING}
            )
    if options.colors:
        variables |= _colors(cube, variables, per_record=per_record)
        coordinates[COLOR] = xr.Variable(COLOR, list(COMPONENTS))
    coordinates |= _places(cube.grid)
    coordinates["time"] = _index("time", cube.times.astype("datetime64[ns]"), {})
    if per_record:
        coordinates["id"] = _made(("time",), np.array(cube.ids, object))
    dataset = xr.Dataset(variables, coordinates)
    dataset.attrs = {"Conventions": "CF-1.11", **left_out(cube.skipped, cube.lacking, reasons)}
    return dataset


def _made(
    dims: tuple[str, ...],
    values: NDArray[Any],
    attributes: Mapping[str, object] | None = None,
    encoding: Mapping[str, object] | None = None,
) -> xr.Variable:
    """Return an array as a variable.

    Without `fastpath`, xarray imports Dask where it is installed, to see that this is no such
    array: a third of a second in the first read of a process.
    """
    return xr.Variable(dims, values, attributes, encoding, fastpath=True)


def _index(name: str, values: NDArray[Any], attributes: Mapping[str, object]) -> xr.Variable:
    """Return a coordinate along the dimension of its name, for the same reason made by pandas."""
    index: xr.Variable = xr.IndexVariable(  # type: ignore[no-untyped-call]  # xarray's
        name, pd.Index(values), attributes, fastpath=True
    )
    return index


def _variable(band: BandPixels, options: ReadOptions) -> xr.Variable:
    images = [image for image in band.images if image is not None]
    attributes: dict[str, object] = {}
    if (unit := _common([image.unit for image in images])) is not None:
        attributes["units"] = unit
    if images and images[0].description is not None:
        attributes["long_name"] = images[0].description
    values = band.values  # noqa: PD011  # a band's pixels, nothing of pandas
    variable = _made(_DIMS, values, attributes, {"grid_mapping": GRID_MAPPING})
    if options.floating:
        # as rioxarray does for masked data: nan here, and the number again when written
        if band.nodata is not None and not options.apply_scale:
            variable.encoding["_FillValue"] = band.nodata
    elif band.nodata is not None or band.filled:
        variable.attrs["_FillValue"] = values.dtype.type(band.fill)
        if band.fill_may_be_valid:
            variable.attrs[FILL_AMBIGUOUS] = 1
    return variable


def _colors(
    cube: Cube, variables: Mapping[str, xr.Variable], *, per_record: bool
) -> dict[str, xr.Variable]:
    """Return a variable for each band that has a palette."""
    found = {}
    for band in cube.bands:
        made = colored(band, variables[band.name], per_record=per_record)
        if made is not None:
            made.attrs["long_name"] = f"colours of {band.name}"
            made.encoding["grid_mapping"] = GRID_MAPPING
            found[f"{band.name}_rgba"] = made
    if not found:
        msg = f"none of the bands {[band.name for band in cube.bands]} has a palette; leave colors"
        raise ReadError(msg)
    return found


def _common(values: list[str | None]) -> str | None:
    return values[0] if len(set(values)) == 1 else None  # also none where there are no values


def _scales(band: BandPixels, variable: xr.Variable, *, per_record: bool) -> dict[str, xr.Variable]:
    """Say how numbers become quantities; return coordinates where records differ in that."""
    images = [(at, image) for at, image in enumerate(band.images) if image is not None]
    which = [at for at, _ in images]
    scales = [1.0 if image.scale is None else image.scale for _, image in images]
    offsets = [image.offset or 0.0 for _, image in images]
    found: dict[str, xr.Variable] = {}
    for name, numbers, neutral in (("scale_factor", scales, 1.0), ("add_offset", offsets, 0.0)):
        if len(set(numbers)) == 1:
            if numbers[0] != neutral:
                variable.attrs[name] = numbers[0]
        elif numbers and per_record:
            of_all = np.full(len(band.images), neutral)
            of_all[which] = numbers
            found[f"{band.name}_{name}"] = _made(("time",), of_all)
        elif numbers:
            msg = f"{name} of band {band.name!r} differs between records; use apply_scale=True"
            raise ReadError(msg)
    return found


def _places(grid: Grid) -> dict[str, xr.Variable]:
    """Return x, y and the grid mapping variable (CF conventions 1.11, section 5.6)."""
    crs = pyproj.CRS.from_user_input(grid.crs)
    axes = {axis["axis"].lower(): axis for axis in crs.cs_to_cf() if "axis" in axis}
    mapping = {**crs.to_cf(), "spatial_ref": crs.to_wkt()}
    a, b, c, d, e, f = grid.transform
    mapping["GeoTransform"] = " ".join(repr(float(number)) for number in (c, a, b, f, d, e))
    return {
        "x": _index("x", grid.xs(), axes.get("x", {})),
        "y": _index("y", grid.ys(), axes.get("y", {})),
        GRID_MAPPING: _made((), np.array(0, np.int64), mapping),
    }
