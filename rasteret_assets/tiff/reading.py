"""One pass of the parser over the bytes held: what it found, and what it lacks."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NoReturn

from rasteret_assets.contract.settings import HeaderBudget
from rasteret_assets.errors import ProblemCode, TiffError
from rasteret_assets.tiff.header import Need
from rasteret_assets.tiff.header_bytes import HeaderBytes
from rasteret_assets.tiff.tags import FileShape

_NEAR: Final = 16 << 10
"""Ranges closer than this are asked for as one: a request costs more than such a gap."""
_BEFORE_TABLE: Final = 4 << 10
_AFTER_TABLE: Final = 64 << 10
"""Writers put values behind their directory, and further directories behind those."""
WORTH_A_REQUEST: Final = 256 << 10
"""Bytes that are read in vain rather than asking once more, where requests are many."""


class Reading:
    """Gives bytes as long as they are held, and remembers those that are not."""

    __slots__ = (
        "_data",
        "_far_start",
        "_far_stop",
        "_front",
        "_missing",
        "_prefix",
        "_prefix_bytes",
        "_size",
        "budget",
    )

    def __init__(self, data: HeaderBytes, budget: HeaderBudget) -> None:
        self.budget = budget
        self._front = 0
        """End of the last byte asked for, of reads that end within `WORTH_A_REQUEST`."""
        self._far_start = self._far_stop = 0
        """First and last byte of the others."""
        self._data = data
        self._prefix = data.prefix
        self._prefix_bytes = min(len(data.prefix), WORTH_A_REQUEST)
        self._size = data.size
        self._missing: list[tuple[int, int]] = []

    @property
    def size(self) -> int | None:
        """Bytes of the whole file, where known."""
        return self._size

    @property
    def deepest(self) -> int:
        """End of the last byte asked for."""
        return max(self._front, self._far_stop)

    @property
    def front(self) -> int:
        """How long a first read spares a request; 0 if one has to be made for more anyway."""
        if self._far_stop and self._far_start - self._front <= _AFTER_TABLE:
            return 0
        return self._front

    @property
    def lacks_bytes(self) -> bool:
        """Whether something was asked for that is not held."""
        return bool(self._missing)

    def take(self, start: int, size: int) -> bytes | None:
        """Return `size` bytes from `start`, or None if they are not all held.

        Raises
        ------
        TiffError
            `truncated`, if the file is known to end before them.
        """
        stop = start + size
        if stop <= self._prefix_bytes:
            if stop > self._front:  # noqa: PLR1730  # max() costs three times as much
                self._front = stop
            return self._prefix[start:stop]
        if stop <= WORTH_A_REQUEST:
            self._front = max(self._front, stop)
        else:
            self._far_start = min(self._far_start, start) if self._far_stop else start
            self._far_stop = max(self._far_stop, stop)
        self._check_end(start, stop)
        found = self._data.find(start, stop)
        if found is None:
            self._missing.append((start, stop))
        return found

    def take_around(self, start: int, size: int) -> bytes | None:
        """As `take`, but what is lacking is asked for with its surroundings.

        Near the end of a file that is all the rest: further directories are there, if any.
        """
        found = self.take(start, size)
        if found is None:
            _, stop = self._missing[-1]
            reach = max(stop, start + _AFTER_TABLE)
            if self._size is not None and self._size - reach <= WORTH_A_REQUEST:
                reach = self._size
            self._missing[-1] = (max(start - _BEFORE_TABLE, 0), reach)
        return found

    def widen(self, start: int, stop: int) -> None:
        """Let what was found lacking last be asked for from `start` and to `stop` at least."""
        begin, end = self._missing[-1]
        self._missing[-1] = (min(begin, start), max(end, stop))

    def take_table(self, shape: FileShape, start: int) -> tuple[bytes, int, int] | None:
        """Return bytes, where in them the directory at `start` begins, and its entries.

        None if they are not all held.

        Raises
        ------
        TiffError
            `truncated` as `take`; `corrupt` for an empty directory, `over_budget` for too many
            entries.
        """
        data, at = self._prefix, start
        if start + shape.count.size > self._prefix_bytes:
            head = self.take_around(start, shape.count.size)
            if head is None:
                return None
            data, at = head, 0
        (entries,) = shape.count.unpack_from(data, at)
        if not 0 < entries <= self.budget.entries:
            self._refuse(entries, start)
        size = shape.count.size + entries * shape.entry_bytes + shape.pointer.size
        if start + size <= self._prefix_bytes:
            if start + size > self._front:  # noqa: PLR1730  # as above
                self._front = start + size
            return self._prefix, start, entries
        table = self.take_around(start, size)
        return None if table is None else (table, 0, entries)

    def _refuse(self, entries: int, start: int) -> NoReturn:
        if not entries:
            detail = f"the directory at byte {start} is empty"
            raise TiffError(ProblemCode.CORRUPT, detail)
        detail = f"a directory of {entries} entries, the limit is {self.budget.entries}"
        raise TiffError(ProblemCode.OVER_BUDGET, detail)

    def _check_end(self, start: int, stop: int) -> None:
        if self._size is not None and stop > self._size:
            detail = f"the index refers to bytes {start} to {stop} of a file of {self._size}"
            raise TiffError(ProblemCode.TRUNCATED, detail)

    def need(self) -> Need:
        """Return what is lacking, as few ranges as the budget of requests asks for.

        Raises
        ------
        TiffError
            `over_budget`, if no request or not enough bytes are left.
        """
        left = self.budget.requests - self._data.reads
        if left <= 0:
            detail = f"the index is not complete after {self._data.reads} requests"
            raise TiffError(ProblemCode.OVER_BUDGET, detail)
        ranges = _joined(self._clipped(), left)
        total = self._data.held + sum(stop - start for start, stop in ranges)
        if total > self.budget.total_bytes:
            detail = f"the index takes {total} bytes, the limit is {self.budget.total_bytes}"
            raise TiffError(ProblemCode.OVER_BUDGET, detail)
        return Need(ranges=tuple(ranges))

    def _clipped(self) -> list[tuple[int, int]]:
        """Return what is missing, without what lies beyond the file or is held at its start."""
        held = len(self._prefix)
        return sorted(
            (max(start, held), stop if self._size is None else min(stop, self._size))
            for start, stop in self._missing
        )


def _joined(ranges: list[tuple[int, int]], most: int) -> list[tuple[int, int]]:
    """Return ascending `ranges`, near ones joined, and the nearest until `most` are left."""
    gaps = [after - before for before, after in _edges(ranges)]
    by_size = sorted(range(len(gaps)), key=gaps.__getitem__)
    must = set(by_size[: max(len(ranges) - most, 0)])
    joined = ranges[:1]
    for at, (start, stop) in enumerate(ranges[1:]):
        if gaps[at] <= _NEAR or at in must:
            joined[-1] = (joined[-1][0], max(stop, joined[-1][1]))
        else:
            joined.append((start, stop))
    return joined


def _edges(ranges: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield, between ranges, the furthest byte reached before and the first one after."""
    reached = 0
    for (_, stop), (start, _) in pairwise(ranges):
        reached = max(reached, stop)
        yield reached, start
