"""Which files a source consists of, and which version of each."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from fsspec.spec import AbstractFileSystem
from fsspec.utils import glob_translate

from rasteret_assets.errors import SourceError
from rasteret_assets.storage.filesystems import (
    STORE_ERRORS,
    filesystem_of,
    is_local,
    lists_by_prefix,
    url_of,
)
from rasteret_assets.storage.listing import Entry, entry_of, list_below

SUFFIXES: Final = (".parquet", ".geoparquet")
"""What a file's name must end with to be taken from a folder, in any case."""

_MAGIC: Final = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """One version of one file of record rows."""

    uri: str
    """An absolute path or a URL."""
    identity: str
    """Stands for the content: the ETag, else size and time of the last change."""
    size: int
    """Bytes."""
    modified_ns: int | None = None
    """When it last changed, in nanoseconds since 1970; None where storage does not say."""
    fault: str | None = None
    """Why it cannot be read, where that is known: named as a file, it is not there."""

    def settled(self, before_ns: float) -> bool:
        """Whether it has not changed since `before_ns`, and so is not being written."""
        return self.modified_ns is None or self.modified_ns <= before_ns


def list_sources(uris: Sequence[str]) -> tuple[SourceFile, ...]:
    """Return the Parquet files that `uris` name, sorted by URI, each once.

    A URI is a file, a folder (every `*.parquet` and `*.geoparquet` below it; names that
    begin with `_` or `.` are passed over) or a glob; local, `s3://` or `gs://`. An
    `http(s)://` URL is one file. A folder of an object store costs one listing request per
    thousand files, none per file. A URI that names a file which is not there is given with
    its `fault`, so that the others can be read.

    Raises
    ------
    SourceError
        If a folder or glob names nothing, or none of the files is there, or storage cannot be
        asked.
    """
    found: dict[str, SourceFile] = {}
    for uri in uris:
        fs, path = filesystem_of(uri)
        try:
            entries = _entries(fs, path)
        except FileNotFoundError as error:  # of http
            found[uri] = _missing(uri, f"{uri}: {error}; check the address and credentials")
            continue
        except STORE_ERRORS as error:
            msg = f"{uri}: cannot be listed ({_said(error)}); check the address and credentials"
            raise SourceError(msg) from error
        if not entries:
            msg = (
                f"{uri}: no such file, and no {' or '.join('*' + s for s in SUFFIXES)} below it; "
                "check the path, and that the credentials may list it"
            )
            if not path.lower().endswith(SUFFIXES) or _MAGIC.search(path):
                raise SourceError(msg)
            missing = _missing(url_of(fs, path), msg)
            found[missing.uri] = missing
        for entry in entries:
            source = _source(url_of(fs, entry.path), entry)
            found[source.uri] = source
    faults = [source.fault for source in found.values() if source.fault is not None]
    if faults and len(faults) == len(found):
        raise SourceError(faults[0])
    return tuple(found[uri] for uri in sorted(found))


def _entries(fs: AbstractFileSystem, path: str) -> list[Entry]:
    if "://" in path:  # of http, where ? and * are letters like any other
        try:
            return [entry_of(fs, path, fs.info(path))]
        except FileNotFoundError as error:
            msg = f"not found, or refused: {_said(error.__cause__ or error)}"
            raise FileNotFoundError(msg) from error
    if _MAGIC.search(path) and not (is_local(fs) and fs.exists(path)):
        return _globbed(fs, path)
    return tables_below(fs, path)


def tables_below(fs: AbstractFileSystem, path: str) -> list[Entry]:
    """Return the file at `path`, or the Parquet files below it; [] if there is neither."""
    try:
        info = fs.info(path)
    except FileNotFoundError:
        return []
    if info["type"] == "file":
        return [entry_of(fs, path, info)]
    return _tables(list_below(fs, path), path)


def _globbed(fs: AbstractFileSystem, pattern: str) -> list[Entry]:
    """Return the files that match, and the tables below folders that match."""
    root, files, in_folders = _matched(fs, pattern)
    if pattern.endswith("*"):  # says nothing of the ending: then the ending has to
        return _tables(files + in_folders, root)
    return _visible(files, root) + _tables(in_folders, root)


def _matched(fs: AbstractFileSystem, pattern: str) -> tuple[str, list[Entry], list[Entry]]:
    """Return the folder that is searched, the files that match, those in folders that match."""
    root, _, start = _MAGIC.split(pattern, maxsplit=1)[0].rpartition("/")
    files: list[Entry] = []
    in_folders: list[Entry] = []
    if not lists_by_prefix(fs) or "/" not in pattern[len(root) + 1 :]:
        for path, info in fs.glob(pattern, detail=True).items():
            if info["type"] == "file":
                files.append(entry_of(fs, path, info))
            else:
                in_folders += list_below(fs, path)
        return root, files, in_folders
    # fsspec would list folder by folder, one after the other; this lists all at once.
    matches = re.compile(glob_translate(pattern)).match
    for entry in list_below(fs, root, start):
        if matches(entry.path):
            files.append(entry)
        elif any(matches(folder) for folder in _folders(entry.path, root)):
            in_folders.append(entry)
    return root, files, in_folders


def _folders(path: str, root: str) -> Iterable[str]:
    folder = path.rpartition("/")[0]
    while len(folder) > len(root):
        yield folder
        folder = folder.rpartition("/")[0]


def _tables(entries: Iterable[Entry], root: str) -> list[Entry]:
    return [e for e in _visible(entries, root) if e.path.lower().endswith(SUFFIXES)]


def _visible(entries: Iterable[Entry], root: str) -> list[Entry]:
    skip = len(root.rstrip("/")) + 1
    return [e for e in entries if not re.search(r"(^|/)[_.]", e.path[skip:])]


def _source(uri: str, entry: Entry) -> SourceFile:
    if entry.size is None:
        msg = f"{uri}: the server does not say how long the file is; download it and name the copy"
        raise SourceError(msg)
    identity = entry.etag or f"{entry.size}-{entry.modified_ns or entry.last_modified or ''}"
    return SourceFile(uri=uri, identity=identity, size=entry.size, modified_ns=entry.modified_ns)


def _missing(uri: str, fault: str) -> SourceFile:
    return SourceFile(uri=uri, identity="missing", size=0, fault=fault)


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".strip(": ")
