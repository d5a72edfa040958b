"""From a file's first bytes along the chain of its directories."""

from typing import Final, NamedTuple

from rasteret_assets.errors import ProblemCode, TiffError
from rasteret_assets.tiff.directories import Directory, read_directory
from rasteret_assets.tiff.images import Value, numbers
from rasteret_assets.tiff.reading import Reading
from rasteret_assets.tiff.tags import SHAPES, FileShape

_MAGIC_BYTES: Final = 4
_BIG_TIFF_POINTERS: Final = (b"\x08\0\0\0", b"\0\x08\0\0")
"""Bytes of an offset (8), and a reserved zero, in either byte order."""


_BETWEEN: Final = 64 << 10
"""Bytes of other values between the arrays of a directory and the next one, at most."""
_ARRAYS_MOST: Final = 16 << 20
"""Bytes of arrays that are asked for before it is known how many there are."""


class Start(NamedTuple):
    """What a file's own header says."""

    shape: FileShape
    first_directory: int


class Directories(NamedTuple):
    """All directories of a file."""

    found: list[Directory]
    """Those of the chain, then SubIFDs."""
    parents: tuple[int, ...]
    """For each SubIFD, which of `found` it belongs to."""


def start_of(reading: Reading) -> Start | None:
    """Return what the file's first 8 or 16 bytes say; None for want of bytes.

    Raises
    ------
    TiffError
        `not_tiff`; or `corrupt`, for a BigTIFF with other than 8-byte offsets.
    """
    if reading.size is not None and reading.size < _MAGIC_BYTES:
        detail = f"a file of {reading.size} bytes"
        raise TiffError(ProblemCode.NOT_TIFF, detail)
    magic = reading.take_around(0, _MAGIC_BYTES)
    if magic is None:
        return None
    shape = SHAPES.get(magic)
    if shape is None:
        detail = f"the file begins with {magic!r}"
        raise TiffError(ProblemCode.NOT_TIFF, detail)
    head = reading.take_around(0, shape.head_bytes)
    if head is None:
        return None
    if shape.big_tiff and head[4:8] not in _BIG_TIFF_POINTERS:
        detail = f"BigTIFF whose header says {head[4:8]!r} instead of 8-byte offsets"
        raise TiffError(ProblemCode.CORRUPT, detail)
    return Start(shape, shape.pointer.unpack_from(head, shape.head_bytes - shape.pointer.size)[0])


def walk(reading: Reading, start: Start) -> Directories | None:
    """Return all directories, or None for want of bytes.

    Raises
    ------
    TiffError
        `corrupt` for a loop, `over_budget` for too many directories or entries, `truncated`
        where one lies beyond the file's end.
    """
    seen: set[int] = set()
    found: list[Directory] = []
    offset = start.first_directory
    while offset or not found:
        directory = _directory(reading, start.shape, offset, seen)
        if directory is None:
            if found:
                _ask_with_arrays(reading, found[-1], offset)
            return None
        found.append(directory)
        offset = directory.next_offset
    parents: list[int] = []
    for parent, directory in enumerate(list(found)):
        if directory.layout.sub_ifds is not None:
            below = _sub_directories(reading, start.shape, directory, seen)
            found += below
            parents += [parent] * len(below)
    return None if reading.lacks_bytes else Directories(found, tuple(parents))


def _directory(reading: Reading, shape: FileShape, offset: int, seen: set[int]) -> Directory | None:
    if offset < shape.head_bytes:
        detail = f"a directory at byte {offset}, inside the file's header"
        raise TiffError(ProblemCode.CORRUPT, detail)
    if offset in seen:
        detail = f"the directory at byte {offset} comes round again"
        raise TiffError(ProblemCode.CORRUPT, detail)
    if len(seen) >= reading.budget.ifds:
        detail = f"more than {reading.budget.ifds} directories"
        raise TiffError(ProblemCode.OVER_BUDGET, detail)
    seen.add(offset)
    table = reading.take_table(shape, offset)
    return None if table is None else read_directory(shape, *table, offset)


def _ask_with_arrays(reading: Reading, before: Directory, offset: int) -> None:
    """Ask for a directory that lies behind the arrays of the one `before` together with them.

    So GDAL lays the directories of overviews one after the other, before any of their pixels.
    The next overviews' arrays are a quarter as long each time: half as much behind the
    directory holds them all.
    """
    places = [p for p in (before.layout.offsets, before.layout.byte_counts) if p is not None]
    spans = [(before.start_of(place), place.items * place.item_bytes) for place in places]
    size = sum(span for _, span in spans)
    begin = min((start for start, _ in spans), default=offset)
    if before.offset < begin < offset <= begin + size + _BETWEEN and size <= _ARRAYS_MOST:
        reading.widen(begin, offset + size // 2)


def _sub_directories(
    reading: Reading, shape: FileShape, parent: Directory, seen: set[int]
) -> list[Directory]:
    """Return the SubIFDs of `parent` that are held."""
    place = parent.layout.sub_ifds
    if place is None:
        return []
    if place.items > reading.budget.ifds:
        detail = f"{place.items} SubIFDs, the limit is {reading.budget.ifds} directories"
        raise TiffError(ProblemCode.OVER_BUDGET, detail)
    data = reading.take_around(parent.start_of(place), place.items * place.item_bytes)
    if data is None:
        return []
    offsets = numbers(shape.byte_order, Value(place.tag, place.code, data))
    found = (_directory(reading, shape, offset, seen) for offset in offsets)
    return [directory for directory in found if directory is not None]
