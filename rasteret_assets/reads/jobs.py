"""Jobs done in threads, and taken back several at a time."""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial


class Jobs:
    """Does the jobs of one call in threads that all calls share.

    What `loop.run_in_executor` does, at less cost for each of many small jobs: the loop is woken
    once for all that were done meanwhile.
    """

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self._threads = threads
        self._loop = asyncio.get_running_loop()
        self._done: deque[tuple[asyncio.Future[None], Future[None]]] = deque()
        self._is_called = False
        """Whether the loop is about to look what is done."""

    def do(self, job: Callable[[], None]) -> "asyncio.Future[None]":
        """Have `job` done; what is returned is done when it is, or raises what it raised."""
        turn = self._loop.create_future()
        done = self._threads.submit(_unless_given_up, turn, job)
        done.add_done_callback(partial(self._finished, turn))
        return turn

    def _finished(self, turn: "asyncio.Future[None]", done: "Future[None]") -> None:
        """Have the loop told; called by the thread."""
        self._done.append((turn, done))
        if not self._is_called and not self._loop.is_closed():
            self._is_called = True
            self._loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        """Tell those who wait."""
        self._is_called = False  # before looking, as threads look after adding
        while self._done:
            turn, done = self._done.popleft()
            if turn.done():
                continue
            if (failure := done.exception()) is None:
                turn.set_result(None)
            else:
                turn.set_exception(failure)


def _unless_given_up(turn: "asyncio.Future[None]", job: Callable[[], None]) -> None:
    if not turn.cancelled():
        job()
