"""What an href means: scheme, bucket, host and path, and what it resolves against. No I/O."""

from rasteret_assets.locations.addresses import check_address
from rasteret_assets.locations.join import resolve_hrefs
from rasteret_assets.locations.location import Location, Scheme, locate
from rasteret_assets.locations.stores import GsSite, S3Site, gs_site, object_path, s3_site

__all__ = [
    "GsSite",
    "Location",
    "S3Site",
    "Scheme",
    "check_address",
    "gs_site",
    "locate",
    "object_path",
    "resolve_hrefs",
    "s3_site",
]
