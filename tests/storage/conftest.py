"""Places to store things in: a folder, memory, moto's S3 and the Google emulator."""

import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rasteret_assets.storage.filesystems import filesystem_of
from tests.rig.http_server import RangeServer
from tests.rig.stores import Store, gcs_store, s3_store

PLACES = ("local", "memory", "s3", "gs")


@pytest.fixture(scope="session")
def s3_server() -> Iterator[Store]:
    with s3_store() as store:
        store.make_bucket("bucket.with.dots")
        yield store


@pytest.fixture(scope="session")
def gs_server() -> Iterator[Store]:
    with gcs_store() as store:
        store.make_bucket("bucket")
        yield store


@pytest.fixture
def s3(s3_server: Store, monkeypatch: pytest.MonkeyPatch) -> str:
    """A prefix of its own, on S3."""
    s3_server.apply(monkeypatch)
    return f"s3://bucket.with.dots/{secrets.token_hex(4)}"


@pytest.fixture
def gs(gs_server: Store, monkeypatch: pytest.MonkeyPatch) -> str:
    """A prefix of its own, on Google's store."""
    gs_server.apply(monkeypatch)
    return f"gs://bucket/{secrets.token_hex(4)}"


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty folder or prefix on each kind of storage."""
    if request.param == "local":
        return str(tmp_path / "place")
    if request.param == "memory":
        return f"memory://{secrets.token_hex(4)}"
    return str(request.getfixturevalue(request.param))


@pytest.fixture
def fetch_below(tmp_path: Path) -> Callable[[str], Path]:
    """Copies what lies below a URL to a local folder, where other programs can read it."""

    def fetch(url: str) -> Path:
        fs, path = filesystem_of(url)
        target = tmp_path / "fetched" / secrets.token_hex(4)
        for name in fs.find(path):
            copy = target / name[len(path) :].lstrip("/")
            copy.parent.mkdir(parents=True, exist_ok=True)
            with fs.open(name, "rb") as theirs, copy.open("wb") as ours:
                shutil.copyfileobj(theirs, ours)
        return target

    return fetch


@pytest.fixture
def server() -> Iterator[RangeServer]:
    with RangeServer() as running:
        yield running
