import json
from pathlib import Path

import pytest

from rasteret_assets.errors import ConfigError, WorkspaceError
from rasteret_assets.storage.filesystems import STORE_ERRORS, filesystem_of, is_local, url_of
from tests.rig.http_server import RangeServer
from tests.rig.stores import Store

SOURCE_COOP = "s3://us-west-2.opendata.source.coop/team/items.parquet"


def test_a_path_and_a_file_url_mean_the_same_file(tmp_path: Path) -> None:
    (tmp_path / "a+b:c.txt").write_bytes(b"x")
    for url in (str(tmp_path / "a+b:c.txt"), f"file://{tmp_path}/a+b:c.txt"):
        fs, path = filesystem_of(url)
        assert is_local(fs)
        assert fs.cat_file(path) == b"x"
        assert url_of(fs, path) == str(tmp_path / "a+b:c.txt")


def test_a_relative_path_and_a_home_become_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert filesystem_of("a/../b.parquet")[1] == str(tmp_path / "b.parquet")
    assert filesystem_of("~/b.parquet")[1] == str(tmp_path / "b.parquet")


@pytest.mark.parametrize("kind", ["s3", "gs"])
def test_a_url_comes_back_from_filesystem_and_path(
    kind: str, request: pytest.FixtureRequest
) -> None:
    url = f"{request.getfixturevalue(kind)}/folder/a+b:c d.txt"
    fs, path = filesystem_of(url)
    fs.pipe_file(path, b"hello")
    assert url_of(fs, path) == url
    assert filesystem_of(url)[0].cat_file(path, start=1, end=3) == b"el"


@pytest.mark.parametrize("kind", ["s3", "gs"])
def test_what_someone_else_changes_is_seen(kind: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue(kind)
    fs, folder = filesystem_of(url)
    fs.pipe_file(f"{folder}/one", b"1")
    assert [info["size"] for info in fs.ls(folder, detail=True)] == [1]
    other = type(fs)(**fs.storage_options, skip_instance_cache=True)
    other.pipe_file(f"{folder}/one", b"22")
    other.pipe_file(f"{folder}/two", b"333")
    fs, _ = filesystem_of(url)
    assert [info["size"] for info in fs.ls(folder, detail=True)] == [2, 3]
    assert fs.info(f"{folder}/one")["size"] == 2


def test_unsigned_requests_are_made_when_the_environment_says_so(
    s3_server: Store, s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = s3.removeprefix("s3://bucket.with.dots/")
    public = s3_server.put("bucket.with.dots", f"{key}/public", b"x", public=True)
    private = s3_server.put("bucket.with.dots", f"{key}/private", b"x")
    monkeypatch.setenv("AWS_NO_SIGN_REQUEST", "YES")
    fs, path = filesystem_of(public)
    assert fs.cat_file(path) == b"x"
    with pytest.raises(PermissionError):
        fs.cat_file(filesystem_of(private)[1])


def test_google_is_asked_with_the_credentials_that_the_environment_names_now_or_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    for client in ("one", "another"):  # as tests, or runs, of one process may ask
        account = tmp_path / f"{client}.json"
        told = {"type": "authorized_user", "client_id": client}
        account.write_text(json.dumps({**told, "client_secret": "s", "refresh_token": "r"}))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(account))
        signed, _ = filesystem_of("gs://bucket/key")
        assert signed.credentials.credentials.client_id == client
    monkeypatch.setenv("GS_NO_SIGN_REQUEST", "YES")
    unsigned, _ = filesystem_of("gs://bucket/key")
    assert unsigned.credentials.credentials is None


def test_an_endpoint_for_s3_alone_comes_before_the_one_for_all(
    s3_server: Store, s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_server.endpoint)
    fs, path = filesystem_of(f"{s3}/x")
    fs.pipe_file(path, b"x")
    assert fs.cat_file(path) == b"x"


def test_a_bucket_named_by_its_region_is_asked_there_by_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_NO_SIGN_REQUEST", "YES")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    fs, path = filesystem_of(SOURCE_COOP)
    bucket, _, key = path.partition("/")
    signed = fs.sign(path)  # makes the address only; nothing is sent
    assert signed.startswith(f"https://s3.us-west-2.amazonaws.com/{bucket}/{key}")
    other, _ = filesystem_of("s3://plain-bucket/key")
    assert other.s3.meta.region_name == "eu-central-1"


def test_an_endpoint_of_ones_own_is_asked_by_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such servers seldom have a host name for each bucket."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://minio.example.org")
    monkeypatch.setenv("AWS_NO_SIGN_REQUEST", "YES")
    fs, path = filesystem_of("s3://bucket/key")
    assert fs.sign(path).startswith("https://minio.example.org/bucket/key")


def test_storage_that_cannot_be_reached_raises_a_store_error(
    monkeypatch: pytest.MonkeyPatch, s3: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    fs, path = filesystem_of(f"{s3}/x")
    fs.retries = 1
    with pytest.raises(STORE_ERRORS):
        fs.cat_file(path)


def test_a_refusing_http_server_raises_a_store_error(server: RangeServer) -> None:
    server.put("x", b"x")
    server.demand_tokens()
    fs, path = filesystem_of(server.url("x"))
    with pytest.raises(STORE_ERRORS):
        fs.cat_file(path)


def test_an_unknown_scheme_is_an_error_that_says_what_works() -> None:
    with pytest.raises(ConfigError, match=r"nosuch://.*s3://, gs:// or https://"):
        filesystem_of("nosuch://bucket/x")


@pytest.mark.parametrize("url", ["s3://", "s3:///key", "gs://", "gcs://", "S3://"])
def test_a_store_without_a_bucket_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="names no bucket"):
        filesystem_of(url)


@pytest.mark.parametrize("url", ["https://", "https:///a.parquet", "https://[x", "http://:80/a"])
def test_a_web_address_without_a_host_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="names no host"):
        filesystem_of(url)


def test_a_server_that_is_not_there_is_no_surprise() -> None:
    with pytest.raises(WorkspaceError, match=r"ftp://127\.0\.0\.1:1/x: cannot be asked"):
        filesystem_of("ftp://127.0.0.1:1/x")
