"""GeoKeys: the key directory of a GeoTIFF (OGC 19-008r4, section 7.1) as plain values."""

from struct import unpack
from typing import Final

import numpy as np

from rasteret_assets.tiff.tags import GEO_ASCII_PARAMS, GEO_DOUBLE_PARAMS, GEO_KEY_DIRECTORY

MODEL_TYPE: Final = 1024
RASTER_TYPE: Final = 1025
CITATION: Final = 1026
GEODETIC_CRS: Final = 2048
DATUM: Final = 2050
PRIME_MERIDIAN: Final = 2051
ANGULAR_UNITS: Final = 2054
ELLIPSOID: Final = 2056
SEMI_MAJOR_AXIS: Final = 2057
SEMI_MINOR_AXIS: Final = 2058
INVERSE_FLATTENING: Final = 2059
PRIME_MERIDIAN_LONGITUDE: Final = 2061
PROJECTED_CRS: Final = 3072
PROJECTED_CITATION: Final = 3073
PROJECTION: Final = 3074
METHOD: Final = 3075
LINEAR_UNITS: Final = 3076
LINEAR_UNIT_SIZE: Final = 3077
VERTICAL_CRS: Final = 4096
VERTICAL_UNITS: Final = 4099

USER_DEFINED: Final = 32767
POINT: Final = 2
"""Value of `RASTER_TYPE` if the raster's coordinates are those of pixel centres."""

_ENTRY: Final = 4
"""Numbers of one key: id, where its value is, how many values, the value or its index."""

GeoKeys = dict[int, int | float | str]


def geokeys_of(byte_order: str, directory: bytes, doubles: bytes, text: bytes) -> GeoKeys:
    """Return the first value of each key; keys whose value is not there are left out.

    Parameters
    ----------
    directory, doubles, text
        GeoKeyDirectory (SHORT), GeoDoubleParams (DOUBLE) and GeoAsciiParams as in the file.
    """
    numbers = unpack(f"{byte_order}{len(directory) // 2}H", directory)
    shorts = np.array(numbers[_ENTRY:], np.int64)
    keys: GeoKeys = {}
    for key, where, count, value in (
        shorts[: len(shorts) // _ENTRY * _ENTRY].reshape(-1, 4).tolist()
    ):
        if key in keys:
            continue
        if where == 0:
            keys[key] = value
        elif where == GEO_DOUBLE_PARAMS and (value + 1) * 8 <= len(doubles):
            keys[key] = unpack(byte_order + "d", doubles[value * 8 : value * 8 + 8])[0]
        elif where == GEO_ASCII_PARAMS:
            keys[key] = text[value : value + count].decode("utf-8", "replace").strip("|\0 ")
        elif where == GEO_KEY_DIRECTORY and value < len(numbers):
            keys[key] = numbers[value]
    return keys


def number(keys: GeoKeys, key: int) -> float | None:
    """Return the number a key holds, or None."""
    value = keys.get(key)
    return None if isinstance(value, str) else value


def code(keys: GeoKeys, key: int) -> int | None:
    """Return the code a key holds, or None if it says user-defined, undefined or nothing."""
    value = keys.get(key)
    return value if isinstance(value, int) and value not in (0, USER_DEFINED) else None
