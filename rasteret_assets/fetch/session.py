"""The pool of connections, set up to cost little per request."""

from importlib.metadata import version

import aiohttp

from rasteret_assets.contract.settings import FetchSettings
from rasteret_assets.fetch.resolver import GuardedResolver

_NAMES_HOLD_S = 300
_IDLE_CONNECTIONS_S = 30.0
_READ_BUFFER_BYTES = 1 << 20


def open_session(settings: FetchSettings) -> aiohttp.ClientSession:
    """Return a client session of the running loop; the caller closes it.

    Its only timeout is that of connecting: one for the whole request would make several timer
    objects each. Cookies, redirects and decompression are off, limits are counted elsewhere.
    """
    connector = aiohttp.TCPConnector(
        limit=0,
        resolver=GuardedResolver(),
        ttl_dns_cache=_NAMES_HOLD_S,
        keepalive_timeout=_IDLE_CONNECTIONS_S,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=settings.connect_timeout_s),
        headers={
            "User-Agent": f"rasteret-assets/{version('rasteret-assets')}",
            "Accept-Encoding": "identity",  # ranges of a compressed body have no place in a file
        },
        auto_decompress=False,
        read_bufsize=_READ_BUFFER_BYTES,
    )
