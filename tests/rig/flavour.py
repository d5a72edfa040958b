"""One TIFF flavour: how a small test file is written, and the pixels that go into it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

HEIGHT: Final = 80
WIDTH: Final = 100
"""Not multiples of the tile sizes 32, 48 and 64, so that tiles stick out over both edges."""

Georeference = Literal[
    "utm", "geographic", "none", "rotated", "point", "gcps", "south_up", "user_defined", "compound"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flavour:
    """How one file is written."""

    name: str
    """Unique; usable as a file name and a test id."""
    dtype: str = "uint16"
    """NumPy name of the samples as they are written."""
    bands: int = 1
    writer: Literal["gdal", "tifffile"] = "gdal"
    options: Mapping[str, object] = field(default_factory=dict)
    """GDAL's creation options, or keyword arguments of `tifffile.TiffWriter.write`."""
    driver: Literal["GTiff", "COG"] = "GTiff"
    big_endian: bool = False
    big_tiff: bool = False
    nodata: float | None = None
    nodata_text: str | None = None
    """Put into the tag as it stands (tifffile only)."""
    mask: bool = False
    """Whether the file has an internal mask."""
    overviews: tuple[int, ...] = ()
    """Factors of the reduced images."""
    sparse: bool = False
    """Whether only the upper left corner is ever written."""
    georeference: Georeference = "utm"
    band_facts: bool = False
    """Whether scales, offsets, units and descriptions are set."""
    palette: bool = False
    lossy: bool = False
    """Whether decoding gives other numbers than were written."""
    oracle: Literal["gdal", "tifffile"] = "gdal"
    """Who can read the pixels back."""


def pixels_of(flavour: Flavour) -> NDArray[Any]:
    """Return the pixels written, (band, y, x); `WIDTH` x `HEIGHT`, different in every band.

    Complex integers come as complex64, which is how GDAL takes and gives them. Where only the
    corner of a sparse file is written, the rest is here all the same.
    """
    band, y, x = np.indices((flavour.bands, HEIGHT, WIDTH))
    smooth = (2 * x + y + 31 * band) % 251
    if flavour.lossy:
        return (128 + 60 * np.sin((x + 7 * band) / 15) * np.cos(y / 20)).astype(flavour.dtype)
    noise = np.random.default_rng(len(flavour.name)).integers(0, 5, smooth.shape)
    plain = smooth + noise
    if flavour.palette:
        return (plain % 16).astype(np.uint8)
    if flavour.dtype.startswith("complex"):
        kind = "complex64" if flavour.dtype == "complex_int16" else flavour.dtype
        return (plain - 100 + 1j * (y + 3)).astype(kind)
    if flavour.dtype.startswith("float"):
        return (plain / 8 - 11).astype(flavour.dtype)  # eighths are exact in float16 too
    if flavour.dtype == "bool":
        return plain % 3 == 0
    return _spread(plain, flavour)


def _spread(plain: NDArray[np.int64], flavour: Flavour) -> NDArray[Any]:
    """Return `plain` (0..254) stretched over the range of the flavour's integers."""
    info = np.iinfo(flavour.dtype)
    bits = int(str(flavour.options.get("nbits", info.bits)))
    steps = plain.astype(object) * ((1 << bits) - 1) // 254  # exact also for 64 bits
    steps += 0 if info.min == 0 else info.min
    return np.clip(steps, int(info.min), int(info.max)).astype(flavour.dtype)


def tiles(side: int, **options: object) -> dict[str, object]:
    """Return creation options for square tiles."""
    return {"tiled": True, "blockxsize": side, "blockysize": side, **options}


def strips(**options: object) -> dict[str, object]:
    """Return creation options for strips of 24 rows."""
    return {"tiled": False, "blockysize": 24, **options}
