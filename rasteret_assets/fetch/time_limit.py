"""A limit on how long requests may take, at next to no cost for those that keep it."""

import asyncio
from types import TracebackType
from typing import Self

_CHECKS_PER_LIMIT = 20
_CHECKED_AT_LEAST_EVERY_S = 1.0


class TimeLimit:
    """Spans of time, all of the same length, in which tasks must be done.

    Does what `asyncio.timeout` does, a little later at times. That makes and closes a timer
    for each use, which costs tens of microseconds a request on uvloop; here one timer looks
    after all spans now and then.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._every_s = min(limit_s / _CHECKS_PER_LIMIT, _CHECKED_AT_LEAST_EVERY_S)
        self._running: dict[_Span, None] = {}
        """In the order they end, as all are as long."""
        self._is_watched = False

    def span(self) -> "_Span":
        """Return a context manager; TimeoutError is raised within it once the time is up."""
        return _Span(self, self._limit_s)

    def begin(self, span: "_Span") -> None:
        """Look after `span` from now on."""
        self._running[span] = None
        if not self._is_watched:
            self._is_watched = True
            asyncio.get_running_loop().call_later(self._every_s, self._check)

    def end(self, span: "_Span") -> None:
        """Let go of `span`."""
        del self._running[span]

    def _check(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for span in self._running:
            if span.ends_at > now:
                break
            span.expire()
        self._is_watched = bool(self._running)
        if self._is_watched:
            loop.call_later(self._every_s, self._check)


class _Span:
    """One task's time."""

    __slots__ = ("_is_expired", "_limit", "_limit_s", "_task", "ends_at")

    def __init__(self, limit: TimeLimit, limit_s: float) -> None:
        self._limit = limit
        self._limit_s = limit_s
        self._is_expired = False
        self._task: asyncio.Task[object] | None = None
        self.ends_at = 0.0

    def __enter__(self) -> Self:
        self._task = asyncio.current_task()
        self.ends_at = asyncio.get_running_loop().time() + self._limit_s
        self._limit.begin(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._limit.end(self)
        if not self._is_expired or self._task is None:
            return
        # as asyncio.timeout: what is left to cancel, someone else asked for
        if self._task.uncancel() <= 0 and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def expire(self) -> None:
        """Cancel what the task waits for, once."""
        if not self._is_expired and self._task is not None:
            self._is_expired = True
            self._task.cancel()
