"""User-defined CRSs: a projection and a datum spelled out in GeoKeys (OGC 19-008r4, annex)."""

import math
from typing import Final

from pyproj.crs import (  # type: ignore[attr-defined]  # documented, but not in __all__
    CRS,
    CoordinateOperation,
    Datum,
    Ellipsoid,
    GeographicCRS,
    PrimeMeridian,
    ProjectedCRS,
)
from pyproj.crs.datum import CustomDatum, CustomEllipsoid, CustomPrimeMeridian
from pyproj.exceptions import CRSError

from rasteret_assets.tiff import geokeys
from rasteret_assets.tiff.geokeys import GeoKeys, number

_METHODS: Final = {
    1: "tmerc",
    3: "omerc +no_uoff",
    5: "somerc",
    7: "merc",
    8: "lcc",
    9: "lcc",
    10: "laea",
    11: "aea",
    12: "aeqd",
    13: "eqdc",
    14: "stere",
    15: "stere",
    16: "sterea",
    17: "eqc",
    18: "cass",
    19: "gnom",
    20: "mill",
    21: "ortho",
    22: "poly",
    23: "robin",
    24: "sinu",
    25: "vandg",
    26: "nzmg",
    27: "tmerc +axis=wsu",
    28: "cea",
    9815: "omerc",
}
"""PROJ's word for each ProjMethodGeoKey."""

_OBLIQUE: Final = (3, 9815)
_POLAR: Final = 15
_ONE_PARALLEL: Final = 9
_TRUE_SCALE: Final = (7, 17, 28)
"""Methods whose first standard parallel is the latitude of true scale."""

_LATITUDE: Final = (3081, 3085, 3089)
_LONGITUDE: Final = (3080, 3084, 3088, 3095)
"""Natural origin, false origin, centre, straight down from the pole: writers disagree which
belongs to which method, and only one is given; libgeotiff takes any as well."""
_EASTING: Final = (3082, 3086, 3090)
_NORTHING: Final = (3083, 3087, 3091)
_SCALE: Final = (3092, 3093)
_PARALLELS: Final = (3078, 3079)
_AZIMUTH: Final = 3094
_RECTIFIED_ANGLE: Final = 3096

_DEGREES: Final = {9101: 180 / math.pi, 9105: 0.9, 9106: 0.9}
"""Degrees in each other angular unit."""
_METRE: Final = 9001
_UNITS: Final = {_METRE: ("m", 1.0), 9002: ("ft", 0.3048), 9003: ("us-ft", 1200 / 3937)}
"""PROJ's word for a linear unit, and its metres."""
_GREENWICH: Final = 8901


def user_defined_crs(keys: GeoKeys, *, projected: bool) -> CRS | None:
    """Return the CRS that the keys spell out, or None if they spell out none.

    Raises
    ------
    ProjError
        If a code is unknown, or PROJ cannot make sense of the definition.
    """
    base = _geographic(keys)
    if base is None or not projected:
        return base
    if (operation := geokeys.code(keys, geokeys.PROJECTION)) is not None:
        conversion = CoordinateOperation.from_epsg(operation)
        return ProjectedCRS(conversion, name=_name(keys), geodetic_crs=base)
    method = keys.get(geokeys.METHOD)
    if method is None:
        return None
    if not isinstance(method, int) or method not in _METHODS:
        msg = f"projection method {method} is unknown"
        raise CRSError(msg)
    described = CRS.from_proj4(_projection(keys, method)).to_json_dict()
    described["name"] = _name(keys)
    described["base_crs"] = base.to_json_dict()
    described.pop("remarks", None)  # holds the PROJ string, which PROJ would go by, datum and all
    return CRS.from_json_dict(described)


def _name(keys: GeoKeys) -> str:
    for key in (geokeys.PROJECTED_CITATION, geokeys.CITATION):
        if isinstance(said := keys.get(key), str) and said:
            return said[:200]
    return "unknown"


