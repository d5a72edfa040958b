"""TIFF files made byte by byte, as no honest writer would make them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from struct import calcsize, pack

BYTE, ASCII, SHORT, LONG, RATIONAL, FLOAT, DOUBLE, LONG8 = 1, 2, 3, 4, 5, 11, 12, 16
_CODES = {1: "B", 2: "B", 3: "H", 4: "I", 5: "II", 6: "b", 7: "B", 8: "h", 9: "i", 10: "ii"}
_CODES |= {11: "f", 12: "d", 13: "I", 16: "Q", 17: "q", 18: "Q"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One tag of a directory."""

    tag: int
    kind: int
    values: Sequence[float] = ()
    count: int | None = None
    """Says so many values, however many there are."""
    offset: int | None = None
    """Says that the values lie there, however many there are."""


def image(
    width: int = 64, height: int = 64, tile: int = 32, *, tiles: int = 4, subfile_type: int = 0
) -> list[Entry]:
    """Return the tags of a plain 8-bit image whose tiles are 4 bytes at byte 4."""
    return [
        Entry(tag=254, kind=LONG, values=[subfile_type]),
        Entry(tag=256, kind=LONG, values=[width]),
        Entry(tag=257, kind=LONG, values=[height]),
        Entry(tag=258, kind=SHORT, values=[8]),
        Entry(tag=259, kind=SHORT, values=[1]),
        Entry(tag=262, kind=SHORT, values=[1]),
        Entry(tag=277, kind=SHORT, values=[1]),
        Entry(tag=322, kind=LONG, values=[tile]),
        Entry(tag=323, kind=LONG, values=[tile]),
        Entry(tag=324, kind=LONG, values=[4] * tiles),
        Entry(tag=325, kind=LONG, values=[4] * tiles),
    ]


def changed(entries: Sequence[Entry], tag: int, **fields: object) -> list[Entry]:
    """Return `entries` with one of them changed, or added at its place."""
    if not any(entry.tag == tag for entry in entries):
        entries = sorted([*entries, Entry(tag=tag, kind=LONG)], key=lambda entry: entry.tag)
    return [
        replace(entry, **fields) if entry.tag == tag else entry  # type: ignore[arg-type]  # fields of Entry
        for entry in entries
    ]


def without(entries: Sequence[Entry], *tags: int) -> list[Entry]:
    """Return `entries` without those of `tags`."""
    return [entry for entry in entries if entry.tag not in tags]


def text(tag: int, value: str) -> Entry:
    """Return an ASCII tag."""
    return Entry(tag=tag, kind=ASCII, values=[*value.encode(), 0])


def build(
    *directories: Sequence[Entry],
    order: str = "<",
    big_tiff: bool = False,
    gap: int = 0,
    links: dict[int, int] | None = None,
    first: int | None = None,
) -> bytes:
    """Return a file of `directories`, each followed by its values.

    Parameters
    ----------
    gap
        Bytes in front of each directory.
    links
        For the directory of each number, where it says that the next one is.
    first
        Where the file says that its first directory is.
    """
    pointer = "Q" if big_tiff else "I"
    size = calcsize("<" + pointer)
    data = bytearray(2 * 8 if big_tiff else 8)
    starts = []
    link_at = []
    for entries in directories:
        data += bytes(gap + gap % 2)
        starts.append(len(data))
        table_bytes = (8 if big_tiff else 2) + len(entries) * (12 + 2 * (size - 4)) + size
        values_at = len(data) + table_bytes
        table, values = _directory(entries, order, pointer, values_at)
        link_at.append(len(data) + len(table))
        data += table + bytes(size) + values
    following = {**dict(enumerate([*starts[1:], 0])), **(links or {})}
    for number, at in enumerate(link_at):
        data[at : at + size] = pack(order + pointer, following[number])
    start = starts[0] if first is None else first
    mark = b"II" if order == "<" else b"MM"
    head = pack(order + "HHHQ", 43, 8, 0, start) if big_tiff else pack(order + "HI", 42, start)
    data[: len(mark + head)] = mark + head
    return bytes(data)


def _directory(
    entries: Sequence[Entry], order: str, pointer: str, values_at: int
) -> tuple[bytes, bytes]:
    table = bytearray(pack(order + ("Q" if pointer == "Q" else "H"), len(entries)))
    values = bytearray()
    size = calcsize("<" + pointer)
    for entry in entries:
        code = _CODES.get(entry.kind, "I")
        raw = pack(f"{order}{len(entry.values)}{code[0]}", *entry.values)
        count = len(entry.values) // len(code) if entry.count is None else entry.count
        table += pack(order + "HH" + pointer, entry.tag, entry.kind, count)
        if entry.offset is not None:
            table += pack(order + pointer, entry.offset)
        elif len(raw) <= size:
            table += raw.ljust(size, b"\0")
        else:
            table += pack(order + pointer, values_at + len(values))
            values += raw
    return bytes(table), bytes(values)
