"""Byte ranges of files anywhere, and the headers in them; the room that waits on the network."""

from rasteret_assets.fetch.body import Body
from rasteret_assets.fetch.coalesce import coalesce
from rasteret_assets.fetch.headers import FetchedHeader, FetchStats, HeaderFetcher
from rasteret_assets.fetch.identities import Identified, Identities, identify_files
from rasteret_assets.fetch.loop import run
from rasteret_assets.fetch.reader import RangeReader
from rasteret_assets.fetch.shared import shared_reader
from rasteret_assets.fetch.signers import check_signer, signer_of
from rasteret_assets.fetch.signing import HrefSigner, Signature

__all__ = [
    "Body",
    "FetchStats",
    "FetchedHeader",
    "HeaderFetcher",
    "HrefSigner",
    "Identified",
    "Identities",
    "RangeReader",
    "Signature",
    "check_signer",
    "coalesce",
    "identify_files",
    "run",
    "shared_reader",
    "signer_of",
]
