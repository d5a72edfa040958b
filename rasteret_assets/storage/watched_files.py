"""Files that Arrow reads through Python, and what it still holds of them when Python ends.

A scan that is over, or was left, has threads of Arrow's that still let go of its files. One that
needs Python for it while the interpreter ends takes the process down with it
(apache/arrow#36389, apache/arrow#39162): so the end waits for them.
"""

import atexit
import io
import threading
import time
import weakref
from typing import Final

from fsspec.spec import AbstractBufferedFile, AbstractFileSystem

_STILL_S: Final = 0.1
"""Without a move for so long, what is held is held by something of the caller's own."""
_AT_MOST_S: Final = 10.0
_LOOKS_EACH_S: Final = 0.002


class _Held:
    """What Arrow has been given and not let go of."""

    def __init__(self) -> None:
        self._things: set[weakref.ref[object]] = set()
        self._moved = time.monotonic()
        self._under_way = 0
        self._changing = threading.RLock()  # a callback may come while its thread holds it

    def add(self, thing: object) -> None:
        """Count `thing` as held until it is gone."""
        with self._changing:
            self._things.add(weakref.ref(thing, self._discard))
            self._moved = time.monotonic()

    def _discard(self, thing: weakref.ref[object]) -> None:
        with self._changing:
            self._things.discard(thing)
            self._moved = time.monotonic()

    def __enter__(self) -> None:
        """Count what is being opened or read as under way."""
        with self._changing:
            self._under_way += 1

    def __exit__(self, *_: object) -> None:
        with self._changing:
            self._under_way -= 1
            self._moved = time.monotonic()

    def wait(self) -> None:
        """Return once nothing is held, or nothing moves any more."""
        ends = time.monotonic() + _AT_MOST_S
        while (self._things or self._under_way) and time.monotonic() < ends:
            if not self._under_way and time.monotonic() - self._moved > _STILL_S:
                return
            time.sleep(_LOOKS_EACH_S)


_HELD: Final = _Held()
atexit.register(_HELD.wait)


def open_watched(fs: AbstractFileSystem, path: str) -> "WatchedFile":
    """Open `path`, to be read exactly where Arrow asks to: fsspec would read 5 MB ahead.

    Raises
    ------
    FileNotFoundError
        If there is no such file; with what else the filesystem raises.
    """
    with _HELD:
        if not fs.isfile(path):
            raise FileNotFoundError(path)
        return WatchedFile(fs.open(path, mode="rb", cache_type="none"))


class WatchedFile(io.RawIOBase):
    """A file open for reading, of which the end of Python knows what is still held."""

    def __init__(self, file: AbstractBufferedFile) -> None:
        super().__init__()
        self._file = file
        _HELD.add(self)

    def read(self, size: int = -1, /) -> memoryview:  # Arrow takes any buffer
        """Return what is read as a buffer that can be watched, as `bytes` cannot."""
        with _HELD:
            data = memoryview(self._file.read(size))
        _HELD.add(data)
        return data

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place, as in any file."""
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        """Return the place."""
        return int(self._file.tell())

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def close(self) -> None:
        """Close the file below too."""
        self._file.close()
        super().close()
