"""Write one TIFF flavour with GDAL (through rasterio) or with tifffile."""

import warnings
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
import rasterio.shutil
import tifffile
from numpy.typing import NDArray
from rasterio.control import GroundControlPoint
from rasterio.enums import Resampling
from rasterio.transform import Affine
from rasterio.windows import Window

from tests.rig.flavour import HEIGHT, WIDTH, Flavour, pixels_of

_NORTH_UP: Final = Affine(10, 0, 500_000, 0, -10, 5_500_000)
_LAEA: Final = "+proj=laea +lat_0=47 +lon_0=11 +x_0=100 +y_0=200 +ellps=WGS84 +units=m"
_UTM_TAGS: Final[tuple[tuple[int, str, int, Any, bool], ...]] = (
    (33550, "d", 3, (10.0, 10.0, 0.0), True),
    (33922, "d", 6, (0.0, 0.0, 0.0, 500_000.0, 5_500_000.0, 0.0), True),
    (34735, "H", 16, (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32632), True),
)


def _georeference(flavour: Flavour) -> dict[str, object]:
    """Return rasterio's keyword arguments for where the image lies."""
    utm: dict[str, object] = {"crs": "EPSG:32632", "transform": _NORTH_UP}
    return {
        "utm": utm,
        "point": utm,
        "geographic": {"crs": "EPSG:4326", "transform": Affine(0.01, 0, 8, 0, -0.01, 48)},
        "none": {},
        "gcps": {},
        "rotated": {**utm, "transform": _NORTH_UP * Affine.rotation(30)},
        "south_up": {**utm, "transform": Affine(10, 0, 500_000, 0, 10, 5_500_000)},
        "user_defined": {**utm, "crs": _LAEA},
        "compound": {**utm, "crs": "EPSG:25832+7837"},
    }[flavour.georeference]


def _creation(flavour: Flavour) -> dict[str, object]:
    options = dict(flavour.options)
    if flavour.big_endian:
        options["endianness"] = "BIG"
    options["bigtiff"] = "YES" if flavour.big_tiff else "NO"
    return options


def write_with_gdal(flavour: Flavour, path: Path) -> None:
    """Write `flavour` to `path`, mask, reduced images and metadata included."""
    plain = flavour.driver == "GTiff"
    target = path if plain else path.with_suffix(".first.tif")
    profile = {
        "driver": "GTiff",
        "width": WIDTH,
        "height": HEIGHT,
        "count": flavour.bands,
        "dtype": flavour.dtype,
        "nodata": flavour.nodata,
        **_georeference(flavour),
        **(_creation(flavour) if plain else {}),
    }
    with (
        warnings.catch_warnings(),
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True, GDAL_TIFF_OVR_BLOCKSIZE=64),
    ):
        warnings.simplefilter("ignore")  # files without a place are meant to be so
        with rasterio.open(target, "w", **profile) as dataset:
            _fill(dataset, flavour)
        if flavour.overviews:
            with rasterio.open(target, "r+") as dataset:
                dataset.build_overviews(flavour.overviews, Resampling.nearest)
        if not plain:
            rasterio.shutil.copy(target, path, driver="COG", **_creation(flavour))
            target.unlink()


def _fill(dataset: Any, flavour: Flavour) -> None:  # noqa: ANN401  # rasterio has no types
    if flavour.georeference == "point":
        dataset.update_tags(AREA_OR_POINT="Point")
    if flavour.georeference == "gcps":
        corners = ((0, 0, 8.0, 48.0), (0, 100, 9.0, 48.1), (80, 0, 8.1, 47.0), (80, 100, 9.1, 47.2))
        dataset.gcps = (
            [GroundControlPoint(row, col, x, y) for row, col, x, y in corners],
            "EPSG:4326",
        )
    if flavour.band_facts:
        dataset.scales = (0.5, 2.0, 1.0)
        dataset.offsets = (-10.0, 0.0, 3.5)
        dataset.units = ("m", "K", "")
        dataset.descriptions = ("first & <best>", None, "third")
        dataset.update_tags(2, STATISTICS_MINIMUM=1, STATISTICS_MAXIMUM=9, STATISTICS_MEAN=4.5)
        dataset.update_tags(2, STATISTICS_STDDEV=1.25)
    if flavour.palette:
        dataset.write_colormap(1, {index: (index * 3, 255 - index, 7, 255) for index in range(256)})
    pixels = pixels_of(flavour)
    if flavour.sparse:
        dataset.write(pixels[:, :20, :30], window=Window(0, 0, 30, 20))
        return
    dataset.write(pixels)
    if flavour.mask:
        dataset.write_mask(mask_of(flavour))


def mask_of(flavour: Flavour) -> NDArray[np.bool_] | None:
    """Return the internal mask that is written, True where valid, or None if there is none."""
    if not flavour.mask:
        return None
    y, x = np.indices((HEIGHT, WIDTH))
    return (x + 2 * y) % 37 > 9


def write_with_tifffile(flavour: Flavour, path: Path) -> None:
    """Write `flavour` to `path`, with reduced images as SubIFDs."""
    pixels = pixels_of(flavour)
    options: dict[str, Any] = dict(flavour.options)
    if flavour.bands == 1:
        options.pop("planarconfig", None)
        pixels = pixels[0]
    elif options.get("planarconfig") == "contig":
        pixels = np.moveaxis(pixels, 0, -1)
    options.setdefault("photometric", "minisblack")
    tags = list(_UTM_TAGS)
    if flavour.nodata_text is not None:
        tags.append((42113, "s", 0, flavour.nodata_text, True))
    with tifffile.TiffWriter(
        path, byteorder=">" if flavour.big_endian else "<", bigtiff=flavour.big_tiff
    ) as writer:
        writer.write(
            pixels, subifds=len(flavour.overviews), extratags=tags, metadata=None, **options
        )
        for factor in flavour.overviews:
            writer.write(pixels[::factor, ::factor], subfiletype=1, metadata=None, **options)
