"""Names to addresses, with those left out that must never be asked."""

import socket

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from rasteret_assets.locations import check_address


class GuardedResolver(AbstractResolver):
    """The system's resolver; a name that leads to a blocked address is refused whole."""

    def __init__(self) -> None:
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of `host`.

        Raises
        ------
        ProblemError
            ADDRESS_BLOCKED where one of them is link-local or a metadata service's.
        """
        found = await self._inner.resolve(host, port, family)
        for one in found:
            check_address(one["host"])
        return found

    async def close(self) -> None:
        """Close the system's resolver."""
        await self._inner.close()
