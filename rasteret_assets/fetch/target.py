"""One file on its way through requests, and what turns it into an address to ask."""

from collections.abc import Callable, Mapping
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
    """One file, while it is asked for."""

    __slots__ = (
        "bytes_fetched",
        "deadline",
        "host",
        "href",
        "location",
        "on_failure",
        "origin",
        "redirected",
        "requests",
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
        """Most tries that one of its requests took."""
        self.requests = 0
        """Sent for it so far, tries included."""
        self.bytes_fetched = 0
        """What its answers brought."""
        self.deadline: float | None = None
        """`time.monotonic()` after which nothing is tried again; set by the first request."""
        self.on_failure: Callable[[], None] | None = None
        """Called when a try fails for the first time, whatever comes of further ones."""

    def again(self) -> "Target":
        """Return the same file, asked for anew: its tries and their time are its own."""
        return Target(self.href, self.location, self.origin, self.host)

    def failed(self) -> None:
        """Tell whoever wants to know that a try failed."""
        tell, self.on_failure = self.on_failure, None
        if tell is not None:
            tell()


class Origin(Protocol):
    """A kind of server: how its files are addressed, and what its refusals can be cured by."""

    async def address(self, location: Location, method: str = "GET") -> Address:
        """Return where `location` is asked for by `method`, signed if need be.

        Raises
        ------
        FetchError
            If credentials cannot be had.
        """

    def cure(self, location: Location, sent: Address, refusal: Refusal) -> bool:
        """Note what `refusal` teaches; return whether asking at once again may go better."""
