"""One file on its way through requests, and what turns it into an address to ask."""

import time
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from yarl import URL

from rasteret_assets.fetch.hosts import Host
from rasteret_assets.fetch.outcomes import Refusal
from rasteret_assets.locations import Location


class Address(NamedTuple):
    """Where to send a request, and with what headers besides Range."""

    url: URL
    headers: Mapping[str, str]
    credential: object = None
    """What it was signed with; only ever compared."""


class Target:
    """One file, and what its requests have taken so far, all of them together."""

    __slots__ = (
        "bytes_fetched",
        "deadline",
        "host",
        "href",
        "location",
        "origin",
        "redirected",
        "tries",
    )

    def __init__(self, href: str, location: Location, origin: "Origin", host: Host) -> None:
        self.href = href
        self.location = location
        self.origin = origin
        self.host = host
        self.redirected: URL | None = None
        """Where a redirect led."""
        self.tries = 0
        self.bytes_fetched = 0
        self.deadline: float | None = None
        """`time.monotonic()` after which nothing is tried again; set by the first request."""

    def begin(self, budget_s: float) -> float:
        """Return the deadline, which is `budget_s` from now if this is the first request."""
        if self.deadline is None:
            self.deadline = time.monotonic() + budget_s
        return self.deadline


class Origin(Protocol):
    """A kind of server: how its files are addressed, and what its refusals can be cured by."""

    async def address(self, location: Location) -> Address:
        """Return where `location` is asked for, signed if need be.

        Raises
        ------
        FetchError
            If credentials cannot be had.
        """

    def cure(self, location: Location, sent: Address, refusal: Refusal) -> bool:
        """Note what `refusal` teaches; return whether asking at once again may go better."""