def _projection(keys: GeoKeys, method: int) -> str:
    """Return the projection as a PROJ string, without a datum."""
    unit = geokeys.code(keys, geokeys.LINEAR_UNITS)
    size = number(keys, geokeys.LINEAR_UNIT_SIZE)
    if unit in _UNITS or not size:
        name, metres = _UNITS.get(unit or _METRE, ("", 0.0))
        spelled = [f"+units={name}"]
    else:
        metres = size
        spelled = [f"+to_meter={metres!r}"]
    terms = _terms(keys, method, metres)
    if not metres or not all(map(math.isfinite, terms.values())):
        msg = f"linear unit {unit} of {size} metres, parameters {terms}"
        raise CRSError(msg)
    spelled += [f"+{name}={value!r}" for name, value in terms.items()]
    return f"+proj={_METHODS[method]} {' '.join(spelled)} +ellps=WGS84 +no_defs +type=crs"


def _terms(keys: GeoKeys, method: int, metres: float) -> dict[str, float]:
    """Return the parameters of a projection in degrees and metres, as PROJ calls them."""
    degrees = _DEGREES.get(geokeys.code(keys, geokeys.ANGULAR_UNITS) or 0, 1.0)

    def first(wanted: tuple[int, ...], default: float) -> float:
        given = (value for key in wanted if (value := number(keys, key)) is not None)
        return next(given, default)

    latitude = first(_LATITUDE, 0.0) * degrees
    longitude = first(_LONGITUDE, 0.0) * degrees
    parallels = [value * degrees for key in _PARALLELS if (value := number(keys, key)) is not None]
    place = {
        "x_0": first(_EASTING, 0.0) * metres,
        "y_0": first(_NORTHING, 0.0) * metres,
        "lat_0": latitude,
    }
    factor = first(_SCALE, 1.0)
    scale = {} if factor == 1 else {"k_0": factor}  # not every method takes it
    if method in _OBLIQUE:
        angles = {"alpha": first((_AZIMUTH,), 0.0) * degrees}
        if (angle := number(keys, _RECTIFIED_ANGLE)) is not None:
            angles["gamma"] = angle * degrees
        return {**place, **scale, **angles, "lonc": longitude}
    place["lon_0"] = longitude
    if method == _POLAR:
        return {**place, **scale, "lat_0": math.copysign(90.0, latitude), "lat_ts": latitude}
    if method == _ONE_PARALLEL:
        return {**place, **scale, "lat_1": latitude}
    if method in _TRUE_SCALE and parallels:
        return {**place, "lat_ts": parallels[0]}
    return {**place, **scale, **dict(zip(("lat_1", "lat_2"), parallels, strict=False))}


def _geographic(keys: GeoKeys) -> CRS | None:
    """Return the geographic CRS, by its code or by its parts."""
    if (code := geokeys.code(keys, geokeys.GEODETIC_CRS)) is not None:
        return CRS.from_epsg(code)
    if (code := geokeys.code(keys, geokeys.DATUM)) is not None:
        return GeographicCRS(name=_name(keys), datum=Datum.from_epsg(code))
    if (code := geokeys.code(keys, geokeys.ELLIPSOID)) is not None:
        ellipsoid = Ellipsoid.from_epsg(code)
    else:
        major = number(keys, geokeys.SEMI_MAJOR_AXIS)
        if major is None or not math.isfinite(major) or major <= 0:
            return None
        flattening = number(keys, geokeys.INVERSE_FLATTENING)
        minor = None if flattening else number(keys, geokeys.SEMI_MINOR_AXIS)
        ellipsoid = CustomEllipsoid(
            semi_major_axis=major, semi_minor_axis=minor, inverse_flattening=flattening
        )
    datum = CustomDatum(ellipsoid=ellipsoid, prime_meridian=_prime_meridian(keys))
    return GeographicCRS(name=_name(keys), datum=datum)


def _prime_meridian(keys: GeoKeys) -> PrimeMeridian:
    if (code := geokeys.code(keys, geokeys.PRIME_MERIDIAN)) is not None:
        return PrimeMeridian.from_epsg(code)
    longitude = number(keys, geokeys.PRIME_MERIDIAN_LONGITUDE)
    if longitude is None:
        return PrimeMeridian.from_epsg(_GREENWICH)
    return CustomPrimeMeridian(longitude=longitude)
