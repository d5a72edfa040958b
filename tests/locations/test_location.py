from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from rasteret_assets.errors import ProblemCode, ProblemError
from rasteret_assets.locations import GsSite, S3Site, gs_site, locate, s3_site

NOT_SENT = st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="#?")


@pytest.mark.parametrize(
    ("href", "scheme", "where"),
    [
        ("s3://scenes/a/b.tif", "s3", ("scenes", "a/b.tif")),
        ("S3://scenes/a%20b #1?.tif", "s3", ("scenes", "a%20b #1?.tif")),
        ("/vsis3/scenes/a/b.tif", "s3", ("scenes", "a/b.tif")),
        ("/vsis3_streaming/scenes/a.tif", "s3", ("scenes", "a.tif")),
        ("gs://scenes/a.tif", "gs", ("scenes", "a.tif")),
        ("/vsigs/scenes/a//b.tif", "gs", ("scenes", "a//b.tif")),
    ],
)
def test_objects_are_a_bucket_and_a_literal_key(
    href: str, scheme: str, where: tuple[str, str]
) -> None:
    found = locate(href)
    assert (found.scheme, (found.bucket, found.key)) == (scheme, where)


@pytest.mark.parametrize(
    ("href", "url", "host"),
    [
        ("https://Example.COM/a.tif", "https://example.com/a.tif", "example.com"),
        ("https://example.com:443/a", "https://example.com/a", "example.com"),
        ("http://example.com:8080/a", "http://example.com:8080/a", "example.com:8080"),
        ("https://example.com", "https://example.com/", "example.com"),
        ("https://example.com?x=1", "https://example.com/?x=1", "example.com"),
        ("https://example.com/a b/ü%.tif?s=%2F&t=a+b#f", None, "example.com"),
        ("https://example.com/%e4%20", "https://example.com/%e4%20", "example.com"),
        ("http://[::1]:8080/a", "http://[::1]:8080/a", "[::1]:8080"),
        ("https://münchen.de/a", "https://xn--mnchen-3ya.de/a", "xn--mnchen-3ya.de"),
        ("/vsicurl/https://example.com/a", "https://example.com/a", "example.com"),
        (
            "/vsicurl?max_retry=3&url=https%3A%2F%2Fexample.com%2Fa%3Fb%3D1",
            "https://example.com/a?b=1",
            "example.com",
        ),
        ("  https://example.com/a\n", "https://example.com/a", "example.com"),
        ("https://me:pass@example.com/a", "https://me:pass@example.com/a", "example.com"),
    ],
)
def test_web_addresses_are_ready_to_be_sent(href: str, url: str | None, host: str) -> None:
    found = locate(href)
    expected = url or "https://example.com/a%20b/%C3%BC%25.tif?s=%2F&t=a+b"
    assert (found.url, found.host) == (expected, host)


@settings(deadline=None)
@given(path=st.text(NOT_SENT))
def test_any_text_makes_a_sendable_path_that_decodes_to_itself(path: str) -> None:
    href = f"https://example.com/p/{path}.tif"
    url = locate(href).url
    assert url.isascii()
    assert " " not in url
    assert URL(url, encoded=True).path == URL(href).path or "." in path.split("/")


@pytest.mark.parametrize(
    ("href", "path"),
    [
        ("/data/a b.tif", "/data/a b.tif"),
        ("file:///data/a%20b.tif", "/data/a b.tif"),
        ("FILE://localhost/data/a.tif", "/data/a.tif"),
        ("file:/data/a.tif", "/data/a.tif"),
        ("/data/x/../a.tif", "/data/a.tif"),
    ],
)
def test_local_paths(href: str, path: str) -> None:
    found = locate(href)
    assert (found.scheme, found.path) == ("file", path)


def test_bare_relative_paths_are_of_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert locate("a/b.tif").path == f"{tmp_path}/a/b.tif"


