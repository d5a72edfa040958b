"""Files at web addresses, their query signed where a signer says so."""

import time
from http import HTTPStatus
from typing import Final

from yarl import URL

from rasteret_assets.errors import FetchError, ProblemCode
from rasteret_assets.fetch.outcomes import Refusal
from rasteret_assets.fetch.renewing import Loaded, Renewing
from rasteret_assets.fetch.signing import HrefSigner, Signature
from rasteret_assets.fetch.target import Address
from rasteret_assets.locations import Location

_NO_HEADERS: Final[dict[str, str]] = {}
_EXPIRES_EARLY_S: Final = 30.0
_REFUSED: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


class WebOrigin:
    """http and https."""

    def __init__(self, signer: HrefSigner | None) -> None:
        self._signer = signer
        self._signatures: dict[str, Renewing[Signature]] = {}
        self._roots: dict[str, URL] = {}

    async def address(self, location: Location, method: str = "GET") -> Address:  # noqa: ARG002 - as all origins
        """Return the address as it is, or with a signature that holds."""
        if self._signer is None:
            return Address(self._url(location.url), _NO_HEADERS)
        signatures = self._signatures_for(location)
        if signatures is None:
            return Address(self._url(location.url), _NO_HEADERS)
        signature = signatures.current() or await signatures.get()
        joint = "&" if "?" in location.url else "?"
        url = f"{location.url}{joint}{signature.query}"
        return Address(URL(url, encoded=True), _NO_HEADERS, signature)

    def cure(self, location: Location, sent: Address, refusal: Refusal) -> bool:
        """Have a refused signature renewed."""
        if refusal.status not in _REFUSED or sent.credential is None:
            return False
        signatures = self._signatures_for(location)
        return signatures is not None and signatures.refuse(sent.credential)

    def _url(self, url: str) -> URL:
        """Return `url` parsed; for most only the path is, as the server is an old acquaintance."""
        if "?" in url:
            return URL(url, encoded=True)
        cut = url.index("/", len("https://"))
        if (root := self._roots.get(url[:cut])) is None:
            root = self._roots[url[:cut]] = URL(url[:cut], encoded=True)
        return root.with_path(url[cut:], encoded=True)

    def _signatures_for(self, location: Location) -> Renewing[Signature] | None:
        if self._signer is None or (scope := self._signer.scope(location.url)) is None:
            return None
        if (known := self._signatures.get(scope)) is None:
            signer = self._signer
            known = Renewing(lambda: _load(signer, scope))
            self._signatures[scope] = known
        return known


def _load(signer: HrefSigner, scope: str) -> Loaded[Signature]:
    try:
        signature = signer.signature(scope)
    except OSError as error:
        detail = f"no signature could be had: {error}"
        raise FetchError(ProblemCode.UNREACHABLE, detail) from error
    left = signature.expires.timestamp() - time.time()
    return Loaded(value=signature, good_for_s=left - min(_EXPIRES_EARLY_S, left / 10))
