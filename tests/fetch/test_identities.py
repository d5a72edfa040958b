import asyncio
from calendar import timegm
from pathlib import Path
from time import strptime

import pytest

from rasteret_assets.contract.settings import FetchSettings
from rasteret_assets.errors import ProblemCode
from rasteret_assets.fetch import Body, RangeReader, identify_files
from rasteret_assets.fetch.sigv4 import AwsKeys, S3Signer
from tests.fetch.test_sigv4 import KEYS, Botocore
from tests.rig.http_server import Fault, RangeServer
from tests.rig.stores import Store

DATA = bytes(range(256)) * 1000
ONCE = FetchSettings(max_attempts=1, retry_budget_s=3.0, request_timeout_s=2.0)


def read_and_identify(href: str) -> tuple[Body, Body]:
    async def both() -> tuple[Body, Body]:
        async with RangeReader(ONCE) as reader:
            return await reader.read(href, 0, 10), await reader.identify(href)

    return asyncio.run(both())


def test_a_file_is_identified_as_when_it_is_read_but_without_its_bytes(
    server: RangeServer,
) -> None:
    read, identified = read_and_identify(server.put("a.bin", DATA))

    assert identified.data == b""
    assert (identified.etag, identified.size) == (read.etag, len(DATA))
    assert identified.is_of_same_file(read)
    assert [(one.method, one.body_bytes) for one in server.seen()] == [("GET", 10), ("HEAD", 0)]


def test_a_local_file_is_identified_as_when_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "a.bin"
    file.write_bytes(DATA)
    read, identified = read_and_identify(str(file))
    assert identified.data == b""
    assert (identified.etag, identified.size) == (read.etag, len(DATA))


def test_objects_of_s3_are_identified(s3: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.apply(monkeypatch)
    s3.make_bucket("identified")
    read, identified = read_and_identify(s3.put("identified", "a b/ü.bin", DATA))
    assert (identified.etag, identified.size) == (read.etag, len(DATA))


def test_each_file_has_an_outcome_in_the_order_asked(server: RangeServer) -> None:
    hrefs = [server.put("a", DATA), server.url("missing"), server.put("b", DATA), "ftp://x/y"]
    server.always("b", Fault(status=503))

    found = identify_files(hrefs, ONCE)

    assert [one.href for one in found.files] == hrefs
    assert [one.code for one in found.files] == [
        None,
        ProblemCode.NOT_FOUND,
        ProblemCode.THROTTLED,
        ProblemCode.ADDRESS_BLOCKED,
    ]
    assert found.requests == len(server.seen()) == 3


def test_no_more_requests_are_open_at_a_server_than_allowed(server: RangeServer) -> None:
    server.latency_s = 0.02
    hrefs = [server.put(f"{n}", DATA) for n in range(40)]

    identify_files(hrefs, FetchSettings(max_attempts=1, max_per_host=4))

    assert server.peak_in_flight == 4


def test_a_file_of_this_machine_is_not_looked_at_for_a_table_from_elsewhere(
    tmp_path: Path,
) -> None:
    file = tmp_path / "a.bin"
    file.write_bytes(DATA)
    (one,) = identify_files([str(file)], ONCE, table_is_remote=True).files
    assert one.code is ProblemCode.ADDRESS_BLOCKED


def test_head_requests_are_signed_as_botocore_signs_them() -> None:
    keys = AwsKeys(access=KEYS.access, secret=KEYS.secret)
    botocore = Botocore(keys, "eu-central-1")
    botocore.client.head_object(Bucket="bucket", Key="a/b.tif")
    sent = botocore.sent.pop()
    given = {name.lower(): value for name, value in sent.headers.items()}
    stamp, authorization = given["x-amz-date"].decode(), given["authorization"].decode()

    signer = S3Signer(keys, "eu-central-1", "bucket.s3.eu-central-1.amazonaws.com")
    now = timegm(strptime(stamp, "%Y%m%dT%H%M%SZ"))
    headers = signer.headers("/a/b.tif", method="HEAD", now=now)

    assert headers["Authorization"] == authorization
