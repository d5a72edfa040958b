"""A matrix of small TIFF files, one per flavour, written by GDAL and by tifffile.

`write_flavour(FLAVOURS[0], folder)` gives a path; `pixels_of` what was written into it.
"""

from pathlib import Path
from typing import Final

from tests.rig.flavour import Flavour, pixels_of
from tests.rig.flavour_writers import write_with_gdal, write_with_tifffile
from tests.rig.flavours_images import (
    by_tifffile,
    georeferences_and_colours,
    masks_and_overviews,
    sparse_and_nodata,
)
from tests.rig.flavours_storage import (
    compressions_and_layouts,
    dtypes_and_predictors,
    lossy,
    odd_bits,
)

__all__ = ["FLAVOURS", "Flavour", "pixels_of", "write_flavour"]


def write_flavour(flavour: Flavour, folder: Path) -> Path:
    """Write `flavour` into `folder` and return the file's path."""
    path = folder / f"{flavour.name}.tif"
    write = write_with_gdal if flavour.writer == "gdal" else write_with_tifffile
    write(flavour, path)
    return path


FLAVOURS: Final[tuple[Flavour, ...]] = (
    *dtypes_and_predictors(),
    *compressions_and_layouts(),
    *lossy(),
    *odd_bits(),
    *masks_and_overviews(),
    *sparse_and_nodata(),
    *georeferences_and_colours(),
    *by_tifffile(),
)
"""All flavours; names are unique."""