@pytest.mark.parametrize(
    ("href", "base", "url"),
    [
        ("a.tif", "s3://b/p", "s3://b/p/a.tif"),
        ("../a b.tif", "https://h/p/q/", "https://h/p/a%20b.tif"),
        ("./a.tif", "/data/tables", "file:///data/tables/a.tif"),
        ("gs://x/y", "s3://b/p", "gs://x/y"),
    ],
)
def test_relative_hrefs_resolve_against_their_base(href: str, base: str, url: str) -> None:
    assert locate(href, base).url == url


@pytest.mark.parametrize(
    "href",
    [
        "",
        "   ",
        "https://",
        "https:///a.tif",
        "https://host:port/a",
        "https://host:99999/a",
        "https://ho st/a",
        "https://[::1/a",
        "https://a\r\nHost: b/c",
        "https://example.com/a\x00b",
        "s3://",
        "s3://bucket",
        "s3://bucket/",
        "s3://bu?cket/a",
        "s3:///a",
        "file://other/a.tif",
        "https://" + "ü" * 80 + ".de/",
        "https://" + "a" * 64 + ".de/",
        "https://a..de/",
    ],
)
def test_what_is_no_location_is_said_to_be_none(href: str) -> None:
    with pytest.raises(ProblemError) as caught:
        locate(href)
    assert caught.value.code is ProblemCode.HREF_INVALID


@pytest.mark.parametrize(
    "href",
    [
        "ftp://example.com/a.tif",
        "javascript://x/a",
        "/vsizip/a.zip/b.tif",
        "/vsiaz/c/b.tif",
        "/vsicurl/ftp://example.com/a.tif",
        "http://169.254.169.254/latest/meta-data/",
        "http://169.254.169.254:80/",
        "http://me@169.254.1.1/",
        "http://[fe80::1]/",
        "http://[fe80::1%25eth0]/",
        "http://[::ffff:169.254.169.254]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[2002:a9fe:a9fe::]/",
        "http://[fd00:ec2::254]/",
        "http://168.63.129.16/",
        "http://224.0.0.1/",
    ],
)
def test_what_is_never_asked_is_blocked(href: str) -> None:
    with pytest.raises(ProblemError) as caught:
        locate(href)
    assert caught.value.code is ProblemCode.ADDRESS_BLOCKED


@settings(deadline=None)
@given(href=st.text())
def test_no_text_raises_anything_else(href: str) -> None:
    for base in (None, "https://h/p", "s3://b/p"):
        try:
            locate(href, base)
        except ProblemError:
            continue


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, S3Site()),
        ({"AWS_NO_SIGN_REQUEST": "yes"}, S3Site(unsigned=True)),
        ({"AWS_NO_SIGN_REQUEST": "NO"}, S3Site()),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "x"}, S3Site(region="eu-west-1")),
        ({"AWS_ENDPOINT_URL": "http://a/"}, S3Site(endpoint="http://a")),
        (
            {"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_S3": "http://b"},
            S3Site(endpoint="http://b"),
        ),
    ],
)
def test_the_environment_says_how_s3_is_reached(env: Mapping[str, str], expected: S3Site) -> None:
    assert s3_site(env) == expected


@pytest.mark.parametrize(
    ("bucket", "region", "root"),
    [
        ("scenes", "us-east-1", "https://scenes.s3.us-east-1.amazonaws.com"),
        ("sc.enes", "us-east-1", "https://s3.us-east-1.amazonaws.com/sc.enes"),
        ("Scenes_1", "us-east-1", "https://s3.us-east-1.amazonaws.com/Scenes_1"),
        ("scenes", "cn-north-1", "https://scenes.s3.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_buckets_are_addressed_by_name_and_region(bucket: str, region: str, root: str) -> None:
    assert S3Site().root_of(bucket, region) == root


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, GsSite()),
        ({"GS_NO_SIGN_REQUEST": "YES"}, GsSite(unsigned=True)),
        (
            {"STORAGE_EMULATOR_HOST": "localhost:9023"},
            GsSite(endpoint="http://localhost:9023", unsigned=True),
        ),
        ({"STORAGE_EMULATOR_HOST": "https://e/"}, GsSite(endpoint="https://e", unsigned=True)),
    ],
)
def test_the_environment_says_how_google_is_reached(
    env: Mapping[str, str], expected: GsSite
) -> None:
    assert gs_site(env) == expected
