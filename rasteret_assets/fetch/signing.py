"""Signatures that are appended to web addresses, as Azure's shared access signatures are."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What makes an address of one scope readable, until it expires."""

    query: str
    """`name=value&…`, percent-encoded, without a leading `?`."""
    expires: datetime
    """With a time zone."""


@runtime_checkable
class HrefSigner(Protocol):
    """Knows which web addresses need a signature, and where to get it.

    Signatures are kept per scope and got again shortly before they expire, or when a server
    refuses them; a signer needs no cache of its own. It is part of what tells connections
    apart, so it has to be hashable, as every plain class is.
    """

    def scope(self, url: str) -> str | None:
        """Return what the signature of `url` is good for, or None if it needs none.

        Called for every address, so it should be quick. Addresses of the same scope share one
        signature.
        """

    def signature(self, scope: str) -> Signature:
        """Return a new signature for `scope`; called in a thread, so it may block.

        Raises
        ------
        OSError
            If none can be had.
        """
