import asyncio
import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from rasteret_assets.contract.settings import FetchSettings
from rasteret_assets.errors import FetchError, ProblemCode
from rasteret_assets.fetch import Body, HeaderFetcher, RangeReader
from rasteret_assets.fetch.gs import GsOrigin
from rasteret_assets.fetch.outcomes import Refusal
from rasteret_assets.locations import GsSite, locate
from tests.rig.http_answers import Answer, Request
from tests.rig.http_server import Fault, RangeServer
from tests.rig.stores import Store

DATA = bytes(range(256)) * 100
ODD_KEYS = ["a b+c/ü%20~.tif", "a//b.tif", "a/x&y=z;?q#f'().tif", "日本/*!@$,:.tif"]
QUICK = FetchSettings(retry_budget_s=2.0, max_attempts=2)


def read(hrefs: Sequence[str], settings: FetchSettings = QUICK) -> list[bytes | FetchError]:
    async def all_of_them() -> list[bytes | FetchError]:
        found: list[bytes | FetchError] = []
        async with RangeReader(settings) as reader:
            for href in hrefs:
                try:
                    found.append(bytes((await reader.read(href, 10, 20)).data))
                except FetchError as error:
                    found.append(error)
        return found

    return asyncio.run(all_of_them())


def code_of(href: str, settings: FetchSettings = QUICK) -> ProblemCode:
    (found,) = read([href], settings)
    assert isinstance(found, FetchError)
    return found.code


# --- S3 ----------------------------------------------------------------------------------


