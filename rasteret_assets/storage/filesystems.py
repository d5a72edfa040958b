"""What a URL's storage is: a filesystem, and the path within it."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

import fsspec
import google.auth.exceptions
from botocore.exceptions import BotoCoreError, ClientError
from fsspec.implementations import http
from fsspec.spec import AbstractFileSystem
from gcsfs.core import GCSFileSystem
from gcsfs.retry import HttpError

from rasteret_assets.errors import ConfigError, RasteretAssetsError, WorkspaceError

STORE_ERRORS: Final = (
    OSError,
    BotoCoreError,
    ClientError,
    HttpError,
    google.auth.exceptions.GoogleAuthError,
    http.aiohttp.ClientError,  # fsspec lets these through as they are
)
"""What the filesystems raise when storage fails; not all of it is an OSError."""

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_S3: Final = frozenset({"s3", "s3a"})
_GS: Final = frozenset({"gs", "gcs"})
_STORES: Final = _S3 | _GS
_REGION_FIRST: Final = re.compile(r"([a-z]{2}(?:-[a-z]+)+-\d)\.")
_TRUE: Final = {"YES", "TRUE", "ON", "1"}


def filesystem_of(url: str) -> tuple[AbstractFileSystem, str]:
    """Return the filesystem that `url` is on, and its path there.

    Plain paths and `file://` are this machine's; `s3://`, `gs://` and `http(s)://` follow
    the usual environment: `AWS_NO_SIGN_REQUEST=YES` reads without credentials,
    `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL`, `AWS_PROFILE`, `AWS_REGION`;
    `STORAGE_EMULATOR_HOST` for Google's, which is read anonymously where no credentials
    are found, or `GS_NO_SIGN_REQUEST=YES` says so. Any other URL is left to fsspec.
    Listings are never cached, so a file that changed is seen.

    Raises
    ------
    ConfigError
        If nothing installed understands the URL's scheme, or it lacks a host or bucket.
    WorkspaceError
        If a server that has to be connected to for this, as fsspec's for FTP, is not there.
    """
    check_url(url)
    found = _SCHEME.match(url)
    scheme = found[1].lower() if found else "file"
    if scheme == "file":
        path = url[found.end() :] if found else url
        return fsspec.filesystem("file"), os.path.abspath(os.path.expanduser(path))  # noqa: PTH100, PTH111 # Path would drop a trailing slash's meaning and cost more
    if scheme in {"http", "https"}:
        return fsspec.filesystem("http", use_listings_cache=False), url
    if scheme in _S3:
        fs = _s3(url[found.end() :].split("/", 1)[0] if found else "")
    elif scheme in _GS:
        fs = _gs()
    else:
        fs = _other(scheme, url)
    return fs, fs._strip_protocol(url)  # noqa: SLF001 # fsspec's own way from a URL to a path


def check_url(url: str) -> None:
    """Refuse a URL without the host or bucket that its scheme asks for.

    Raises
    ------
    ConfigError
        Saying how it is written.
    """
    found = _SCHEME.match(url)
    scheme = found[1].lower() if found else "file"
    if scheme in {"http", "https"} and not _host_of(url):
        msg = f"{url}: names no host; write {scheme}://example.com/items.parquet"
        raise ConfigError(msg)
    if scheme in _STORES and found and url[found.end() : found.end() + 1] in {"", "/"}:
        msg = f"{url}: names no bucket; write {scheme}://bucket/folder"
        raise ConfigError(msg)


@contextmanager
def asking(url: str) -> Iterator[None]:
    """Raise the failures of the storage that `url` is on as WorkspaceError."""
    try:
        yield
    except RasteretAssetsError:
        raise
    except STORE_ERRORS as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        msg = f"{url}: cannot be asked ({said}); check the address and credentials"
        raise WorkspaceError(msg) from error


def url_of(fs: AbstractFileSystem, path: str) -> str:
    """Return the URL that `filesystem_of` takes to `path`; local files are plain paths."""
    if is_local(fs) or "://" in path:
        return path
    return str(fs.unstrip_protocol(path))


def is_local(fs: AbstractFileSystem) -> bool:
    """Whether the files are this machine's own."""
    return "file" in _protocols(fs)


def is_memory(fs: AbstractFileSystem) -> bool:
    """Whether the files live in this process alone."""
    return "memory" in _protocols(fs)


def lists_by_prefix(fs: AbstractFileSystem) -> bool:
    """Whether one request lists all names that begin alike, however deep (s3 and gs)."""
    return not _protocols(fs).isdisjoint({"s3", "gs"})


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:  # brackets that hold no IPv6 address
        return ""


def _protocols(fs: AbstractFileSystem) -> set[str]:
    return {fs.protocol} if isinstance(fs.protocol, str) else set(fs.protocol)


def _s3(bucket: str) -> AbstractFileSystem:
    # What the environment says is passed on in full, since fsspec keeps one instance for
    # equal arguments: another environment then means another instance.
    env = os.environ
    endpoint = env.get("AWS_ENDPOINT_URL_S3") or env.get("AWS_ENDPOINT_URL")
    region = env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION")
    if not endpoint and (named := _REGION_FIRST.match(bucket)):
        # Source Cooperative names its buckets by region: us-west-2.opendata.source.coop
        region = named[1]
    # botocore does the rest: a bucket with dots, or an endpoint of one's own, is asked by path,
    # and a region that is wrong is mended by following S3's redirect.
    return fsspec.filesystem(
        "s3",
        anon=env.get("AWS_NO_SIGN_REQUEST", "").upper() in _TRUE,
        requester_pays=env.get("AWS_REQUEST_PAYER", "").lower() == "requester",
        use_listings_cache=False,
        client_kwargs={"region_name": region} if region else {},
        **({"endpoint_url": endpoint} if endpoint else {}),
        **({"profile": env["AWS_PROFILE"]} if env.get("AWS_PROFILE") else {}),
    )


def _gs() -> AbstractFileSystem:
    emulator = os.environ.get("STORAGE_EMULATOR_HOST", "")
    if emulator and "://" not in emulator:
        emulator = f"http://{emulator}"
    unsigned = emulator or os.environ.get("GS_NO_SIGN_REQUEST", "").upper() in _TRUE
    # Without a token, gcsfs tries the default credentials and ends at anonymous.
    given = {
        **({"endpoint_url": emulator} if emulator else {}),
        **({"token": "anon"} if unsigned else {}),
        # Read by Google's library, once for each instance; here it tells instances apart.
        "credentials_file": os.environ.get("GOOGLE_APPLICATION_CREDENTIALS"),
    }
    # Not the class that gcsfs registers: that one asks each bucket by gRPC for its kind, which
    # an anonymous caller or an emulator waits a minute for.
    return GCSFileSystem(use_listings_cache=False, **given)


def _other(scheme: str, url: str) -> AbstractFileSystem:
    try:
        with asking(url):  # some connect at once
            fs, _ = fsspec.core.url_to_fs(url, use_listings_cache=False)
    except (ImportError, ValueError) as error:
        msg = (
            f"{url}: no storage for {scheme}:// here ({error}); use a path, s3://, gs:// or "
            "https://, or install the fsspec filesystem for it"
        )
        raise ConfigError(msg) from error
    return fs
