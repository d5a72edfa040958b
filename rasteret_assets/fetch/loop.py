"""The one crossing from plain calls into coroutines: an event loop in a thread of its own."""

import asyncio
import atexit
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any, Final, TypeVar

try:  # optional: less work per request
    import uvloop
except ImportError:
    _new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
else:
    _new_loop = uvloop.new_event_loop

T = TypeVar("T")
_POLL_S: Final = 0.2
_STOPS_WITHIN_S: Final = 10.0


def _nothing() -> None:
    """Poll nothing."""


class LoopThread:
    """An event loop that runs in a daemon thread, begun by the first call of `run`.

    Callable from any thread, within running loops too, since those run in other threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._at_close: list[Callable[[], Awaitable[None]]] = []

    def run(self, coroutine: Coroutine[Any, Any, T], *, poll: Callable[[], None] = _nothing) -> T:
        """Return what `coroutine` returns; the calling thread waits.

        `poll` is called by the calling thread about five times a second. If it raises, or the
        thread is interrupted (Ctrl-C), the coroutine is cancelled and has ended before the
        exception goes on.

        Raises
        ------
        RuntimeError
            When called by the loop's own thread, which would wait for itself.
        """
        loop = self._started()
        if threading.current_thread() is self._thread:
            coroutine.close()
            msg = "run() waits for the loop of its own thread; await the coroutine instead"
            raise RuntimeError(msg)
        outcome: Future[T] = Future()
        tasks: list[asyncio.Task[T]] = []

        def begin() -> None:
            task = loop.create_task(coroutine)
            tasks.append(task)
            task.add_done_callback(lambda done: _settle(done, outcome))

        def cancel() -> None:
            tasks[0].cancel()

        loop.call_soon_threadsafe(begin)
        try:
            return _wait(outcome, poll, loop)
        except BaseException:
            if not outcome.done():
                loop.call_soon_threadsafe(cancel)
                _await_end(outcome)
            raise

    def at_close(self, release: Callable[[], Awaitable[None]]) -> None:
        """Await `release` on the loop before it ends; to be called by coroutines it runs.

        Raises
        ------
        RuntimeError
            When called by another thread.
        """
        if threading.current_thread() is not self._thread:
            msg = "what is to be released belongs to another loop; use run()"
            raise RuntimeError(msg)
        self._at_close.append(release)

    def close(self) -> None:
        """Cancel what is running, and end the loop and its thread.

        Threads that wait in `run` get `concurrent.futures.CancelledError`. A later `run`
        begins anew.
        """
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._release(loop), loop).result(_STOPS_WITHIN_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_STOPS_WITHIN_S)
        loop.close()

    async def _release(self, loop: asyncio.AbstractEventLoop) -> None:
        running = asyncio.all_tasks(loop) - {asyncio.current_task()}
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        while self._at_close:
            await self._at_close.pop()()
        await loop.shutdown_asyncgens()

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = _new_loop()
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name="rasteret-assets-fetch", daemon=True
                )
                self._thread.start()
            return self._loop


def _settle(task: asyncio.Task[T], outcome: Future[T]) -> None:
    if task.cancelled():
        outcome.set_exception(CancelledError())
    elif (error := task.exception()) is not None:
        outcome.set_exception(error)
    else:
        outcome.set_result(task.result())


def _wait(outcome: Future[T], poll: Callable[[], None], loop: asyncio.AbstractEventLoop) -> T:
    while True:
        try:
            return outcome.result(_POLL_S)
        except TimeoutError:
            if outcome.done():
                raise  # the coroutine's own
            if loop.is_closed():  # by another thread, before the coroutine could begin
                raise CancelledError from None
            if _was_interrupted():
                raise CancelledError from None
        poll()


def _was_interrupted() -> bool:
    """Whether Ctrl-C has ended the program, which then waits for its other threads to end."""
    if getattr(sys, "last_type", None) is not KeyboardInterrupt:
        return False
    # the main thread counts as alive while pools of threads are waited for
    ending = getattr(threading, "_SHUTTING_DOWN", False)
    return ending or not threading.main_thread().is_alive()


def _await_end(outcome: Future[T]) -> None:
    """Wait until a cancelled coroutine has let go of what it held."""
    try:
        outcome.result(_STOPS_WITHIN_S)
    except (CancelledError, TimeoutError):
        return


class _Shared:
    """The loop thread all reads share; a forked child gets another."""

    def __init__(self) -> None:
        self.thread = LoopThread()
        self.abandoned: list[LoopThread] = []

    def renew_after_fork(self) -> None:
        # Threads do not survive a fork. The parent's loop is kept, not closed: its sockets
        # and wake-up pipe are the parent's too.
        self.abandoned.append(self.thread)
        self.thread = LoopThread()

    def close(self) -> None:
        self.thread.close()


_SHARED: Final = _Shared()
os.register_at_fork(after_in_child=_SHARED.renew_after_fork)
atexit.register(_SHARED.close)


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return what `coroutine` returns, run on the loop that all reads share.

    Works from any thread, within running loops, and in forked children. An interrupt of the
    calling thread cancels the coroutine.
    """
    return _SHARED.thread.run(coroutine)


def at_close(release: Callable[[], Awaitable[None]]) -> None:
    """Await `release` before the shared loop ends; to be called by coroutines it runs."""
    _SHARED.thread.at_close(release)
