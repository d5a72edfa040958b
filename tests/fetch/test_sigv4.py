import re
from calendar import timegm
from time import strptime
from urllib.parse import urlsplit

import botocore.session
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rasteret_assets.fetch.sigv4 import AwsKeys, S3Signer
from rasteret_assets.locations import S3Site, object_path

KEYS = AwsKeys(access="AKIDEXAMPLE", secret="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")  # noqa: S106 - an example
TEMPORARY = AwsKeys(access="ASIAEXAMPLE", secret="c2VjcmV0/+", token="FwoGZX+/=")  # noqa: S106 - too
KEY_TEXT = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"), min_size=1, max_size=60
)


class Botocore:
    """What botocore's own S3 client sends for an object, without sending it."""

    def __init__(self, keys: AwsKeys, region: str) -> None:
        self.sent: list[AWSPreparedRequest] = []
        self.client = botocore.session.Session().create_client(
            "s3",
            region_name=region,
            aws_access_key_id=keys.access,
            aws_secret_access_key=keys.secret,
            aws_session_token=keys.token,
            config=Config(
                response_checksum_validation="when_required",
                s3={"us_east_1_regional_endpoint": "regional"},
            ),
        )
        self.client.meta.events.register("before-send.s3", self.keep)

    def keep(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        self.sent.append(request)
        answer = AWSResponse(request.url, 200, {}, None)
        answer._content = b""
        return answer

    def ask(self, bucket: str, key: str, **more: str) -> tuple[str, dict[str, str]]:
        self.client.get_object(Bucket=bucket, Key=key, **more)
        request = self.sent.pop()
        headers = {
            name.lower(): value.decode() if isinstance(value, bytes) else value
            for name, value in request.headers.items()
        }
        return request.url, headers


@pytest.fixture(scope="module")
def botocore_s3() -> Botocore:
    return Botocore(KEYS, "eu-central-1")


def ours(
    keys: AwsKeys, region: str, bucket: str, key: str, stamp: str, *, requester_pays: bool = False
) -> tuple[str, dict[str, str]]:
    root = urlsplit(S3Site().root_of(bucket, region))
    path = f"{root.path}/{object_path(key)}"
    signer = S3Signer(keys, region, root.netloc, requester_pays=requester_pays)
    return (
        f"https://{root.netloc}{path}",
        signer.headers(path, now=timegm(strptime(stamp, "%Y%m%dT%H%M%SZ"))),
    )


@settings(deadline=None, max_examples=200)
@given(key=KEY_TEXT)
@example(key="a/../b/./c//d.tif")
@example(key="/leading and trailing +%2F~")
def test_addresses_and_signatures_are_those_of_botocore(botocore_s3: Botocore, key: str) -> None:
    url, headers = botocore_s3.ask("scenes", key)
    mine, signed = ours(KEYS, "eu-central-1", "scenes", key, headers["x-amz-date"])
    assert mine == url
    assert {name.lower(): value for name, value in signed.items()} == {
        name: headers[name] for name in ("authorization", "x-amz-content-sha256", "x-amz-date")
    }


@pytest.mark.parametrize("bucket", ["scenes", "sce.nes"])
@pytest.mark.parametrize("region", ["us-east-1", "us-west-2", "cn-north-1"])
def test_session_tokens_and_requester_pays_are_signed_as_by_botocore(
    bucket: str, region: str
) -> None:
    url, headers = Botocore(TEMPORARY, region).ask(
        bucket, "a b+c/ü%20.tif", RequestPayer="requester"
    )
    mine, signed = ours(
        TEMPORARY, region, bucket, "a b+c/ü%20.tif", headers["x-amz-date"], requester_pays=True
    )
    assert mine == url
    assert signed["Authorization"] == headers["authorization"]
    assert signed["x-amz-security-token"] == headers["x-amz-security-token"]
    assert signed["x-amz-request-payer"] == "requester"


def test_a_signer_keeps_up_with_the_clock() -> None:
    signer = S3Signer(KEYS, "us-east-1", "host")
    one, other = signer.headers("/a", now=1_700_000_000), signer.headers("/a", now=1_700_090_000)
    assert (one["x-amz-date"], other["x-amz-date"]) == ("20231114T221320Z", "20231115T231320Z")
    assert "/20231115/us-east-1/s3/aws4_request" in other["Authorization"]
    assert signer.headers("/a", now=1_700_000_000) == one
    assert re.search("Signature=[0-9a-f]{64}$", one["Authorization"])
