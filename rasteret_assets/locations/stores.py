"""Object stores as web addresses: which endpoint and region, and whether requests are signed.

What is read here is the environment; credentials themselves belong to `fetch`.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

_TRUE: Final = frozenset({"1", "YES", "TRUE", "ON"})
_SAFE: Final = "/-._~"
"""Everything else in a key is percent-encoded, as SigV4 asks of the path it signs."""


def _is_set(environment: Mapping[str, str], name: str) -> bool:
    return environment.get(name, "").upper() in _TRUE


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Site:
    """How S3 objects are addressed."""

    endpoint: str | None = None
    """A store other than AWS, `https://host[:port]`; None is AWS."""
    region: str | None = None
    """Where buckets are taken to be until their store says otherwise."""
    unsigned: bool = False
    """Whether requests go out without credentials."""

    def limits_key(self, bucket: str) -> str:
        """Return what stands for the server of `bucket` when load on it is counted."""
        return f"s3://{bucket}" if self.endpoint is None else self.endpoint

    def root_of(self, bucket: str, region: str) -> str:
        """Return the address under which the keys of `bucket` lie, without a last slash.

        Virtual-host style on AWS, path style for custom endpoints and for names with dots,
        which no wildcard certificate covers.

        Examples
        --------
        >>> S3Site().root_of("scenes", "eu-central-1")
        'https://scenes.s3.eu-central-1.amazonaws.com'
        >>> S3Site(endpoint="http://localhost:9000").root_of("scenes", "us-east-1")
        'http://localhost:9000/scenes'
        """
        if self.endpoint is not None:
            return f"{self.endpoint}/{bucket}"
        host = f"s3.{region}.amazonaws.com" + (".cn" if region.startswith("cn-") else "")
        if "." in bucket or not bucket.islower() or "_" in bucket:
            return f"https://{host}/{bucket}"
        return f"https://{bucket}.{host}"


def s3_site(environment: Mapping[str, str] | None = None) -> S3Site:
    """Return how the environment says S3 is reached.

    Reads `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_DEFAULT_REGION` and
    `AWS_NO_SIGN_REQUEST`.
    """
    env = os.environ if environment is None else environment
    endpoint = env.get("AWS_ENDPOINT_URL_S3") or env.get("AWS_ENDPOINT_URL") or None
    return S3Site(
        endpoint=endpoint.rstrip("/") if endpoint else None,
        region=env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or None,
        unsigned=_is_set(env, "AWS_NO_SIGN_REQUEST"),
    )


def object_path(key: str) -> str:
    """Return `key` percent-encoded as SigV4 encodes it, once.

    Examples
    --------
    >>> object_path("a b/c+d.tif")
    'a%20b/c%2Bd.tif'
    """
    return quote(key, safe=_SAFE)


@dataclass(frozen=True, slots=True, kw_only=True)
class GsSite:
    """How Google Cloud Storage objects are addressed."""

    endpoint: str = "https://storage.googleapis.com"
    unsigned: bool = False
    """Whether requests go out without a token."""

    def address_of(self, bucket: str, key: str) -> str:
        """Return the address of an object in the XML API's path style."""
        return f"{self.endpoint}/{bucket}/{object_path(key)}"

    def limits_key(self, bucket: str) -> str:
        """Return what stands for the server of `bucket` when load on it is counted."""
        return f"gs://{bucket}"


def gs_site(environment: Mapping[str, str] | None = None) -> GsSite:
    """Return how the environment says Google Cloud Storage is reached.

    Reads `STORAGE_EMULATOR_HOST` (never given a token) and, as GDAL does,
    `GS_NO_SIGN_REQUEST`.
    """
    env = os.environ if environment is None else environment
    emulator = env.get("STORAGE_EMULATOR_HOST")
    if emulator:
        root = emulator if "://" in emulator else f"http://{emulator}"
        return GsSite(endpoint=root.rstrip("/"), unsigned=True)
    return GsSite(unsigned=_is_set(env, "GS_NO_SIGN_REQUEST"))
