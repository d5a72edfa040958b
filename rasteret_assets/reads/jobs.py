"""Jobs done in threads, handed over and taken back several at a time."""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

_AT_A_TIME: Final = 8
"""Jobs that a thread does before other calls have their turn of it."""


class Jobs:
    """Does the jobs of one call in threads that all calls share.

    What `loop.run_in_executor` does, at less cost for each of many small jobs: a thread goes on
    with the next job by itself, and wakes the loop once for all that were done meanwhile.

    Parameters
    ----------
    threads
        Who does them.
    most
        How many threads there are.
    """

    def __init__(self, threads: ThreadPoolExecutor, most: int) -> None:
        self._threads = threads
        self._free = most
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[Callable[[], None], asyncio.Future[None]]] = deque()
        self._done: deque[tuple[asyncio.Future[None], BaseException | None]] = deque()
        self._is_called = False
        """Whether the loop is about to look what is done."""

    def do(self, job: Callable[[], None]) -> "asyncio.Future[None]":
        """Have `job` done; what is returned is done when it is, or raises what it raised."""
        turn = self._loop.create_future()
        self._waiting.append((job, turn))
        if self._free:
            self._free -= 1
            self._threads.submit(self._work)
        return turn

    def _work(self) -> None:
        """Do some jobs, in a thread."""
        for _ in range(_AT_A_TIME):
            try:
                job, turn = self._waiting.popleft()
            except IndexError:
                break
            self._done.append((turn, None if turn.cancelled() else _failure_of(job)))
            if not self._is_called:
                self._is_called = True
                self._call(self._settle)
        self._call(self._let_go)

    def _call(self, what: Callable[[], None]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(what)

    def _let_go(self) -> None:
        """Have a thread that has done its share go on if there is more to do."""
        if self._waiting:
            self._threads.submit(self._work)
        else:
            self._free += 1

    def _settle(self) -> None:
        """Tell those who wait."""
        self._is_called = False  # before looking, as threads look after adding
        while self._done:
            turn, failure = self._done.popleft()
            if turn.done():
                continue
            if failure is None:
                turn.set_result(None)
            else:
                turn.set_exception(failure)


def _failure_of(job: Callable[[], None]) -> BaseException | None:
    try:
        job()
    except BaseException as error:  # noqa: BLE001  # it is raised where the job is awaited
        return error
    return None
