"""How much is asked of one server at once, and whether it is asked at all."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from typing import Final

from rasteret_assets.contract.settings import FetchSettings
from rasteret_assets.errors import FetchError, ProblemCode
from rasteret_assets.fetch.body import TransientError

_FAILURES_BEFORE_DOWN: Final = 8
_GROWTH: Final = 0.1
"""Share by which the limit grows in the time of as many answers as it allows."""


class Gate:
    """Lets so many in at a time; the others wait in the order they came."""

    __slots__ = ("_waiting", "in_flight", "limit")

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.in_flight = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    def try_enter(self) -> bool:
        """Go in if there is room and nobody waits; return whether that was so."""
        if self.in_flight < self.limit and not self._waiting:
            self.in_flight += 1
            return True
        return False

    async def enter(self) -> None:
        """Return once there is room, in turn."""
        if self.try_enter():
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave()  # let in and cancelled at the same moment
            raise

    def leave(self) -> None:
        """Make room for the next."""
        self.in_flight -= 1
        self.admit()

    def admit(self) -> None:
        """Let in as many as there is room for."""
        while self._waiting and self.in_flight < self.limit:
            turn = self._waiting.popleft()
            if not turn.done():
                self.in_flight += 1
                turn.set_result(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a server may fail before it counts as down."""

    connecting_s: float
    """While not even connections are made."""
    answering_s: float
    """While it throttles, fails, or stays silent."""
    cool_down_s: float
    """How long it is then left alone."""

    @classmethod
    def of(cls, settings: FetchSettings) -> "Patience":
        """Return what follows from the time allowed for retries."""
        connecting = min(5.0, settings.retry_budget_s / 4)
        return cls(
            connecting_s=connecting,
            answering_s=settings.retry_budget_s,
            cool_down_s=6 * connecting,
        )


class Host:
    """One server, as far as load on it goes.

    `gate.limit` halves when the server throttles, at most once for the requests that were
    under way together, and grows back by a tenth per round of answers.
    """

    __slots__ = (
        "_cut_at",
        "_down_until",
        "_failing_since",
        "_failures",
        "_last_failure",
        "_most",
        "_patience",
        "gate",
        "paused_until",
    )

    def __init__(self, most: int, patience: Patience) -> None:
        self.gate = Gate(most)
        self.paused_until = 0.0
        """`time.monotonic()` before which the server wants no requests."""
        self._most = most
        self._patience = patience
        self._cut_at = 0.0
        self._failures = 0
        self._failing_since = 0.0
        self._down_until = 0.0
        self._last_failure: TransientError | None = None

    @property
    def is_well(self) -> bool:
        """Whether nothing failed since the last answer, and no pause was asked for."""
        return not self._failures and self.paused_until == 0.0

    def check(self) -> None:
        """Refuse at once while the server counts as down.

        Raises
        ------
        FetchError
            UNREACHABLE, or THROTTLED where that is all the server ever answers.
        """
        if not self._failures or self._last_failure is None:
            return
        if time.monotonic() < self._down_until:
            throttled = self._last_failure.code is ProblemCode.THROTTLED
            code = ProblemCode.THROTTLED if throttled else ProblemCode.UNREACHABLE
            detail = f"not asked, as its server is down: {self._last_failure.detail}"
            raise FetchError(code, detail)

    def answered(self) -> None:
        """Note an answer that shows the server well."""
        self._failures = 0
        gate = self.gate
        if gate.limit < self._most:
            gate.limit = min(self._most, gate.limit + max(1.0, gate.limit * _GROWTH) / gate.limit)
            gate.admit()

    def failed(self, failure: TransientError, sent_at: float) -> None:
        """Note a failure of a request that was sent at `sent_at` (`time.monotonic()`)."""
        now = time.monotonic()
        if not self._failures:
            # a connection that did not open all that time says as much as many refusals
            self._failing_since = sent_at if failure.no_connection else now
        self._failures += 1
        self._last_failure = failure
        if failure.retry_after_s is not None:
            self.paused_until = max(self.paused_until, now + failure.retry_after_s)
        if failure.code is ProblemCode.THROTTLED and sent_at >= self._cut_at:
            self._cut_at = now
            self.gate.limit = max(1.0, min(self.gate.limit, self.gate.in_flight) / 2)
        wait = self._patience
        allowed = wait.connecting_s if failure.no_connection else wait.answering_s
        if self._failures >= _FAILURES_BEFORE_DOWN and now - self._failing_since >= allowed:
            self._down_until = now + wait.cool_down_s
            self.gate.limit = 1.0  # one at a time finds out whether it is back
