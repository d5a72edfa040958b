"""Coordinate reference systems, and the way from them to longitude and latitude."""

from functools import lru_cache
from typing import Final

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray

from rasteret_assets.errors import TableError

LONLAT: Final = "OGC:CRS84"
"""Longitude, latitude on WGS 84: what every geometry of a Collection is in."""


@lru_cache(maxsize=256)
def to_lonlat(crs: str) -> pyproj.Transformer | None:
    """Return what takes x, y of `crs` to longitude, latitude; None where they are that already.

    Parameters
    ----------
    crs
        PROJJSON, WKT or an authority's code. Axis order is x, y whatever the CRS says, as
        WKB's is (GeoParquet 1.1, "Coordinate axis order"), so EPSG:4326 is nothing to do.

    Raises
    ------
    TableError
        If PROJ does not understand `crs`, or knows no way to longitude and latitude.
    """
    try:
        source = pyproj.CRS.from_user_input(crs)
        flat = source.to_2d()
        if flat.equals(_lonlat(), ignore_axis_order=True):
            return None
        return pyproj.Transformer.from_crs(flat, _lonlat(), always_xy=True)
    except pyproj.exceptions.ProjError as error:
        msg = f"the geometry's CRS {crs[:80]!r} cannot be brought to longitude and latitude"
        raise TableError(msg) from error


@lru_cache(maxsize=1)
def _lonlat() -> pyproj.CRS:
    return pyproj.CRS.from_user_input(LONLAT)


def transform_geometries(
    geometries: NDArray[np.object_], transformer: pyproj.Transformer
) -> NDArray[np.object_]:
    """Return `geometries` with every vertex transformed, in two dimensions.

    What PROJ cannot transform becomes infinite. No vertices are added: edges stay straight.
    """

    def moved(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack(transformer.transform(points[:, 0], points[:, 1]), axis=1)

    return shapely.transform(geometries, moved)
