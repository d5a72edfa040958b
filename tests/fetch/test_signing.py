import json
import time
import warnings
from datetime import UTC, datetime, timedelta

import pytest

from rasteret_assets.contract.settings import FetchSettings
from rasteret_assets.errors import ProblemCode
from rasteret_assets.fetch import HeaderFetcher, HrefSigner, Signature
from tests.rig.http_server import RangeServer
from tests.rig.signers import TokenSigner

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # pydantic's, about that package
    import planetary_computer

    from rasteret_assets.fetch.planetary import PlanetaryComputerSigner


class NoSigner(TokenSigner):
    def signature(self, scope: str) -> Signature:
        self.asked.append(scope)
        msg = "the token service is down"
        raise OSError(msg)


def hrefs_of(server: RangeServer, body: bytes, count: int) -> list[str]:
    server.demand_tokens()
    return [server.put(f"{number}.tif", body) for number in range(count)]


def test_unsigned_requests_are_refused_and_signed_ones_answered(
    server: RangeServer, small_cog: bytes
) -> None:
    hrefs = hrefs_of(server, small_cog, 100)
    with HeaderFetcher(FetchSettings()) as fetcher:
        assert {one.code for one in fetcher.fetch(hrefs)} == {ProblemCode.FORBIDDEN}
    signer = TokenSigner(server)
    with HeaderFetcher(FetchSettings(), signer=signer) as fetcher:
        found = fetcher.fetch(hrefs)
    assert {one.code for one in found} == {None}
    assert signer.asked == ["all"]
    assert found[0].file is not None
    assert found[0].file.href == hrefs[0]  # never the signed address


def test_a_signature_that_was_withdrawn_is_renewed_once(
    server: RangeServer, small_cog: bytes
) -> None:
    hrefs = hrefs_of(server, small_cog, 50)
    signer = TokenSigner(server)
    with HeaderFetcher(FetchSettings(), signer=signer) as fetcher:
        fetcher.fetch(hrefs)
        time.sleep(1.1)
        server.expire_tokens()
        server.forget()
        found = fetcher.fetch(hrefs)
    assert {one.code for one in found} == {None}
    assert len(signer.asked) == 2
    assert len(server.seen()) <= 100


def test_a_signature_about_to_expire_is_not_used(server: RangeServer, small_cog: bytes) -> None:
    hrefs = hrefs_of(server, small_cog, 5)
    signer = TokenSigner(server, ttl_s=1.0)
    with HeaderFetcher(FetchSettings(), signer=signer) as fetcher:
        fetcher.fetch(hrefs)
        time.sleep(1.0)
        fetcher.fetch(hrefs)
    assert len(signer.asked) == 2
    assert {one.status for one in server.seen()} == {206}


def test_files_that_are_forbidden_for_good_do_not_renew_signatures(
    server: RangeServer, small_cog: bytes
) -> None:
    hrefs = hrefs_of(server, small_cog, 100)
    signer = TokenSigner(server, ttl_s=0.0)
    signer.ttl_s = 3600.0
    with HeaderFetcher(FetchSettings(), signer=signer) as fetcher:
        fetcher.fetch(hrefs[:1])
        server.expire_tokens()
        found = fetcher.fetch(hrefs[1:])
    assert {one.code for one in found} == {ProblemCode.FORBIDDEN}
    assert len(signer.asked) == 1


def test_a_token_service_that_is_down_is_asked_once_for_all(
    server: RangeServer, small_cog: bytes
) -> None:
    hrefs = hrefs_of(server, small_cog, 100)
    signer = NoSigner(server)
    with HeaderFetcher(FetchSettings(), signer=signer) as fetcher:
        found = fetcher.fetch(hrefs)
    assert {one.code for one in found} == {ProblemCode.UNREACHABLE}
    assert found[0].detail == "no signature could be had: the token service is down"
    assert len(signer.asked) == 1


def test_addresses_that_have_a_query_keep_it(server: RangeServer, small_cog: bytes) -> None:
    (href,) = hrefs_of(server, small_cog, 1)
    with HeaderFetcher(FetchSettings(), signer=TokenSigner(server)) as fetcher:
        (found,) = fetcher.fetch([f"{href}?version=%2B2"])
    assert found.code is None
    assert server.seen()[0].query.startswith("version=%2B2&sig=")


@pytest.fixture
def planetary(server: RangeServer, monkeypatch: pytest.MonkeyPatch) -> RangeServer:
    """The range server in place of the Planetary Computer's token service."""
    expiry = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    answer = {"msft:expiry": expiry, "token": "st=1&se=2&sp=rl&sig=a%2Fb"}
    server.put("sas/naipeuwest/naip", json.dumps(answer).encode())
    monkeypatch.setenv("PC_SDK_SAS_URL", server.url("sas"))
    planetary_computer.settings.Settings.get.cache_clear()
    return server


def test_the_planetary_computers_signatures_are_those_of_its_package(
    planetary: RangeServer,
) -> None:
    signer: HrefSigner = PlanetaryComputerSigner()
    url = "https://naipeuwest.blob.core.windows.net/naip/v002/al/2011/a.tif"
    scope = signer.scope(url)
    assert scope is not None
    assert f"{url}?{signer.signature(scope).query}" == planetary_computer.sign_url(url)
    assert signer.signature(scope).expires > datetime.now(UTC)
    # every new signature is a new one, whatever that package remembers
    assert len(planetary.seen("sas/naipeuwest/naip")) == 2


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/a.blob.core.windows.net/x",
        "https://ai4edatasetspublicassets.blob.core.windows.net/a/b.png",
        "https://naipeuwest.blob.core.windows.net/naip/a.tif?st=1&se=2&sp=rl&sig=x",
        "https://naipeuwest.blob.core.windows.net/",
        "https://blob.core.windows.net.example.com/a/b",
    ],
)
def test_what_the_planetary_computer_need_not_sign(url: str) -> None:
    assert PlanetaryComputerSigner().scope(url) is None
