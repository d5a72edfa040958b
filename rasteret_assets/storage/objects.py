"""Files made whole or not at all: put if absent, move, remove."""

import logging
import os
import secrets
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from botocore.exceptions import ClientError
from fsspec.spec import AbstractBufferedFile, AbstractFileSystem

from rasteret_assets.errors import WorkspaceError
from rasteret_assets.storage.filesystems import STORE_ERRORS, is_local, is_memory

_LOG: Final = logging.getLogger(__name__)
_MEMORY: Final = threading.Lock()
_CONFLICT_TRIES: Final = 5
_FLUSHED_AT_ONCE: Final = 16
_BLOCK_BYTES: Final = 16 << 20
"""Part of an upload that is held in memory."""


def token() -> str:
    """Return a few letters that no other writer has."""
    return secrets.token_hex(4)


def put_if_absent(fs: AbstractFileSystem, path: str, data: bytes) -> bool:
    """Create the file `path` with `data`, unless it exists; return whether it is ours.

    Of any number of writers, one wins. `data` should hold something of this writer alone:
    a request that was answered but whose answer got lost is sent again, then refused, and
    known as our own by what the file holds.

    Raises
    ------
    WorkspaceError
        If the local filesystem has no hard links.
    OSError
        If storage fails.
    """
    if is_local(fs):
        return _link_if_absent(Path(path), data)
    if is_memory(fs):
        with _MEMORY:
            if fs.exists(path):
                return False
            fs.pipe_file(path, data)
            return True
    if _create_only(fs, path, data):
        return True
    return bytes(fs.cat_file(path)) == data


def _link_if_absent(path: Path, data: bytes) -> bool:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{token()}.tmp")
    try:
        with draft.open("xb") as file:
            file.write(data)
            _flush(file)
        os.link(draft, path)
    except FileExistsError:
        return False
    except OSError as error:
        if not draft.exists():
            raise
        msg = f"{path}: cannot be linked ({error}); use a filesystem with hard links, or s3:// or gs://"
        raise WorkspaceError(msg) from error
    finally:
        draft.unlink(missing_ok=True)
    _flush_path(path.parent)
    return True


def _create_only(fs: AbstractFileSystem, path: str, data: bytes) -> bool:
    for attempt in range(_CONFLICT_TRIES):
        try:
            fs.pipe_file(path, data, mode="create")
        except FileExistsError:  # gs, and fsspec in general
            return False
        except OSError as error:  # s3fs keeps the answer as the cause
            code = _s3_code(error)
            if code in {"PreconditionFailed", "412"}:
                return False
            # S3 answers so while two such writes are under way, and asks to try again.
            conflict = code in {"ConditionalRequestConflict", "409"}
            if not conflict or attempt == _CONFLICT_TRIES - 1:
                raise
            time.sleep(0.1 * 2**attempt)
        else:
            return True
    return False


def _s3_code(error: OSError) -> str:
    cause = error.__cause__
    return str(cause.response["Error"]["Code"]) if isinstance(cause, ClientError) else ""


@contextmanager
def whole_file(fs: AbstractFileSystem, path: str) -> Iterator[IO[bytes]]:
    """Open `path` for writing; it appears when the block ends, and not at all if it fails.

    It outlasts a power failure once `make_durable` was called for it.
    """
    if not is_local(fs):
        file = fs.open(path, "wb", block_size=_BLOCK_BYTES)
        try:
            yield file
        except BaseException:
            _abandon(fs, path, file)
            raise
        file.close()
        return
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{token()}.tmp")
    try:
        with draft.open("xb") as local:
            yield local
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def make_durable(fs: AbstractFileSystem, paths: Iterable[str]) -> None:
    """See to it that local files written to `paths` are there when the power fails.

    Once for many files, and many at once: each waits some milliseconds for the disk, which
    takes several together.
    """
    if not is_local(fs):
        return
    files = [Path(path) for path in paths]
    with ThreadPoolExecutor(_FLUSHED_AT_ONCE) as pool:
        list(pool.map(_flush_path, files))
        list(pool.map(_flush_path, {path.parent for path in files}))


def move(fs: AbstractFileSystem, moves: Iterable[tuple[str, str]]) -> None:
    """Move files (from, to), at once where storage can; one already moved is passed over."""
    pairs = list(moves)
    if is_local(fs):
        for old, new in pairs:
            with suppress(FileNotFoundError):
                os.replace(old, new)  # noqa: PTH105 # paths are strings here
        return
    here = [(old, new) for old, new in pairs if fs.exists(old)]
    if not here:
        return
    olds, news = [list(names) for names in zip(*here, strict=True)]
    with suppress(FileNotFoundError):
        fs.copy(olds, news)
    remove(fs, olds)


def remove(fs: AbstractFileSystem, paths: Iterable[str]) -> None:
    """Remove files; those already gone are passed over."""
    gone = list(paths)
    if not gone:
        return
    if is_local(fs) or is_memory(fs):
        for path in gone:
            with suppress(FileNotFoundError):
                fs.rm_file(path)
        return
    with suppress(FileNotFoundError):
        fs.rm(gone)


def _abandon(fs: AbstractFileSystem, path: str, file: IO[bytes]) -> None:
    """Give an upload up: closing the file, which happens at the latest with it, would finish it."""
    if isinstance(file, AbstractBufferedFile):
        try:
            file.discard()
        except STORE_ERRORS as error:  # what made us give up is raised, not this
            _LOG.warning("%s: an unfinished upload stays at the server (%s)", path, error)
        finally:
            file.closed = True
    else:
        file.close()
        remove(fs, [path])


def _flush(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _flush_path(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
