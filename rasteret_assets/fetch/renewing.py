"""Credentials and the like: got by blocking calls, good for a while, shared by many tasks."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from rasteret_assets.errors import FetchError

T = TypeVar("T")
_FAILURE_HOLDS_S: Final = 5.0
_YOUNG_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded(Generic[T]):
    """A value, and for how long it can be used."""

    value: T
    good_for_s: float


class Renewing(Generic[T]):
    """A value that is loaded in a thread when first needed, and again when it runs out.

    However many tasks ask, one load is under way at a time. A failed load is not tried again
    for some seconds: its error is everybody's.
    """

    def __init__(self, load: Callable[[], Loaded[T]]) -> None:
        self._load = load
        self._lock = asyncio.Lock()
        self._value: T | None = None
        self._error: FetchError | None = None
        self._until = 0.0
        self._loaded_at = 0.0
        self._failed_at = 0.0

    def current(self) -> T | None:
        """Return the value if it is good now, without waiting."""
        return self._value if time.monotonic() < self._until else None

    async def get(self) -> T:
        """Return the value, loading it if need be.

        Raises
        ------
        FetchError
            If `load` raised it.
        """
        if (value := self.current()) is not None:
            return value
        async with self._lock:
            if (value := self.current()) is None:
                value = await self._renew()
            return value

    async def _renew(self) -> T:
        if self._error is not None and time.monotonic() < self._failed_at + _FAILURE_HOLDS_S:
            raise self._error
        self._error = None
        try:
            loaded = await asyncio.to_thread(self._load)
        except FetchError as error:
            self._error = error
            self._failed_at = time.monotonic()
            raise
        self._loaded_at = time.monotonic()
        self._value = loaded.value
        self._until = self._loaded_at + loaded.good_for_s
        return loaded.value

    def refuse(self, value: object) -> bool:
        """Note that a server refused `value`; return whether another one is worth a try.

        A value that was got a moment ago is no worse than the next would be, so files that
        are forbidden for good do not cause a new one each.
        """
        if value is not self._value or self.current() is None:
            return True  # renewed meanwhile, or about to be
        if time.monotonic() < self._loaded_at + _YOUNG_S:
            return False
        self._until = 0.0
        return True
