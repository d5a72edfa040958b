"""Object stores on loopback ports: moto's S3 server and the Google Cloud Storage emulator.

Each runs as a process of its own, since both are threaded servers that warn and log.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Final
from urllib.parse import quote, urlsplit

import pytest

from tests.rig.http_server import free_port

_STARTS_WITHIN_S: Final = 30.0
_PLAIN: Final[Mapping[str, str]] = {"Content-Type": "application/octet-stream"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """A running store, and the environment that leads clients to it."""

    scheme: str
    """`s3` or `gs`."""
    endpoint: str
    """`http://127.0.0.1:port`."""
    env: Mapping[str, str]

    def apply(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Set `env`, and hide what the machine itself says of credentials."""
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_NO_SIGN_REQUEST"):
            monkeypatch.delenv(name, raising=False)
        for name, value in self.env.items():
            monkeypatch.setenv(name, value)

    def make_bucket(self, bucket: str, *, region: str = "us-east-1") -> str:
        """Make an empty bucket; return its URI, `s3://bucket`."""
        if self.scheme == "gs":
            body = json.dumps({"name": bucket}).encode()
            self._send(
                "POST", "/storage/v1/b?project=test", body, {"Content-Type": "application/json"}
            )
            return f"gs://{bucket}"
        where = f"<LocationConstraint>{region}</LocationConstraint>"
        text = f"<CreateBucketConfiguration>{where}</CreateBucketConfiguration>"
        self._send("PUT", f"/{bucket}", b"" if region == "us-east-1" else text.encode())
        return f"s3://{bucket}"

    def put(self, bucket: str, key: str, body: bytes, *, public: bool = False) -> str:
        """Store an object; return its URI, `s3://bucket/key`.

        Moto refuses unsigned reads of objects that are not `public`.
        """
        if self.scheme == "gs":
            name = quote(key, safe="")
            self._send(
                "POST", f"/upload/storage/v1/b/{bucket}/o?uploadType=media&name={name}", body
            )
        else:
            acl = {"x-amz-acl": "public-read"} if public else {}
            self._send("PUT", f"/{bucket}/{quote(key)}", body, acl)
        return f"{self.scheme}://{bucket}/{key}"

    def _send(
        self, method: str, target: str, body: bytes, headers: Mapping[str, str] = _PLAIN
    ) -> None:
        """Speak plain HTTP: neither store asks the test's own set-up for a signature."""
        connection = HTTPConnection(urlsplit(self.endpoint).netloc, timeout=10)
        try:
            connection.request(method, target, body, {**_PLAIN, **headers})
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        assert response.status < 300, f"{method} {target}: {response.status} {answer[:200]!r}"


@contextmanager
def s3_store() -> Iterator[Store]:
    """Run moto's S3 server; it takes any credentials and looks at no signature."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    env = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    with _running(command, port, "/moto-api/"):
        yield Store(scheme="s3", endpoint=env["AWS_ENDPOINT_URL"], env=env)


@contextmanager
def gcs_store() -> Iterator[Store]:
    """Run the Google Cloud Storage emulator, in memory; it looks at no credentials."""
    port = free_port()
    command = [sys.executable, "-m", "gcp_storage_emulator", "start"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--in-memory"]
    env = {
        "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{port}",
        # gcsfs otherwise asks the emulator for hierarchical namespaces, and waits a minute.
        "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
    }
    with _running(command, port, "/"):
        yield Store(scheme="gs", endpoint=env["STORAGE_EMULATOR_HOST"], env=env)


@contextmanager
def _running(command: list[str], port: int, path: str) -> Iterator[None]:
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        _await_answer(process, port, path)
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


def _await_answer(process: subprocess.Popen[bytes], port: int, path: str) -> None:
    ends = time.monotonic() + _STARTS_WITHIN_S
    while time.monotonic() < ends and process.poll() is None:
        connection = HTTPConnection(f"127.0.0.1:{port}", timeout=2)
        try:
            connection.request("GET", path)
            connection.getresponse().read()
        except (OSError, HTTPException):
            time.sleep(0.05)
        else:
            return
        finally:
            connection.close()
    msg = f"{process.args!r} did not answer on port {port}"
    raise AssertionError(msg)
