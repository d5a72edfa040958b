"""One href, understood: where its bytes are kept, and by what name."""

import os.path
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, NoReturn
from urllib.parse import parse_qs, quote, urlsplit

from rasteret_assets.errors import ProblemCode, ProblemError
from rasteret_assets.locations.addresses import check_address
from rasteret_assets.locations.file_uris import is_file_uri, path_of
from rasteret_assets.locations.join import join_href

Scheme = Literal["https", "http", "s3", "gs", "file"]

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*)://")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,254}")
_WEB: Final = re.compile(r"(?i:(https?)://)([^/?#]*)([^#]*)")
_HOST: Final = re.compile(r"[A-Za-z0-9._\-]+|[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._\-]+)?")
_USER: Final = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:%]*")
_SENDABLE: Final = re.compile(r"[A-Za-z0-9\-._~:/?@!$&'()*+,;=%\[\]]*")
_STRAY_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_KEEP: Final = "-._~:/?@!$&'()*+,;=%[]"
"""What RFC 3986 allows in a path or query, and `%`, since hrefs come encoded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where one file is."""

    scheme: Scheme
    url: str
    """The address as a URI; for http and https ready to be sent, without fragment."""
    host: str = ""
    """http, https: host, and port unless it is the scheme's own, in lower case."""
    bucket: str = ""
    """s3, gs."""
    key: str = ""
    """s3, gs: the object's name as the store knows it, not percent-encoded."""
    path: str = ""
    """file: an absolute path of this machine."""


def locate(href: str, base: str | None = None) -> Location:
    """Return where `href` leads; relative ones are joined to the folder `base`.

    GDAL's `/vsicurl/`, `/vsis3/` and `/vsigs/` forms are understood. Keys of `s3://` and
    `gs://` are literal: `%20` in them is three characters. What a web address may not hold
    (blanks, letters beyond ASCII) is percent-encoded, the rest is sent as it is.

    Raises
    ------
    ProblemError
        HREF_INVALID where it is no location, ADDRESS_BLOCKED where its scheme or host is
        never asked.

    Examples
    --------
    >>> locate("/vsis3/scenes/2024/a b.tif").url
    's3://scenes/2024/a b.tif'
    >>> locate("B04.tif", "https://example.com/s2/").url
    'https://example.com/s2/B04.tif'
    """
    text = href.strip()
    if (match := _WEB.match(text)) is not None:
        return _web(match)
    if not text:
        _refuse("it is blank")
    _refuse_control(text)
    if text.startswith("/vsi"):
        text = _from_gdal(text)
    match = _SCHEME.match(text)
    if match is None and base is not None:
        text = join_href(text, base)
        match = _SCHEME.match(text)
    scheme = match[1].lower() if match else "file"
    if (web := _WEB.match(text)) is not None:
        return _web(web)
    if scheme in ("s3", "gs", "s3a", "gcs"):
        return _object("s3" if scheme.startswith("s3") else "gs", text.partition("://")[2])
    if scheme == "file":
        return _file(text)
    raise ProblemError(ProblemCode.ADDRESS_BLOCKED, f"the scheme {scheme}: is not fetched from")


def _web(match: re.Match[str]) -> Location:
    scheme: Scheme = "https" if len(match[1]) == len("https") else "http"
    netloc, host = _authority(scheme, match[2])
    path = match[3]
    if not _SENDABLE.fullmatch(path):
        _refuse_control(path)
        path = quote(path, safe=_KEEP)
    if "%" in path:
        path = _STRAY_PERCENT.sub("%25", path)
    if not path.startswith("/"):
        path = "/" + path
    return Location(scheme=scheme, url=f"{scheme}://{netloc}{path}", host=host)


@lru_cache(maxsize=4096)
def _authority(scheme: Scheme, netloc: str) -> tuple[str, str]:
    """Return the authority as it is sent, and the host it names, port where not the usual."""
    user, at, name = netloc.rpartition("@")
    try:
        # IDNA's form of names beyond ASCII; it also refuses labels no resolver takes
        name = name if "[" in name else name.encode("idna").decode()
        parts = urlsplit(f"//{name}")
        host, port = parts.hostname, parts.port
    except ValueError:
        _refuse("its host is no host name")
    if not host or not _HOST.fullmatch(host) or not _USER.fullmatch(user):
        _refuse("its host is no host name")
    check_address(host)
    shown = f"[{host}]" if ":" in host else host
    if port not in (None, 443 if scheme == "https" else 80):
        shown = f"{shown}:{port}"
    return user + at + shown, shown


def _object(scheme: Scheme, name: str) -> Location:
    bucket, _, key = name.partition("/")
    if not _BUCKET.fullmatch(bucket):
        _refuse(f"{bucket!r} is no bucket name")
    if not key or key.endswith("/"):
        _refuse("it names no object")
    return Location(scheme=scheme, url=f"{scheme}://{bucket}/{key}", bucket=bucket, key=key)


def _file(text: str) -> Location:
    # resolve() of pathlib would follow links; the href's own name is what is kept
    path = os.path.abspath(path_of(text) if is_file_uri(text) else text)  # noqa: PTH100
    return Location(scheme="file", url="file://" + quote(path), path=path)


def _from_gdal(text: str) -> str:
    """Return the URI that a path of GDAL's virtual file systems stands for."""
    for prefix in ("/vsicurl/", "/vsicurl_streaming/"):
        if text.startswith(prefix):
            return text.removeprefix(prefix)
    if text.startswith("/vsicurl?"):
        # "/vsicurl?max_retry=3&url=https%3A//…": options, then the address
        (url, *_) = parse_qs(text.removeprefix("/vsicurl?")).get("url", [""])
        return url
    for scheme, prefixes in _GDAL_STORES.items():
        for prefix in prefixes:
            if text.startswith(prefix):
                return f"{scheme}://{text.removeprefix(prefix)}"
    name = text[1:].partition("/")[0]
    raise ProblemError(
        ProblemCode.ADDRESS_BLOCKED,
        f"/{name}/ is not fetched from; use https, s3, gs or a path",
    )


_GDAL_STORES: Final = {
    "s3": ("/vsis3/", "/vsis3_streaming/"),
    "gs": ("/vsigs/", "/vsigs_streaming/"),
}


def _refuse_control(text: str) -> None:
    if _CONTROL.search(text):
        _refuse("it holds control characters")


def _refuse(why: str) -> NoReturn:
    raise ProblemError(ProblemCode.HREF_INVALID, f"the href is no location: {why}")
