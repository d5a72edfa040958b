"""Reads from wherever they are called: running loops, threads, forks; and what Ctrl-C leaves."""

import asyncio
import multiprocessing
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from rasteret_assets import reads
from tests.reads.indexing import Scene, index, noise, write
from tests.rig.http_server import Fault, RangeServer

SCENES = 4


@pytest.fixture(scope="module")
def table(folder: Path, server: RangeServer) -> pa.Table:
    scenes = []
    for number in range(SCENES):
        path = write(folder / f"far{number}.tif", noise(number, 1, 200, 220))
        files = {"B1": (server.url(path.name), 0)}
        scenes.append(Scene(id=f"f{number}", files=files, path=path, days=number))
    return index(scenes)


def read(table: pa.Table) -> NDArray[Any]:
    return reads.get_numpy(table, bands=["B1"])


EXPECTED = np.stack([noise(number, 1, 200, 220) for number in range(SCENES)])


def test_reads_work_within_a_running_loop(table: pa.Table) -> None:
    async def notebook() -> NDArray[Any]:
        return read(table)

    assert np.array_equal(asyncio.run(notebook()), EXPECTED)


def test_reads_work_from_many_threads_at_once(table: pa.Table) -> None:
    with ThreadPoolExecutor(8) as threads:
        for found in threads.map(read, [table] * 24):
            assert np.array_equal(found, EXPECTED)


def sums(table: pa.Table, times: int) -> list[int]:
    return [int(read(table).sum()) for _ in range(times)]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # what this is about
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_reads_work_in_workers_however_they_are_started(table: pa.Table, method: str) -> None:
    read(table)  # the parent has a loop, threads and connections by now
    with multiprocessing.get_context(method).Pool(2) as pool:
        found = pool.starmap(sums, [(table, 3)] * 4)
        # Not terminated: where something has set a handler of SIGTERM, as Dagster does, a forked
        # worker that gets it just before it waits for its queue misses it, and waits on.
        pool.close()
        pool.join()
    assert found == [[int(EXPECTED.sum())] * 3] * 4
    assert np.array_equal(read(table), EXPECTED)


SCRIPT = """
import sys, threading
import pyarrow.parquet as pq
from rasteret_assets import reads

table = pq.read_table(sys.argv[1])
print("reading", flush=True)
try:
    {call}
except KeyboardInterrupt:
    from rasteret_assets.fetch import run
    import asyncio, psutil

    async def others():
        await asyncio.sleep(0.1)
        return [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]

    tasks = len(run(others()))
    open_ones = [c for c in psutil.Process().net_connections("tcp") if c.status == "ESTABLISHED"]
    print("interrupted", tasks, len(open_ones), flush=True)
    raise
"""
CALLS = {
    "xarray": 'reads.get_xarray(table, bands=["B1"])',
    "chunks": 'reads.get_xarray(table, bands=["B1"], chunks={}).compute(scheduler="synchronous")',
    "points": 'reads.sample_points(table, __import__("pyarrow").table({"x": [500005.0], '
    '"y": [5499995.0]}), bands=["B1"], geometry_crs="EPSG:32632")',
}


def until(met: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end
        time.sleep(0.02)


def interrupted(
    table: pa.Table, server: RangeServer, folder: Path, script: str, requests: int
) -> tuple[subprocess.Popen[str], str, str]:
    """Run a script until it has made so many requests, which hang; interrupt it."""
    pq.write_table(table, folder / "table.parquet")
    for number in range(SCENES):
        server.always(f"far{number}.tif", Fault(delay_s=60))
    server.forget()
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(folder / "table.parquet")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        until(lambda: len(server.seen()) >= requests)
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
        for number in range(SCENES):
            server.always(f"far{number}.tif", None)
    assert time.monotonic() - start < 5
    return process, out, err


@pytest.mark.parametrize("call", CALLS)
def test_an_interrupt_ends_a_read_and_leaves_nothing(
    table: pa.Table, server: RangeServer, tmp_path: Path, call: str
) -> None:
    requests = SCENES if call == "xarray" else 1
    script = SCRIPT.format(call=CALLS[call])
    process, out, err = interrupted(table, server, tmp_path, script, requests)
    assert process.returncode == -signal.SIGINT
    assert err.rstrip().endswith("KeyboardInterrupt")
    assert out.split() == ["reading", "interrupted", "0", "0"]


def test_an_interrupt_ends_a_program_whose_threads_read(
    table: pa.Table, server: RangeServer, tmp_path: Path
) -> None:
    call = 'reads.get_xarray(table, bands=["B1"], chunks={}).compute(scheduler="threads")'
    script = SCRIPT[: SCRIPT.index("try:")] + call
    process, _, err = interrupted(table, server, tmp_path, script, 2)
    assert process.returncode == -signal.SIGINT
    assert err.rstrip().endswith("KeyboardInterrupt")
