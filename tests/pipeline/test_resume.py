"""A run that is killed in the middle goes on where it stopped."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import rasteret_assets
from rasteret_assets.contract.settings import BuildSettings
from tests.pipeline.conftest import Archive

CHUNK = 8
"""Headers under way at once: two pieces of two records and two bands."""

SCRIPT = """
import sys, rasteret_assets
rasteret_assets.build_from_table(
    sys.argv[1], "s2", enrich_cog=True, workspace_dir=sys.argv[2], max_concurrent=int(sys.argv[3]),
    settings=rasteret_assets.BuildSettings(chunk_headers={chunk}),
)
"""


@pytest.mark.parametrize("in_flight", [4, 64])
def test_after_kill_9_at_most_one_chunk_is_asked_for_again(
    archive: Archive, workspace: Path, in_flight: int
) -> None:
    archive.add(30, start=10)
    path = archive.write(archive.table(40))
    archive.server.latency_s = 0.2
    script = SCRIPT.format(chunk=CHUNK)
    process = subprocess.Popen([sys.executable, "-c", script, path, str(workspace), str(in_flight)])
    deadline = time.monotonic() + 60
    written: list[Path] = []
    while (len(archive.server.seen()) < 50 or not written) and time.monotonic() < deadline:
        time.sleep(0.02)
        written = list(workspace.rglob("band_headers/*/*.parquet"))
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert written
    assert not (workspace / "s2_records").exists()
    before = {seen.path for seen in archive.server.seen()}
    archive.server.latency_s = 0
    archive.gets()
    collection = rasteret_assets.build_from_table(
        path,
        "s2",
        enrich_cog=True,
        workspace_dir=workspace,
        settings=BuildSettings(chunk_headers=CHUNK),
    )
    again = [seen.path for seen in archive.server.seen() if seen.path in before]
    assert len(again) <= CHUNK
    assert len(archive.server.seen()) + len(before) - len(again) == 80
    assert collection.dataset.count_rows() == 40
    assert collection.problems.num_rows == 0
