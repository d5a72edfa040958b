"""How much to read of a file at first, learned from the files before it."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Final

_STEP: Final = 4 << 10
_GENERATION: Final = 256
"""Headers after which a need is forgotten, at the latest after twice as many."""
_SCOUTS: Final = 3
_SCOUTS_TAKE_AT_MOST_S: Final = 0.5


class _Needs:
    """What the headers of one kind needed lately."""

    __slots__ = ("before", "count", "failed", "lately", "open", "scouts")

    def __init__(self) -> None:
        self.lately = 0
        self.before = 0
        self.count = 0
        self.scouts = 0
        """How many went ahead."""
        self.failed = 0
        """How many of them met with a failure."""
        self.open = asyncio.Event()
        """Set once the others may go."""


class FirstReads:
    """Sizes of first reads, by kind of file.

    The size covers the largest need among the last few hundred headers of the kind and an
    eighth more, so it grows at once, and shrinks when large needs stay away.

    While nothing is known of a kind, its first few files go ahead of the others, which would
    all have to ask twice if headers are larger than the first read. They are waited for until
    one brings a header or all have met with a failure, and half a second at most.

    Parameters
    ----------
    least, most
        Bounds of the size in bytes.
    """

    def __init__(self, least: int, most: int) -> None:
        self._least = least
        self._most = most
        self._needs: dict[Hashable, _Needs] = {}

    async def size(self, kind: Hashable, meanwhile: Callable[[], Awaitable[None]]) -> int:
        """Return how many bytes to read at first; `learn` or `failed` is owed for every call.

        `meanwhile` is called where that is not known yet, and has to be waited for.
        """
        needs = self._needs.get(kind)
        if needs is None:
            needs = self._needs[kind] = _Needs()
            asyncio.get_running_loop().call_later(_SCOUTS_TAKE_AT_MOST_S, needs.open.set)
        if not needs.open.is_set():
            if needs.scouts < _SCOUTS:
                needs.scouts += 1
                return self._least
            await meanwhile()
            await needs.open.wait()
        largest = max(needs.lately, needs.before)
        rounded = -(-(largest + largest // 8) // _STEP) * _STEP
        return min(max(self._least, rounded), self._most)

    def failed(self, kind: Hashable) -> None:
        """Note that a file was not, or not at once, found to have a header."""
        needs = self._needs[kind]
        needs.failed += 1
        if needs.failed >= _SCOUTS:
            needs.open.set()

    def learn(self, kind: Hashable, front_bytes: int) -> None:
        """Note what a header needed of its file's front.

        A need that no first read can meet does not make the first reads of others larger.
        """
        needs = self._needs[kind]
        needs.open.set()
        if front_bytes <= self._most:
            needs.lately = max(needs.lately, front_bytes)
        needs.count += 1
        if needs.count % _GENERATION == 0:
            needs.before, needs.lately = needs.lately, 0
