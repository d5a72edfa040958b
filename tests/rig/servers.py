"""Redis and PostgreSQL on loopback ports, each a process of its own with nothing in it."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.rig.http_server import free_port

PASSWORD: Final = "not-a-secret"  # noqa: S105  # of servers that live as long as a test
_STARTS_WITHIN_S: Final = 60.0


@contextmanager
def redis_server() -> Iterator[str]:
    """Run Redis, and give its URL without a database: `redis://:password@127.0.0.1:port`."""
    command, port = _program("redis-server", "redis-server"), free_port()
    settings = {"port": port, "bind": "127.0.0.1", "requirepass": PASSWORD, "save": ""}
    arguments = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
    with (
        tempfile.TemporaryDirectory(prefix="redis-") as folder,
        _running([command, *arguments], Path(folder), lambda: _answers(port)),
    ):
        yield f"redis://:{PASSWORD}@127.0.0.1:{port}"


@contextmanager
def postgres_server() -> Iterator[int]:
    """Run PostgreSQL, and give its port.

    User and database are `dagster`, the password is `PASSWORD`.
    """
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="postgres-") as name:
        folder = Path(name)
        secret = folder / "secret"
        secret.write_text(PASSWORD)
        user = _not_root(folder, secret)
        data = str(folder / "data")
        made = ["-D", data, "-U", "dagster", "--pwfile", str(secret), "--auth", "scram-sha-256"]
        _call([_program("initdb", "postgresql"), *made, "--no-sync"], folder, user)
        listens = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
        options = [word for key, value in listens.items() for word in ("-c", f"{key}={value}")]
        server = [_program("postgres", "postgresql"), "-D", data, "-p", str(port), *options]
        here = ["-h", "127.0.0.1", "-p", str(port), "-U", "dagster"]
        ready = [_program("pg_isready", "postgresql"), *here, "-q"]
        with _running(server, folder, lambda: not subprocess.call(ready), user):
            _call([_program("createdb", "postgresql"), *here, "dagster"], folder, user)
            yield port


def _program(name: str, package: str) -> str:
    # Debian keeps the server's programs out of the way of several versions of it.
    folders = [os.environ["PATH"], *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]
    found = shutil.which(name, path=os.pathsep.join(folders))
    if found is None:
        reason = f"{name} is not installed; `apt-get install {package}`, or `make test` as root"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    return found


def _not_root(*owned: Path) -> str | None:
    """Return the user to run as: PostgreSQL refuses root, and Debian's package makes a user."""
    if os.geteuid() != 0:
        return None
    user = pwd.getpwnam("postgres")
    for path in owned:
        os.chown(path, user.pw_uid, user.pw_gid)
    return user.pw_name


def _environment() -> dict[str, str]:
    return {**os.environ, "PGPASSWORD": PASSWORD}


def _call(command: Sequence[str], folder: Path, user: str | None) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        user=user,
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=_STARTS_WITHIN_S,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stderr}"


@contextmanager
def _running(
    command: Sequence[str], folder: Path, ready: Callable[[], bool], user: str | None = None
) -> Iterator[None]:
    """Run the server until it is not needed any more, from when it is `ready`."""
    log = folder / "log"
    with log.open("w") as stream:
        process = subprocess.Popen(
            command,
            cwd=folder,
            user=user,
            env=_environment(),
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
        try:
            ends = time.monotonic() + _STARTS_WITHIN_S
            while not ready():
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < ends, log.read_text()
                time.sleep(0.05)
            yield
        finally:
            os.killpg(process.pid, signal.SIGINT)  # PostgreSQL: at once, but in order
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
