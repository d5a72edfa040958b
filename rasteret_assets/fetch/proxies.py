"""Which proxy a server is reached through, as the environment says."""

from urllib.request import getproxies, proxy_bypass

from yarl import URL


class Proxies:
    """`http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`, read once.

    aiohttp would read them for every request, in a thread.
    """

    def __init__(self) -> None:
        self._proxies = getproxies()
        self._known: dict[tuple[str, str], str | None] = {}

    def of(self, url: URL) -> str | None:
        """Return the address of the proxy for `url`, or None."""
        if not self._proxies:
            return None
        key = (url.scheme, url.host or "")
        if key not in self._known:
            proxy = self._proxies.get(key[0]) or self._proxies.get("all")
            self._known[key] = None if proxy is None or proxy_bypass(key[1]) else proxy
        return self._known[key]
