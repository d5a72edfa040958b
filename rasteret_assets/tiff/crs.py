"""From GeoKeys to a coordinate reference system, as text."""

from functools import lru_cache
from typing import Final, NamedTuple

from pyproj.crs import CRS
from pyproj.exceptions import ProjError

from rasteret_assets.tiff import geokeys
from rasteret_assets.tiff.crs_user_defined import user_defined_crs
from rasteret_assets.tiff.epsg import epsg_of
from rasteret_assets.tiff.geokeys import GeoKeys, geokeys_of

_PROJECTED: Final = 1
_EPSG_LAST: Final = 32766
"""Codes above are private (OGC 19-008r4, section 7.4.1); ESRI's are among them."""
_PE_STRING: Final = "ESRI PE String = "
_METRE: Final = "metre"
_VERTICAL_UNITS: Final = {9002: "foot", 9003: "US survey foot"}
_CITATION_LENGTH: Final = 1 << 16


class Place(NamedTuple):
    """What the GeoKeys say."""

    crs: str | None
    """`EPSG:n` where the file gives the number, or spells out what has one; else WKT2; None if
    it gives neither."""
    pixel_is_point: bool
    vertical_unit: str | None
    """Unit of heights, in EPSG's words, if the file has a vertical CRS or names their unit."""
    notes: tuple[str, ...]


@lru_cache(maxsize=4096)
def place_of(byte_order: str, directory: bytes, doubles: bytes, text: bytes) -> Place:
    """Return what the GeoKeys of a file say; a file of the same keys costs nothing more.

    The vertical part of a compound CRS is noted, not recorded: an image lies in two dimensions.
    """
    keys = geokeys_of(byte_order, directory, doubles, text)
    notes: tuple[str, ...] = ()
    try:
        crs = _text_of(keys)
    except ProjError as error:
        crs = None
        notes = (f"CRS not understood: {str(error)[:200]}",)
    if (vertical := geokeys.code(keys, geokeys.VERTICAL_CRS)) is not None:
        notes += (f"vertical CRS EPSG:{vertical}",)
    is_point = keys.get(geokeys.RASTER_TYPE) == geokeys.POINT
    return Place(crs, is_point, _vertical_unit(keys, vertical), notes)


def _vertical_unit(keys: GeoKeys, code: int | None) -> str | None:
    """Return the unit of heights as GDAL has it: of the vertical CRS, else of its own key."""
    if geokeys.VERTICAL_CRS not in keys and geokeys.VERTICAL_UNITS not in keys:
        return None
    unit = _VERTICAL_UNITS.get(geokeys.code(keys, geokeys.VERTICAL_UNITS) or 0, _METRE)
    if code is None:
        return unit
    try:
        axes = CRS.from_epsg(code).axis_info
    except ProjError:  # unknown to PROJ; its unit's own key is left
        return unit
    return axes[-1].unit_name if axes else unit


def _text_of(keys: GeoKeys) -> str | None:
    """Return the horizontal CRS, or None if there is none.

    Raises
    ------
    ProjError
        If PROJ does not know a code, or cannot make sense of a definition.
    """
    projected = geokeys.PROJECTED_CRS in keys or keys.get(geokeys.MODEL_TYPE) == _PROJECTED
    code = geokeys.code(keys, geokeys.PROJECTED_CRS if projected else geokeys.GEODETIC_CRS)
    if code is not None and code <= _EPSG_LAST:
        CRS.from_epsg(code)  # refuses an unknown one
        return f"EPSG:{code}"
    crs = (
        CRS.from_authority("ESRI", code)
        if code is not None
        else _spelled_out(keys, projected=projected)
    )
    if crs is None:
        return None
    known = epsg_of(crs)
    return crs.to_wkt() if known is None else f"EPSG:{known}"


def _spelled_out(keys: GeoKeys, *, projected: bool) -> CRS | None:
    """Return the CRS that a citation or the keys themselves define."""
    for citation in (geokeys.PROJECTED_CITATION, geokeys.CITATION):
        said = keys.get(citation)
        if isinstance(said, str) and said.startswith(_PE_STRING):
            return CRS.from_wkt(said[len(_PE_STRING) : _CITATION_LENGTH])
    return user_defined_crs(keys, projected=projected)
