"""Calls of rasterio from several threads, without warnings about arrays of its own."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rasterio.errors import NotGeoreferencedWarning


class _Quiet:
    """How many threads want it, and which filters there were before."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.threads = 0
        self.before: list[object] = []


_QUIET: Final = _Quiet()


@contextmanager
def quiet() -> Iterator[None]:
    """Ignore what rasterio says of the arrays it wraps, as long as any thread is within.

    rasterio ignores it itself, call by call; but `warnings.catch_warnings` undoes in one thread
    what another still relies on.
    """
    with _QUIET.lock:
        if not _QUIET.threads:
            _QUIET.before = list(warnings.filters)
            warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)
        _QUIET.threads += 1
    try:
        yield
    finally:
        with _QUIET.lock:
            _QUIET.threads -= 1
            if not _QUIET.threads:
                # as they were: rasterio's threads may have left those of others behind
                warnings.filters[:] = _QUIET.before  # type: ignore[index]  # a list, in truth
