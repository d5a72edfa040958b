"""TIFF files without I/O: bytes to headers, headers to the index's structs, bytes to tiles."""

from rasteret_assets.tiff.band_structs import band_structs, check_band_index
from rasteret_assets.tiff.derive import derive_band
from rasteret_assets.tiff.header import FileIdentity, Header, Need
from rasteret_assets.tiff.header_bytes import HeaderBytes
from rasteret_assets.tiff.parse import parse_header
from rasteret_assets.tiff.reading import WORTH_A_REQUEST

__all__ = [
    "WORTH_A_REQUEST",
    "FileIdentity",
    "Header",
    "HeaderBytes",
    "Need",
    "band_structs",
    "check_band_index",
    "derive_band",
    "parse_header",
]
