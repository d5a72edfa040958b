import asyncio
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path

import pytest

from rasteret_assets.fetch import run
from rasteret_assets.fetch.loop import LoopThread


async def double(value: int) -> int:
    await asyncio.sleep(0.01)
    return 2 * value


def test_it_returns_what_the_coroutine_returns_from_any_thread() -> None:
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda value: run(double(value)), range(50))) == list(range(0, 100, 2))


def test_it_works_while_a_loop_is_running() -> None:
    async def within() -> int:
        return run(double(4))

    assert asyncio.run(within()) == 8


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (KeyError("x"), KeyError),
        (TimeoutError("mine"), TimeoutError),
        (asyncio.CancelledError(), CancelledError),
    ],
)
def test_exceptions_of_the_coroutine_come_out(
    error: BaseException, expected: type[BaseException]
) -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise error

    with pytest.raises(expected):
        run(fail())


def test_waiting_for_oneself_is_refused() -> None:
    async def inner() -> int:
        return run(double(1))

    with pytest.raises(RuntimeError, match="await the coroutine"):
        run(inner())


def test_an_interrupt_cancels_the_coroutine_and_waits_for_its_end() -> None:
    ended: list[str] = []

    async def long() -> None:
        try:
            await asyncio.sleep(30)
        finally:
            await asyncio.sleep(0.1)
            ended.append("cleaned up")

    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        run(long())
    assert ended == ["cleaned up"]


def test_a_closed_loop_is_begun_anew_and_releases_what_it_held() -> None:
    released: list[str] = []
    thread = LoopThread()

    async def hold() -> int:
        async def release() -> None:
            released.append("released")

        thread.at_close(release)
        return 1

    assert thread.run(hold()) == 1
    thread.close()
    assert released == ["released"]
    assert thread.run(double(2)) == 4
    thread.close()
    thread.close()


FORKED = """
import asyncio, os, sys
from rasteret_assets.contract.settings import FetchSettings
from rasteret_assets.fetch import run, shared_reader

async def read(href):
    reader = await shared_reader(FetchSettings())
    return (await reader.read(href, 0, 4)).data

before = run(read(sys.argv[1]))
child = os.fork()
if child == 0:
    sys.exit(0 if run(read(sys.argv[1])) == before else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert run(read(sys.argv[1])) == before
print(before.decode())
"""


def test_a_forked_child_gets_a_loop_and_a_reader_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"data")
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-c", FORKED, str(file)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "data\n", "")


def test_a_process_that_used_the_loops_threads_ends_in_silence() -> None:
    # Python 3.12.0 and 3.12.1 begin no thread while they end
    used = "import asyncio; from rasteret_assets.fetch import run; run(asyncio.to_thread(int))"
    done = subprocess.run(
        [sys.executable, "-c", used], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
