"""Ranges of this machine's files."""

import os
import stat
from email.utils import formatdate

from rasteret_assets.errors import FetchError, ProblemCode
from rasteret_assets.fetch.body import Body
from rasteret_assets.fetch.outcomes import beyond_end


def read_local(path: str, start: int, stop: int) -> Body:
    """Return the bytes from `start` to `stop` of a file, fewer where it ends before.

    Raises
    ------
    FetchError
        NOT_FOUND, FORBIDDEN, TRUNCATED where the file ends before `start`, UNREACHABLE where
        the disk fails.
    """
    try:
        # NONBLOCK, as opening a pipe would wait for its writer
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _failure(error) from error
    try:
        found = os.fstat(handle)
        data = os.pread(handle, stop - start, start) if stat.S_ISREG(found.st_mode) else b""
    except OSError as error:
        raise _failure(error) from error
    finally:
        os.close(handle)
    if not stat.S_ISREG(found.st_mode):
        raise FetchError(ProblemCode.NOT_FOUND, "the path is not that of a regular file")
    if start >= found.st_size:
        raise beyond_end(start, found.st_size)
    return _body(found, data)


def identify_local(path: str) -> Body:
    """Return what a file is, without its bytes.

    Raises
    ------
    FetchError
        NOT_FOUND, FORBIDDEN, UNREACHABLE where the disk fails.
    """
    try:
        found = os.stat(path)  # noqa: PTH116  # as read_local has it
    except OSError as error:
        raise _failure(error) from error
    if not stat.S_ISREG(found.st_mode):
        raise FetchError(ProblemCode.NOT_FOUND, "the path is not that of a regular file")
    return _body(found, b"")


def _body(found: os.stat_result, data: bytes) -> Body:
    """Return what is said of a file; its tag is made of nanoseconds of modification and size."""
    return Body(
        data=data,
        etag=f'"{found.st_mtime_ns:x}-{found.st_size:x}"',
        last_modified=formatdate(found.st_mtime, usegmt=True),
        size=found.st_size,
    )


def _failure(error: OSError) -> FetchError:
    code = ProblemCode.UNREACHABLE
    if isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError):
        code = ProblemCode.NOT_FOUND
    elif isinstance(error, PermissionError):
        code = ProblemCode.FORBIDDEN
    return FetchError(code, f"the file cannot be read: {error.strerror}")
