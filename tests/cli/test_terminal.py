"""What is drawn and asked where a person sits at a terminal, and only there."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rasteret_assets import build_from_table
from tests.rig.http_server import RangeServer
from tests.rig.scenes import geotiff, record_table, write_table

CTRL_D = b"\x04"


def _command(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).with_name("rasteret-assets")), "collections", *arguments]


@contextmanager
def _terminal() -> Iterator[tuple[int, int]]:
    """A terminal of 100 columns: the end people sit at, and the end programs are given."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    try:
        yield ours, theirs
    finally:
        os.close(ours)


def _shown(ours: int, until: str = "") -> str:
    """What appears on the terminal, up to `until`, or until its program ends."""
    seen = b""
    while not until or until.encode() not in seen:
        try:
            piece = os.read(ours, 1 << 16)
        except OSError:  # EIO: the last program on it is gone
            break
        if not piece:
            break
        seen += piece
    return seen.decode()


def _run(*arguments: str, until: str = "", typed: bytes = b"") -> tuple[int, str]:
    """Run a command on a terminal; once `until` is shown, `typed` is typed."""
    with _terminal() as (ours, theirs):
        with subprocess.Popen(
            _command(*arguments), stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True
        ) as running:
            os.close(theirs)
            shown = _shown(ours, until)
            if typed:
                os.write(ours, typed)
                shown += _shown(ours)
        return running.returncode, shown


@pytest.fixture
def importing(tmp_path: Path) -> Iterator[list[str]]:
    """The arguments that import ten scenes, two files of which are missing, in two seconds."""
    with RangeServer(latency_s=0.2) as server:
        for number in range(2, 10):
            server.put(f"{number}/B04.tif", geotiff(number))
        table = record_table(10, lambda n, band: server.url(f"{n}/{band}.tif"), ["B04"])
        path = write_table(table, tmp_path / "items.parquet")
        workspace = str(tmp_path / "workspace")
        yield [
            *("import", "s2", "--record-table", path, "--workspace", workspace),
            *("--enrich", "--max-concurrent", "1"),
        ]


def test_a_terminal_is_shown_headers_done_their_rate_and_the_problems(
    importing: list[str],
) -> None:
    code, shown = _run(*importing)
    assert code == 0
    assert re.search(r"\d+/10 \[\d\d:\d\d<\d\d:\d\d, +\d.*headers", shown), shown
    assert re.search(r"(headers/s|s/ headers), problems=2\]", shown), shown


def test_no_bar_is_drawn_without_a_terminal_or_where_json_was_asked_for(
    importing: list[str],
) -> None:
    done = subprocess.run(
        _command(*importing), capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    code, shown = _run(*importing, "--force", "--json")
    assert code == 0
    assert "headers" not in shown
    assert shown.startswith("{")


@pytest.mark.parametrize(("typed", "code"), [(b"y\n", 0), (b"\n", 1), (CTRL_D, 1)], ids=repr)
def test_delete_takes_nothing_but_yes_for_a_yes(tmp_path: Path, typed: bytes, code: int) -> None:
    path = write_table(record_table(1, "{}/{}.tif".format, ["B04"]), tmp_path / "items.parquet")
    workspace = tmp_path / "workspace"
    build_from_table(path, "s2", workspace_dir=workspace)
    asked = ("delete", "s2", "--workspace", str(workspace))
    found, shown = _run(*asked, until="[y/N] ", typed=typed)
    assert found == code, shown
    assert "Traceback" not in shown
    assert (workspace / "s2_records").exists() == (code != 0)
