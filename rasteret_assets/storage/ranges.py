"""A remote file that is read in few, known ranges."""

import io
from collections.abc import Iterable, Sequence
from typing import Final

from fsspec.spec import AbstractFileSystem

GAP_BYTES: Final = 512 << 10
"""Bytes between two wanted ranges that are cheaper to read than to ask twice."""
PIECE_BYTES: Final = 16 << 20
"""Length of one request, at most; longer ranges are asked for in parallel pieces."""
TAIL_BYTES: Final = 64 << 10
"""What Arrow reads first of a Parquet file: its end, where the footer is."""


class RangeFile(io.RawIOBase):
    """A seekable file of `size` bytes at `path`, read by ranges.

    Ranges announced through `prefetch` are fetched together and stay until the next
    announcement; anything else costs a request of its own.
    """

    def __init__(self, fs: AbstractFileSystem, path: str, size: int) -> None:
        super().__init__()
        self._fs = fs
        self._path = path
        self._size = size
        self._at = 0
        self._parts: list[tuple[int, bytes]] = []
        self._whole = size <= GAP_BYTES
        self._fetch([(0 if self._whole else size - TAIL_BYTES, size)])

    def prefetch(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Fetch half-open byte `ranges`, joined where they are near, and forget the others."""
        if not self._whole:  # small files were read at once
            self._fetch(ranges)

    def _fetch(self, ranges: Iterable[tuple[int, int]]) -> None:
        wanted = pieces(ranges)
        self._parts = []
        if not wanted:
            return
        starts = [start for start, _ in wanted]
        stops = [stop for _, stop in wanted]
        bodies = self._fs.cat_ranges([self._path] * len(wanted), starts, stops, on_error="raise")
        self._parts = [
            self._checked(start, stop, body)
            for start, stop, body in zip(starts, stops, bodies, strict=True)
        ]

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def tell(self) -> int:
        """Return the position of the next read."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the position, and return it."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """Return up to `size` bytes from the position on, and move it past them."""
        wanted = self._size if size is None or size < 0 else self._at + size
        start, stop = self._at, min(wanted, self._size)
        if start >= stop:
            return b""
        data = self._held(start, stop)
        if data is None:
            body = self._fs.cat_file(self._path, start=start, end=stop)
            first, body = self._checked(start, stop, body)
            data = body[start - first : stop - first]
        self._at = stop
        return data

    def _held(self, start: int, stop: int) -> bytes | None:
        """Return the bytes if parts next to each other hold them all."""
        found: list[bytes] = []
        for first, part in self._parts:  # in order of position
            if first <= start < first + len(part):
                found.append(part[start - first : stop - first])
                start += len(found[-1])
                if start == stop:
                    return b"".join(found) if len(found) > 1 else found[0]
        return None

    def _checked(self, start: int, stop: int, body: bytes) -> tuple[int, bytes]:
        if len(body) == stop - start:
            return start, body
        if len(body) == self._size:  # a server that does not know ranges sends the whole file
            return 0, body
        msg = f"asked for bytes {start} to {stop}, got {len(body)} bytes"
        raise OSError(msg)


def pieces(ranges: Iterable[tuple[int, int]]) -> Sequence[tuple[int, int]]:
    """Return `ranges` sorted, joined over gaps of `GAP_BYTES`, cut at `PIECE_BYTES`.

    Examples
    --------
    >>> pieces([(100, 200), (0, 50)])
    [(0, 200)]
    """
    joined: list[tuple[int, int]] = []
    for start, stop in sorted(ranges):
        if joined and start <= joined[-1][1] + GAP_BYTES:
            joined[-1] = (joined[-1][0], max(joined[-1][1], stop))
        elif stop > start:
            joined.append((start, stop))
    return [
        (at, min(at + PIECE_BYTES, stop))
        for start, stop in joined
        for at in range(start, stop, PIECE_BYTES)
    ]
