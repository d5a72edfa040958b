"""Names, sizes and versions of files, told alike for every kind of storage."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from fsspec.spec import AbstractFileSystem

from rasteret_assets.storage.filesystems import is_local, lists_by_prefix

_ETAGS: Final = ("ETag", "etag")
_TIMES: Final = ("mtime", "LastModified", "last_modified", "updated", "created")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file in a listing."""

    path: str
    size: int | None
    """Bytes; None where the server does not say."""
    etag: str | None
    modified_ns: int | None
    """Nanoseconds since 1970, UTC."""
    last_modified: str | None = None
    """What an HTTP server says of its last change, in its own words."""


def list_below(fs: AbstractFileSystem, folder: str, start: str = "") -> list[Entry]:
    """Return every file below `folder`, at any depth, or [] where there is none.

    Parameters
    ----------
    fs, folder
        The filesystem, and a path on it.
    start
        What the paths, counted from `folder`, must begin with.
    """
    if lists_by_prefix(fs):
        found = fs.find(folder, detail=True, **({"prefix": start} if start else {}))
    else:
        found = fs.find(folder, detail=True)
    head = folder.rstrip("/") + "/" + start
    return [
        entry_of(fs, path, info)
        for path, info in found.items()
        if path.startswith(head) and info.get("type") == "file"
    ]


def list_folder(fs: AbstractFileSystem, folder: str, start: str = "") -> list[Entry]:
    """Return the files directly in `folder` whose names begin with `start`; [] if none."""
    if start and lists_by_prefix(fs):
        return [e for e in list_below(fs, folder, start) if "/" not in e.path[len(folder) + 1 :]]
    return [
        entry_of(fs, info["name"], info)
        for info in _entries(fs, folder)
        if info.get("type") == "file" and info["name"].rsplit("/", 1)[-1].startswith(start)
    ]


def list_folders(fs: AbstractFileSystem, folder: str) -> list[str]:
    """Return the names of the folders directly in `folder`, sorted; [] if there is none."""
    names = {
        info["name"].rstrip("/").rsplit("/", 1)[-1]
        for info in _entries(fs, folder)
        if info.get("type") == "directory"
    }
    return sorted(names)


def entry_of(fs: AbstractFileSystem, path: str, info: Mapping[str, Any]) -> Entry:  # Any: fsspec's
    """Return what `info`, as the filesystem gives it, says of the file at `path`."""
    etag = next((str(info[name]) for name in _ETAGS if info.get(name)), None)
    modified = info.get("Last-Modified")
    return Entry(
        path=path,
        size=info.get("size"),
        etag=etag.strip('"') if etag else None,
        modified_ns=_modified_ns(fs, path, info),
        last_modified=str(modified) if modified else None,
    )


def _entries(fs: AbstractFileSystem, folder: str) -> list[dict[str, Any]]:
    try:
        return list(fs.ls(folder, detail=True))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _modified_ns(fs: AbstractFileSystem, path: str, info: Mapping[str, Any]) -> int | None:
    if is_local(fs):
        return os.stat(path).st_mtime_ns  # noqa: PTH116 # fsspec's float has lost the nanoseconds
    for name in _TIMES:
        if (value := info.get(name)) is None:
            continue
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        seconds = value.timestamp() if isinstance(value, datetime) else float(value)
        return int(seconds * 1e9)
    return None
