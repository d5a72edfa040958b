"""The bytes of a file that have been fetched so far."""

from bisect import bisect_right


class HeaderBytes:
    """A sparse view of a file: what is known of its bytes.

    Parameters
    ----------
    size
        Bytes of the whole file, where known; may be set later, when the first answer tells it.

    Examples
    --------
    >>> known = HeaderBytes(size=100)
    >>> known.add(0, b"abcd")
    >>> known.add(10, b"xy")
    >>> known.find(1, 3), known.find(3, 11)
    (b'bc', None)
    """

    __slots__ = ("_parts", "_starts", "held", "prefix", "reads", "size")

    def __init__(self, size: int | None = None) -> None:
        self.size = size
        self.prefix = b""
        """Whatever is held from the file's first byte on, without a gap."""
        self.held = 0
        """Bytes added so far."""
        self.reads = 0
        """Times `add` was called: requests made, as a rule."""
        self._starts: list[int] = []
        self._parts: list[bytes] = []

    def add(self, offset: int, data: bytes) -> None:
        """Take in `data`, found at byte `offset` of the file; it may overlap what is held."""
        self.reads += 1
        self.held += len(data)
        if offset <= len(self.prefix):
            self._grow_prefix(offset, data)
            return
        at = bisect_right(self._starts, offset)
        self._starts.insert(at, offset)
        self._parts.insert(at, data)
        self._join_around(at)

    def _grow_prefix(self, offset: int, data: bytes) -> None:
        if offset + len(data) > len(self.prefix):
            self.prefix = self.prefix[:offset] + data if offset else data
        while self._starts and self._starts[0] <= len(self.prefix):
            start, part = self._starts.pop(0), self._parts.pop(0)
            self.prefix += part[len(self.prefix) - start :]

    def _join_around(self, at: int) -> None:
        """Make one part of those that touch or overlap the part at index `at`."""
        while at and self._starts[at - 1] + len(self._parts[at - 1]) >= self._starts[at]:
            at -= 1
        while at + 1 < len(self._starts):
            end = self._starts[at] + len(self._parts[at])
            if self._starts[at + 1] > end:
                return
            self._parts[at] += self._parts[at + 1][end - self._starts[at + 1] :]
            del self._starts[at + 1], self._parts[at + 1]

    def find(self, start: int, stop: int) -> bytes | None:
        """Return the bytes from `start` to `stop`, or None if any of them is not held."""
        if stop <= len(self.prefix):
            return self.prefix[start:stop]
        at = bisect_right(self._starts, start) - 1
        if at < 0:
            return None
        part, begin = self._parts[at], self._starts[at]
        return part[start - begin : stop - begin] if stop <= begin + len(part) else None
