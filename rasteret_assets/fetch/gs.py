"""Files in Google Cloud Storage."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

import google.auth
import google.auth.credentials
import google.auth.exceptions
import google.auth.transport.requests
from yarl import URL

from rasteret_assets.errors import FetchError, ProblemCode
from rasteret_assets.fetch.outcomes import Refusal
from rasteret_assets.fetch.renewing import Loaded, Renewing
from rasteret_assets.fetch.target import Address
from rasteret_assets.locations import GsSite, Location

_SCOPES: Final = ("https://www.googleapis.com/auth/devstorage.read_only",)
_EXPIRES_EARLY_S: Final = 240.0
"""google-auth calls a token stale 3:45 before it expires, and only then gets another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GsAccount:
    """What requests carry to say who asks; nothing for nobody."""

    headers: dict[str, str]


class GsOrigin:
    """`gs://`: the XML API, with a bearer token of google-auth's default credentials."""

    def __init__(self, site: GsSite, *, requester_pays: bool) -> None:
        self._site = site
        load = _nobody if site.unsigned else _DefaultAccount(requester_pays=requester_pays).load
        self._account = Renewing(load)

    async def address(self, location: Location, method: str = "GET") -> Address:  # noqa: ARG002 - as all origins
        """Return the object's address, with a token that holds."""
        account = self._account.current() or await self._account.get()
        url = self._site.address_of(location.bucket, location.key)
        return Address(URL(url, encoded=True), account.headers, account)

    def cure(self, location: Location, sent: Address, refusal: Refusal) -> bool:  # noqa: ARG002 - as all origins
        """Have a refused token renewed."""
        return refusal.status == HTTPStatus.UNAUTHORIZED and self._account.refuse(sent.credential)


def _nobody() -> Loaded[GsAccount]:
    return Loaded(value=GsAccount(headers={}), good_for_s=math.inf)


class _DefaultAccount:
    """Application default credentials; without any, requests go out anonymously."""

    def __init__(self, *, requester_pays: bool) -> None:
        self._requester_pays = requester_pays
        self._credentials: google.auth.credentials.Credentials | None = None
        self._project: str | None = None

    def load(self) -> Loaded[GsAccount]:
        """Return a new token."""
        try:
            if self._credentials is None:
                self._credentials, self._project = google.auth.default(scopes=_SCOPES)
            request = google.auth.transport.requests.Request()
            self._credentials.refresh(request)  # type: ignore[no-untyped-call]  # as google-auth has it
        except google.auth.exceptions.DefaultCredentialsError:
            return _nobody()
        except google.auth.exceptions.GoogleAuthError as error:
            detail = f"Google credentials could not be had: {error}"
            raise FetchError(ProblemCode.FORBIDDEN, detail) from error
        headers = {"Authorization": f"Bearer {self._credentials.token}"}
        if self._requester_pays and self._project:
            headers["x-goog-user-project"] = self._project
        return Loaded(value=GsAccount(headers=headers), good_for_s=self._good_for_s())

    def _good_for_s(self) -> float:
        expiry: datetime | None = self._credentials.expiry if self._credentials else None
        if expiry is None:
            return math.inf
        left = (expiry.replace(tzinfo=UTC) - datetime.now(UTC)).total_seconds()
        return max(left - _EXPIRES_EARLY_S, 1.0)
