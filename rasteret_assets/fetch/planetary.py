"""Signatures of the Planetary Computer for Azure Blob Storage."""

from typing import Final
from urllib.parse import parse_qs, urlsplit

import planetary_computer
import planetary_computer.sas

from rasteret_assets.fetch.signing import Signature

_DOMAIN: Final = ".blob.core.windows.net"
_PUBLIC: Final = frozenset({"ai4edatasetspublicassets"})
"""Accounts that take no signature."""
_SIGNED: Final = frozenset({"sig", "se", "st", "sp"})


class PlanetaryComputerSigner:
    """Signs addresses in Azure Blob Storage through the `planetary-computer` package.

    Which token service is asked, and with what subscription key, is up to that package's own
    settings (`PC_SDK_SAS_URL`, `PC_SDK_SUBSCRIPTION_KEY`).
    """

    def scope(self, url: str) -> str | None:
        """Return `account/container`; None outside Blob Storage, or where signed already."""
        if _DOMAIN not in url:
            return None
        parts = urlsplit(url)
        account, dot, rest = (parts.hostname or "").partition(".")
        if dot + rest != _DOMAIN or account in _PUBLIC or _SIGNED & parse_qs(parts.query).keys():
            return None
        container = parts.path.lstrip("/").partition("/")[0]
        return f"{account}/{container}" if container else None

    def signature(self, scope: str) -> Signature:
        """Return a new shared access signature for `account/container`."""
        account, _, container = scope.partition("/")
        # That package keeps tokens as well; one that a server refused must not come back.
        planetary_computer.sas.TOKEN_CACHE.clear()
        token = planetary_computer.sas.get_token(account, container)
        return Signature(query=token.token, expires=token.expiry)
