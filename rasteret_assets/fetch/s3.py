"""Files in S3 and in stores that speak its protocol."""

import math
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import botocore.exceptions
import botocore.session
from yarl import URL

from rasteret_assets.errors import FetchError, ProblemCode
from rasteret_assets.fetch.outcomes import Refusal
from rasteret_assets.fetch.renewing import Loaded, Renewing
from rasteret_assets.fetch.sigv4 import AwsKeys, S3Signer
from rasteret_assets.fetch.target import Address
from rasteret_assets.locations import Location, S3Site, object_path

_DEFAULT_REGION: Final = "us-east-1"
_REGION: Final = re.compile(r"[a-z0-9\-]{1,40}")
_REGION_IN_TEXT: Final = re.compile(r"<Region>([a-z0-9\-]{1,40})</Region>")
_EXPIRED: Final = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"})
_KEYS_LOOKED_AT_EVERY_S: Final = 60.0
"""botocore renews keys that expire 10 to 15 minutes before they do, if it is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsAccount:
    """Who asks, and where it is at home."""

    keys: AwsKeys | None
    region: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Route:
    """How the objects of one bucket are reached."""

    account: AwsAccount
    region: str
    server: str
    prefix: str
    signer: S3Signer | None


class S3Origin:
    """`s3://`: addresses by bucket and region, signed with the credentials botocore finds."""

    def __init__(self, site: S3Site, *, requester_pays: bool) -> None:
        self._site = site
        self._requester_pays = requester_pays
        self._account = Renewing(_nobody if site.unsigned else _BotocoreAccount().load)
        self._regions: dict[str, str] = {}
        self._routes: dict[str, _Route] = {}

    async def address(self, location: Location, method: str = "GET") -> Address:
        """Return the object's address in the region its bucket is known or thought to be in."""
        account = self._account.current() or await self._account.get()
        route = self._routes.get(location.bucket)
        if route is None or route.account is not account:
            route = self._route_to(location.bucket, account)
            self._routes[location.bucket] = route
        path = route.prefix + object_path(location.key)
        headers = {} if route.signer is None else route.signer.headers(path, method=method)
        return Address(URL(route.server + path, encoded=True), headers, route)

    def cure(self, location: Location, sent: Address, refusal: Refusal) -> bool:
        """Learn the bucket's region, or have expired keys renewed.

        Of many requests under way to the wrong region each is cured, not the first alone:
        what counts is the way this one went, whatever another has taught meanwhile.
        """
        route = sent.credential
        if not isinstance(route, _Route):
            return False
        named = _region_named(refusal)
        if named and route.region != named:
            self._regions[location.bucket] = named
            known = self._routes.get(location.bucket)
            if known is not None and known.region != named:
                del self._routes[location.bucket]
            return True
        return refusal.store_code in _EXPIRED and self._account.refuse(route.account)

    def _route_to(self, bucket: str, account: AwsAccount) -> _Route:
        region = self._regions.get(bucket) or self._site.region or account.region or _DEFAULT_REGION
        parts = urlsplit(self._site.root_of(bucket, region))
        signer = None
        if account.keys is not None:
            signer = S3Signer(
                account.keys, region, parts.netloc, requester_pays=self._requester_pays
            )
        return _Route(
            account=account,
            region=region,
            server=f"{parts.scheme}://{parts.netloc}",
            prefix=parts.path + "/",
            signer=signer,
        )


def _region_named(refusal: Refusal) -> str:
    """Return the region that the store says the bucket is in; empty where it says none."""
    named = refusal.headers.get("x-amz-bucket-region", "")
    if _REGION.fullmatch(named):
        return named
    match = _REGION_IN_TEXT.search(refusal.text)
    return match[1] if match else ""


def _nobody() -> Loaded[AwsAccount]:
    return Loaded(value=AwsAccount(keys=None, region=None), good_for_s=math.inf)


class _BotocoreAccount:
    """The credentials of botocore's whole chain: environment, profiles, SSO, roles, instances."""

    def __init__(self) -> None:
        self._session: botocore.session.Session | None = None
        self._last: AwsAccount | None = None

    def load(self) -> Loaded[AwsAccount]:
        """Return the account as it is now; keys about to expire are renewed.

        Without credentials requests go out unsigned, which public buckets answer.
        """
        try:
            account = self._account()
        except botocore.exceptions.BotoCoreError as error:
            detail = f"AWS credentials could not be had: {error}"
            raise FetchError(ProblemCode.FORBIDDEN, detail) from error
        if account == self._last:
            account = self._last  # routes know their account by identity
        self._last = account
        return Loaded(value=account, good_for_s=_KEYS_LOOKED_AT_EVERY_S)

    def _account(self) -> AwsAccount:
        if self._session is None:
            self._session = botocore.session.Session()
        region = self._session.get_config_variable("region")
        credentials = self._session.get_credentials()
        if credentials is None:
            return AwsAccount(keys=None, region=region)
        frozen = credentials.get_frozen_credentials()
        keys = AwsKeys(access=frozen.access_key, secret=frozen.secret_key, token=frozen.token)
        return AwsAccount(keys=keys, region=region)
