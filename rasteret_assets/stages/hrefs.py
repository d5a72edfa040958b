"""Which assets are bands, and where each record has them."""

from collections.abc import Collection
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from rasteret_assets.contract.kinds import is_text
from rasteret_assets.locations import resolve_hrefs

_TIFF_TYPE: Final = r"^\s*image/[a-z0-9.+-]*tiff"
"""`image/tiff; application=geotiff; …`, and `image/vnd.stac.geotiff` of older catalogues."""

_UNSAYING_TYPES: Final = ("", "application/octet-stream", "binary/octet-stream")
_TIFF_PATH: Final = r"\.tiff?(?:[?#].*)?$"


def band_candidates(
    assets: pa.ChunkedArray, known: Collection[str] = ()
) -> tuple[list[str], list[str]]:
    """Return the keys of assets that are GeoTIFFs, and of the others.

    Judged by media type, and where an asset has none, or one that says nothing, by the
    `.tif` or `.tiff` at the end of its path. A key is a GeoTIFF's if it is for any record.
    Keys that no record here has are in neither list, nor are those already `known`.
    """
    raster: list[str] = []
    other: list[str] = []
    for member in assets.type:
        if member.name in known:
            continue
        hrefs = _present(pc.struct_field(assets, [member.name, "href"]))
        if hrefs.null_count == len(hrefs):
            continue
        found = _is_raster(pc.struct_field(assets, [member.name]), hrefs)
        (raster if found else other).append(member.name)
    return raster, other


def _is_raster(asset: pa.ChunkedArray, hrefs: pa.ChunkedArray) -> bool:
    """Return whether any record's `asset` that has an href is a GeoTIFF."""
    kinds = {one.name: one.type for one in asset.type}
    if "type" in kinds and is_text(kinds["type"]):
        media = pc.fill_null(pc.struct_field(asset, "type").cast(pa.string()), "")
        said = pc.unique(media.filter(pc.is_valid(hrefs)))  # few: one a media type
        told = pc.utf8_lower(pc.utf8_trim_whitespace(said))
        if pc.any(pc.match_substring_regex(told, _TIFF_TYPE)).as_py():
            return True
        unsaying = said.filter(pc.is_in(told, value_set=pa.array(_UNSAYING_TYPES)))
        if not len(unsaying):
            return False
        hrefs = hrefs.filter(pc.is_in(media, value_set=unsaying))
    is_tiff = pc.match_substring_regex(hrefs, _TIFF_PATH, ignore_case=True)
    return bool(pc.any(is_tiff).as_py())


def band_hrefs(assets: pa.ChunkedArray, band: str, base_uri: str) -> pa.Table:
    """Return where each record has `band`, a row for each of `assets`.

    Parameters
    ----------
    assets
        Normalised assets.
    base_uri
        The folder that relative hrefs are joined to.

    Returns
    -------
    pa.Table
        `href` (string: resolved, null where the record has none), `band_index` (int32, null
        where not given), `file_key` (string: `file:checksum`, else `file:size`, else null).
    """
    kinds = {one.name: one.type for one in assets.type}
    members = {one.name: one.type for one in kinds[band]} if band in kinds else {}
    nothing = pa.chunked_array([pa.nulls(len(assets), pa.string())])
    hrefs = index = key = nothing
    if "href" in members:
        hrefs = resolve_hrefs(_present(pc.struct_field(assets, [band, "href"])), base_uri)
    if "band_index" in members:
        index = pc.struct_field(assets, [band, "band_index"])
    for name in ("file:size", "file:checksum"):
        kind = members.get(name, pa.null())
        if pa.types.is_integer(kind) or is_text(kind):
            said = pc.struct_field(assets, [band, name]).cast(pa.string())
            key = pc.coalesce(pc.binary_join_element_wise(name, said, "="), key)
    return pa.table({"href": hrefs, "band_index": index.cast(pa.int32()), "file_key": key})


def _present(hrefs: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return `hrefs` without the blanks around them, null where nothing is left."""
    text = pc.utf8_trim_whitespace(hrefs)
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
