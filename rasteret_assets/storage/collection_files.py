"""A Collection's folder: which files are whose, and how new ones replace old ones.

Others read it by globs, so a file that is not part of the Collection yet must not look as if
it were: DuckDB's globs take names that begin with `_` or `.`, pyarrow's folders take names
with any ending. What is staged therefore begins with `_` and does not end in `.parquet`.
"""

import hashlib
import os
import re
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
from fsspec.spec import AbstractFileSystem

from rasteret_assets.contract.conform import conform
from rasteret_assets.contract.problems import PROBLEMS
from rasteret_assets.contract.settings import BuildSettings
from rasteret_assets.storage.collection_manifests import CollectionFile, CollectionManifest
from rasteret_assets.storage.listing import list_below
from rasteret_assets.storage.objects import move, remove, token
from rasteret_assets.storage.writing import ParquetSink

_OURS: Final = re.compile(
    r"year=\d+/month=\d+/(?:part-(\d{6,})-\d+\.parquet|_part-(\d{6,})-\d+-\w+\.staged)"
    r"|_problems/problems-(\d{6,})-\w+\.pq"
)
_UNFINISHED: Final = re.compile(r"\.(?:_part-|_manifest-|problems-)[\w.-]+\.tmp")
_TRIES: Final = 3
_WRITERS: Final = max(2, min(8, os.cpu_count() or 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthFile:
    """A file of the Collection that is still to be written."""

    year: int
    month: int
    tables: Iterable[pa.Table]
    """Taken once. Without rows, there is no file."""
    nbytes: int = 0
    """Decoded bytes of its rows, about."""


def _write_month(
    fs: AbstractFileSystem,
    folder: str,
    draft: MonthFile,
    number: tuple[int, int],
    schema: pa.Schema,
    settings: BuildSettings,
    written: list[str],
) -> CollectionFile | None:
    """Write one file under its staged name; `written` gets its path, come what may.

    `number` is the generation, and the file's place in it.
    """
    generation, at = number
    place = f"year={draft.year}/month={draft.month}"
    name = f"part-{generation:06}-{at}"
    staged = f"{place}/_{name}-{token()}.staged"
    tables = (table for table in draft.tables if table.num_rows)
    first = next(tables, None)
    if first is None:
        return None
    written.append(f"{folder}/{staged}")
    with ParquetSink(fs, written[-1], schema, settings) as sink:
        sink.write(conform(first, schema))
        for table in tables:
            sink.write(conform(table, schema))
    return CollectionFile(
        path=f"{place}/{name}.parquet",
        staged=staged,
        year=draft.year,
        month=draft.month,
        rows=sink.rows,
    )


def write_months(
    fs: AbstractFileSystem,
    folder: str,
    drafts: Iterable[MonthFile],
    generation: int,
    schema: pa.Schema,
    settings: BuildSettings,
    written: list[str],
) -> Iterator[CollectionFile]:
    """Write files, a few small ones side by side, and yield them in order.

    `written` gets their paths, come what may.
    """
    with ThreadPoolExecutor(_WRITERS) as pool:
        pending: deque[tuple[int, Future[CollectionFile | None]]] = deque()
        left = enumerate(drafts)
        while (one := next(left, None)) is not None:
            at, draft = one
            arguments = (fs, folder, draft, (generation, at), schema, settings, written)
            pending.append((draft.nbytes, pool.submit(_write_month, *arguments)))
            del one, draft, arguments  # the next is made while they are written
            while pending and sum(n for n, _ in pending) > settings.file_bytes // 4:
                yield from _made(pending.popleft()[1])
        for _, done in pending:
            yield from _made(done)


def _made(done: Future[CollectionFile | None]) -> Iterator[CollectionFile]:
    file = done.result()
    if file is not None:
        yield file


def write_problems(
    fs: AbstractFileSystem,
    folder: str,
    problems: Iterable[pa.Table],
    generation: int,
    settings: BuildSettings,
    written: list[str],
) -> tuple[tuple[str, ...], str]:
    """Write the problems, if there are any; return the file's name, and a digest of them."""
    tables = (table for table in problems if table.num_rows)
    first = next(tables, None)
    if first is None:
        return (), ""
    name = f"_problems/problems-{generation:06}-{token()}.pq"
    written.append(f"{folder}/{name}")
    content = hashlib.sha256()
    with ParquetSink(fs, written[-1], PROBLEMS, settings) as sink:
        for table in (first, *tables):
            rows = conform(table, PROBLEMS)
            for batch in rows.combine_chunks().to_batches():
                content.update(batch.serialize())
            sink.write(rows)
    return (name,), content.hexdigest()[:16]


def present(fs: AbstractFileSystem, folder: str) -> set[str]:
    """Return the paths of all files in the Collection's folder, counted from it."""
    return {path[len(folder) + 1 :] for path in fs.find(folder)}


def settle(fs: AbstractFileSystem, folder: str, manifest: CollectionManifest) -> None:
    """Move the files of `manifest` to their names, and remove what it has replaced.

    Whoever calls it, and however often, the result is the same: a writer that died is
    finished by the next one. Files of later generations are not touched, nor files that are
    not named the way this module names them.
    """
    named = {file.path for file in manifest.files} | set(manifest.problem_files)
    for _ in range(_TRIES):  # another writer may be moving the same files
        there = present(fs, folder)
        left = [f for f in manifest.files if f.path not in there and f.staged in there]
        if not left:
            break
        move(fs, ((f"{folder}/{f.staged}", f"{folder}/{f.path}") for f in left))
    replaced = [
        path
        for path in there
        if path not in named and (of := _generation(path)) and of <= manifest.generation
    ]
    remove(fs, (f"{folder}/{path}" for path in replaced))


def unfinished(fs: AbstractFileSystem, folder: str, before_ns: float) -> list[str]:
    """Return the files that a killed writer was writing before `before_ns` (since 1970)."""
    return [
        entry.path
        for entry in list_below(fs, folder)
        if _UNFINISHED.fullmatch(entry.path.rpartition("/")[2])
        and (entry.modified_ns or 0) < before_ns
    ]


def _generation(path: str) -> int | None:
    """Return the generation in the name of a file of ours; None for any other file."""
    found = _OURS.fullmatch(path)
    return int(next(digits for digits in found.groups() if digits)) if found else None