def test_objects_of_s3_are_read_whatever_their_keys(
    s3: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.apply(monkeypatch)
    s3.make_bucket("odd.keys")
    hrefs = [s3.put("odd.keys", key, DATA) for key in ODD_KEYS]
    hrefs.append(hrefs[0].replace("s3://", "/vsis3/"))
    assert read(hrefs) == [DATA[10:20]] * len(hrefs)


def test_headers_of_s3_are_fetched(
    s3: Store, monkeypatch: pytest.MonkeyPatch, small_cog: bytes
) -> None:
    s3.apply(monkeypatch)
    s3.make_bucket("scenes")
    hrefs = [s3.put("scenes", f"{number}/B04.tif", small_cog) for number in range(20)]
    with HeaderFetcher(FetchSettings(max_concurrent=8)) as fetcher:
        found = fetcher.fetch(hrefs, hint="B04")
    assert {one.code for one in found} == {None}
    assert found[0].file is not None
    assert found[0].file.size == len(small_cog)
    assert found[0].file.etag is not None


def test_s3_is_asked_unsigned_when_told_so(s3: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.apply(monkeypatch)
    s3.make_bucket("open-and-shut")
    public = s3.put("open-and-shut", "public.tif", DATA, public=True)
    private = s3.put("open-and-shut", "private.tif", DATA)
    assert read([public, private]) == [DATA[10:20]] * 2
    monkeypatch.setenv("AWS_NO_SIGN_REQUEST", "YES")
    assert read([public]) == [DATA[10:20]]
    assert code_of(private) is ProblemCode.FORBIDDEN


def test_missing_objects_and_buckets_are_not_found(
    s3: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.apply(monkeypatch)
    s3.make_bucket("nothing-here")
    assert code_of("s3://nothing-here/a.tif") is ProblemCode.NOT_FOUND
    assert code_of("s3://no-such-bucket/a.tif") is ProblemCode.NOT_FOUND


@pytest.fixture
def fake_s3(server: RangeServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> RangeServer:
    """The range server as S3 endpoint, to see what is sent."""
    env = {
        "AWS_ENDPOINT_URL_S3": server.url(),
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "AKID",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name in ("AWS_REGION", "AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_NO_SIGN_REQUEST"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    server.put("bucket/a.tif", DATA)
    return server


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=301, headers={"x-amz-bucket-region": "eu-central-1"}),
        Fault(status=400, headers={"x-amz-bucket-region": "eu-central-1"}),
        Fault(
            status=400,
            body=b"<Error><Code>AuthorizationHeaderMalformed</Code>"
            b"<Region>eu-central-1</Region></Error>",
        ),
    ],
    ids=["301", "400", "xml"],
)
def test_the_region_of_a_bucket_is_found_and_remembered(fake_s3: RangeServer, fault: Fault) -> None:
    fake_s3.plan("bucket/a.tif", fault)
    assert read(["s3://bucket/a.tif"] * 2) == [DATA[10:20]] * 2
    regions = [one.headers["authorization"].split("/")[2] for one in fake_s3.seen()]
    assert regions == ["us-east-1", "eu-central-1", "eu-central-1"]


class RegionalServer(RangeServer):
    """Answers what was signed for one region, and names it to all others."""

    def _compose(self, request: Request, fault: Fault) -> Answer:
        if request.headers["authorization"].split("/")[2] != "eu-central-1":
            fault = Fault(status=400, headers={"x-amz-bucket-region": "eu-central-1"})
        return super()._compose(request, fault)


@pytest.mark.usefixtures("fake_s3")
def test_all_requests_under_way_learn_the_region_of_their_bucket(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def together(hrefs: Sequence[str]) -> list[Body]:
        async with RangeReader(QUICK) as reader:
            return await asyncio.gather(*(reader.read(href, 10, 20) for href in hrefs))

    with RegionalServer(latency_s=0.2) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.url())
        for number in range(40):
            server.put(f"bucket/{number}.tif", DATA)
        found = asyncio.run(together([f"s3://bucket/{number}.tif" for number in range(40)]))
        regions = [one.headers["authorization"].split("/")[2] for one in server.seen()]
    assert {body.data for body in found} == {DATA[10:20]}
    assert regions == ["us-east-1"] * 40 + ["eu-central-1"] * 40


def test_a_store_that_never_agrees_on_a_region_is_left(fake_s3: RangeServer) -> None:
    regions = [{"x-amz-bucket-region": f"eu-west-{number}"} for number in range(9)]
    fake_s3.plan("bucket/a.tif", *(Fault(status=400, headers=named) for named in regions))
    assert code_of("s3://bucket/a.tif") is ProblemCode.UNUSABLE_RESPONSE
    assert len(fake_s3.seen()) == 3


def test_only_where_allowed_the_requester_pays(fake_s3: RangeServer) -> None:
    read(["s3://bucket/a.tif"])
    read(["s3://bucket/a.tif"], FetchSettings(requester_pays=True))
    paid = [one.headers.get("x-amz-request-payer") for one in fake_s3.seen()]
    assert paid == [None, "requester"]


def test_without_any_credentials_requests_go_out_unsigned(
    fake_s3: RangeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert read(["s3://bucket/a.tif"]) == [DATA[10:20]]
    assert "authorization" not in fake_s3.seen()[0].headers


def test_credentials_of_a_profile_are_renewed_when_they_expired(
    fake_s3: RangeServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = tmp_path / "keys.py"
    soon = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
    script.write_text(
        "import json, time\n"
        "print(json.dumps({'Version': 1, 'AccessKeyId': f'AK{time.time_ns()}', 'SecretAccessKey':"
        f" 's', 'SessionToken': 't', 'Expiration': '{soon}'}}))\n"
    )
    (tmp_path / "config").write_text(
        f"[profile me]\nregion = eu-west-3\ncredential_process = {sys.executable} {script}\n"
    )
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_PROFILE", "me")

    async def before_and_after() -> None:
        async with RangeReader(QUICK) as reader:
            await reader.read("s3://bucket/a.tif", 0, 5)
            await reader.read("s3://bucket/a.tif", 0, 5)
            await asyncio.sleep(1.1)
            expired = b"<Error><Code>ExpiredToken</Code></Error>"
            fake_s3.plan("bucket/a.tif", Fault(status=400, body=expired))
            await reader.read("s3://bucket/a.tif", 0, 5)

    asyncio.run(before_and_after())
    sent = [one.headers["authorization"] for one in fake_s3.seen()]
    keys = [authorization.split("=")[1].split("/")[0] for authorization in sent]
    assert keys[0] == keys[1] == keys[2] != keys[3]
    assert "/eu-west-3/s3/" in sent[0]
    assert fake_s3.seen()[0].headers["x-amz-security-token"] == "t"


def test_a_profile_that_does_not_exist_is_everybodys_failure_at_once(
    fake_s3: RangeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    began = time.monotonic()
    found = read(["s3://bucket/a.tif"] * 200)
    assert time.monotonic() - began < 5
    assert {one.code for one in found if isinstance(one, FetchError)} == {ProblemCode.FORBIDDEN}
    assert "nobody" in str(found[0])
    assert not fake_s3.seen()


# --- Google Cloud Storage ----------------------------------------------------------------


def test_objects_of_google_are_read_whatever_their_keys(
    gcs: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    gcs.apply(monkeypatch)
    gcs.make_bucket("odd.keys")
    hrefs = [gcs.put("odd.keys", key, DATA) for key in ODD_KEYS]
    hrefs.append(hrefs[0].replace("gs://", "/vsigs/"))
    assert read(hrefs) == [DATA[10:20]] * len(hrefs)
    assert code_of("gs://odd.keys/missing.tif") is ProblemCode.NOT_FOUND
    assert code_of(gcs.put("odd.keys", "short.tif", b"abc")) is ProblemCode.TRUNCATED


def test_headers_of_google_are_fetched(
    gcs: Store, monkeypatch: pytest.MonkeyPatch, small_cog: bytes
) -> None:
    gcs.apply(monkeypatch)
    gcs.make_bucket("scenes")
    hrefs = [gcs.put("scenes", f"{number}/B04.tif", small_cog) for number in range(10)]
    with HeaderFetcher(FetchSettings(max_concurrent=4)) as fetcher:
        found = fetcher.fetch(hrefs)
    assert {one.code for one in found} == {None}


@pytest.fixture
def service_account(
    server: RangeServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> RangeServer:
    """Credentials whose tokens come from the range server."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    account = {
        "type": "service_account",
        "project_id": "my-project",
        "private_key": pem.decode(),
        "client_email": "me@my-project.iam.gserviceaccount.com",
        "token_uri": server.url("token"),
    }
    file = tmp_path / "account.json"
    file.write_text(json.dumps(account))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    return server


def give_token(server: RangeServer, token: str) -> None:
    answer = {"access_token": token, "expires_in": 3600, "token_type": "Bearer"}
    server.put("token", json.dumps(answer).encode())


def test_tokens_are_shared_and_renewed_when_refused(service_account: RangeServer) -> None:
    site = GsSite(endpoint=service_account.url().rstrip("/"))
    location = locate("gs://bucket/a b.tif")

    async def before_and_after() -> list[str]:
        origin = GsOrigin(site, requester_pays=True)
        give_token(service_account, "first")
        one, *others = await asyncio.gather(*(origin.address(location) for _ in range(50)))
        assert {other.headers["Authorization"] for other in others} == {"Bearer first"}
        give_token(service_account, "second")
        await asyncio.sleep(1.1)
        refusal = Refusal(status=401, headers={}, text="")
        assert origin.cure(location, one, refusal)
        two = await origin.address(location)
        assert not origin.cure(location, two, refusal)
        assert two.headers["x-goog-user-project"] == "my-project"
        return [str(one.url), one.headers["Authorization"], two.headers["Authorization"]]

    url, first, second = asyncio.run(before_and_after())
    assert url == service_account.url("bucket/a b.tif")
    assert (first, second) == ("Bearer first", "Bearer second")
    assert len(service_account.seen("token")) == 2


def test_without_google_credentials_requests_go_out_anonymously(
    server: RangeServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")

    async def headers() -> dict[str, str]:
        origin = GsOrigin(GsSite(endpoint=server.url()), requester_pays=False)
        return dict((await origin.address(locate("gs://bucket/a"))).headers)

    assert asyncio.run(headers()) == {}


def test_google_credentials_that_do_not_work_are_said_so(service_account: RangeServer) -> None:
    service_account.always("token", Fault(status=400, body=b'{"error": "invalid_grant"}'))

    async def ask() -> None:
        await GsOrigin(GsSite(), requester_pays=False).address(locate("gs://bucket/a"))

    with pytest.raises(FetchError) as caught:
        asyncio.run(ask())
    assert caught.value.code is ProblemCode.FORBIDDEN
