"""Moulds made: which bytes of a file must be the same, and which may differ."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final, NamedTuple

import numpy as np

from rasteret_assets.contract.settings import HeaderBudget
from rasteret_assets.tiff.directories import Directory, Place
from rasteret_assets.tiff.family import Family
from rasteret_assets.tiff.header import Header
from rasteret_assets.tiff.header_bytes import HeaderBytes
from rasteret_assets.tiff.mould import Mould, Run, Span
from rasteret_assets.tiff.reading import Reading
from rasteret_assets.tiff.tags import FileShape

_PLACE_BYTES: Final = 8 << 10
"""Of georeferencing tags, which are remembered as well."""


class Trace(Reading):
    """A reading that remembers all it was asked for."""

    __slots__ = ("prefix", "spans", "tables")

    def __init__(self, data: HeaderBytes, budget: HeaderBudget) -> None:
        super().__init__(data, budget)
        self.prefix = data.prefix
        self.spans: list[Span] = []
        self.tables: dict[int, Span] = {}
        """Of directories, by where they begin."""

    def take(self, start: int, size: int) -> bytes | None:
        """As in `Reading`."""
        self.spans.append((start, start + size))
        return super().take(start, size)

    def take_table(self, shape: FileShape, start: int) -> tuple[bytes, int, int] | None:
        """As in `Reading`."""
        found = super().take_table(shape, start)
        if found is not None:
            size = shape.count.size + found[2] * shape.entry_bytes + shape.pointer.size
            self.tables[start] = (start, start + size)
        return found


def mould_of(
    header: Header, directories: Sequence[Directory], family: Family, trace: Trace
) -> Mould | None:
    """Return the mould of a file, or None where bytes that may differ mean something else too."""
    offsets: list[_Field] = []
    byte_counts: list[_Field] = []
    for member in family.members:
        if member.byte_counts is None:
            return None  # they follow from the size of the image: rare, and slow anyway
        directory = directories[member.position]
        offsets.append(_Field.of(directory, member.offsets.place, member.offsets.size))
        byte_counts.append(_Field.of(directory, member.byte_counts.place, member.byte_counts.size))
    first = directories[family.members[0].position]
    georeference = [_Field.of(first, place) for place in first.layout.georeference]
    texts = [_Field.of(first, place) for place in first.layout.gdal_metadata]
    free = [*offsets, *byte_counts, *georeference, *texts]
    fixed = _fixed(trace, free)
    if fixed is None or sum(field.stop - field.start for field in georeference) > _PLACE_BYTES:
        return None
    order = header.byte_order
    return Mould(
        budget=trace.budget,
        header=header,
        family=family,
        fixed=tuple((start, stop, trace.prefix[start:stop]) for start, stop in fixed),
        offsets=_runs(order, offsets),
        byte_counts=_runs(order, byte_counts),
        georeference=tuple(
            (field.place.tag, field.place.code, field.start, field.stop) for field in georeference
        ),
        gdal_metadata=(texts[0].start, texts[0].stop) if texts else None,
    )


class _Field(NamedTuple):
    """Bytes that may differ from file to file."""

    place: Place
    start: int
    stop: int
    table: int | None
    """Where the directory begins whose table they stand in, if they do."""

    @classmethod
    def of(cls, directory: Directory, place: Place, size: int | None = None) -> "_Field":
        start = directory.start_of(place)
        length = place.items * place.item_bytes if size is None else size
        return cls(place, start, start + length, directory.offset if place.inline_at else None)


def _fixed(trace: Trace, free: Sequence[_Field]) -> list[Span] | None:
    """Return what the parser has read besides `free`, in pieces that do not touch it.

    None where they overlap, save for values within their own table: then what may differ
    would be taken for what must not.
    """
    own = Counter((field.start, field.stop) for field in free)
    others = [*(Counter(trace.spans) - own).elements(), *trace.tables.values()]
    for field in free:
        home = None if field.table is None else trace.tables[field.table]
        if any(_meet(field, span) for span in others if span is not home):
            return None
    pieces: list[Span] = []
    for span in dict.fromkeys(others):
        pieces += _without(span, sorted((f.start, f.stop) for f in free if _meet(f, span)))
    return pieces


def _meet(field: _Field, span: Span) -> bool:
    return field.start < span[1] and span[0] < field.stop


def _without(span: Span, gaps: Iterable[Span]) -> Iterator[Span]:
    """Yield what is left of `span` besides ascending `gaps` in it."""
    start, end = span
    for gap_start, gap_stop in gaps:
        if start < gap_start:
            yield start, gap_start
        start = max(start, gap_stop)
    if start < end:
        yield start, end


def _runs(byte_order: str, fields: Sequence[_Field]) -> tuple[Run, ...]:
    """Return arrays of one type that follow each other as one."""
    return tuple(
        Run(
            dtype=np.dtype(byte_order + code),
            spans=tuple((field.start, field.stop) for field in run),
        )
        for code, run in groupby(fields, key=lambda field: field.place.code)
    )
