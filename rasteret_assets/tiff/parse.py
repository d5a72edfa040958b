"""From a file's bytes to its header, or to what is still lacking. No I/O."""

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rasteret_assets.contract.settings import HeaderBudget
from rasteret_assets.errors import ProblemCode, TiffError
from rasteret_assets.tiff.directories import Directory, Place
from rasteret_assets.tiff.family import Family, Member, family_of
from rasteret_assets.tiff.georeference import georeference_of
from rasteret_assets.tiff.header import Header, Need
from rasteret_assets.tiff.header_bytes import HeaderBytes
from rasteret_assets.tiff.images import Storage, Value, check_budget, storage_of
from rasteret_assets.tiff.mould import text_of
from rasteret_assets.tiff.moulding import Trace
from rasteret_assets.tiff.moulds import Moulds
from rasteret_assets.tiff.reading import Reading
from rasteret_assets.tiff.samples import samples_of
from rasteret_assets.tiff.tile_index import (
    Numbers,
    check_tiles,
    implied_byte_counts,
    joined,
    take_array,
)
from rasteret_assets.tiff.walk import Start, start_of, walk

_GHOST: Final = b"GDAL_STRUCTURAL_METADATA_SIZE="
_GHOST_HEAD: Final = len(b"GDAL_STRUCTURAL_METADATA_SIZE=XXXXXX bytes\n")
_GHOST_LARGEST: Final = 4 << 10
_REMEMBERED_BYTES: Final = 8 << 10
"""Of tags, as the caches' keys hold them; thousands of them are kept."""

_moulds: Final = Moulds()


def parse_header(data: HeaderBytes, budget: HeaderBudget) -> Header | Need:
    """Return the header of the file whose bytes `data` holds in part, or what is lacking.

    Add what is needed to `data` and call again; what is lacking then may be more, until the
    whole index is there. Never more is asked for than `budget` allows.

    Raises
    ------
    TiffError
        `not_tiff`, `truncated`, `corrupt`, `unsupported` or `over_budget`; no other error.
    """
    header = _moulds.cast(data, budget)
    if header is not None:
        return header
    reading = Reading(data, budget)
    parsed = _parsed(reading)
    if parsed is None:
        return reading.need()
    if _moulds.wants(parsed.header, data):
        trace = Trace(data, budget)
        if (again := _parsed(trace)) is not None:
            _moulds.keep(*again, trace)
    return parsed.header


class _Parsed(NamedTuple):
    """A header, and what it was made from."""

    header: Header
    directories: list[Directory]
    family: Family


def _parsed(reading: Reading) -> _Parsed | None:
    """Return what the bytes of `reading` say, or None for want of bytes."""
    start = start_of(reading)
    directories = None if start is None else walk(reading, start)
    if start is None or directories is None:
        return None
    family = family_of(
        start.shape.byte_order,
        tuple([(each.layout, each.scalars) for each in directories.found]),
        directories.parents,
    )
    header = _header(reading, start, directories.found, family)
    return None if header is None else _Parsed(header, directories.found, family)


def _header(
    reading: Reading, start: Start, directories: list[Directory], family: Family
) -> Header | None:
    """Return the header of a file of this family, or None for want of bytes."""
    order = start.shape.byte_order
    images = _images(reading, order, directories, family)
    first = directories[family.members[0].position]
    layout = first.layout
    sample_values = _values(reading, first, layout.samples)
    place_values = _values(reading, first, layout.georeference)
    metadata = _values(reading, first, layout.gdal_metadata)
    structural = _structural_metadata(reading, start)
    if images is None or reading.lacks_bytes:
        return None
    storages, offsets, byte_counts = images
    samples = samples_of if _are_small(sample_values) else samples_of.__wrapped__
    georeference = georeference_of if _are_small(place_values) else georeference_of.__wrapped__
    check_tiles(family, offsets, byte_counts, reading.size)
    below = 1 + family.overviews
    masks = iter(storages[below:])
    return Header(
        byte_order=order,
        big_tiff=start.shape.big_tiff,
        image=storages[0],
        overviews=tuple(storages[1:below]),
        mask=next(masks) if family.mask else None,
        overview_masks=tuple([next(masks) if given else None for given in family.overview_masks]),
        offsets=offsets,
        byte_counts=byte_counts,
        samples=samples(order, storages[0].sample_kind, sample_values),
        georeference=georeference(order, place_values),
        gdal_metadata=text_of(metadata[0].data) if metadata else None,
        structural_metadata=structural,
        notes=family.notes,
        prefix_bytes=reading.deepest,
        front_bytes=reading.front,
    )


class _Images(NamedTuple):
    """All images of a file, in the order of the family's members."""

    storages: list[Storage]
    offsets: NDArray[np.int64]
    byte_counts: NDArray[np.int64]


def _images(
    reading: Reading, order: str, directories: list[Directory], family: Family
) -> _Images | None:
    """Return how all images are stored, and where; None for want of bytes."""
    if family.tiles > reading.budget.tiles:
        detail = f"an image of {family.tiles} tiles, the limit is {reading.budget.tiles}"
        raise TiffError(ProblemCode.OVER_BUDGET, detail)
    if family.lack is not None:
        raise TiffError(ProblemCode.CORRUPT, family.lack)
    storages: list[Storage] = []
    offsets: list[Numbers] = []
    byte_counts: list[Numbers | None] = []
    for member in family.members:
        directory = directories[member.position]
        storage = member.storage or _storage(reading, order, directory, member)
        if storage is not None:
            check_budget(storage, reading.budget)
            storages.append(storage)
        part = take_array(reading, directory, member.offsets)
        if part is not None:
            offsets.append(part)
        array = member.byte_counts
        byte_counts.append(None if array is None else take_array(reading, directory, array))
    if reading.lacks_bytes:
        return None
    known = [  # computed only now, as that takes the memory for what the file claims
        implied_byte_counts(storage) if counts is None else counts
        for storage, counts in zip(storages, byte_counts, strict=True)
    ]
    return _Images(storages, joined(offsets), joined(known))


def _storage(reading: Reading, order: str, directory: Directory, member: Member) -> Storage | None:
    values = _values(reading, directory, directory.layout.storage)
    if len(values) < len(directory.layout.storage):
        return None
    make = storage_of if _are_small(values) else storage_of.__wrapped__
    return make(order, member.scalars, values)


def _values(reading: Reading, directory: Directory, places: tuple[Place, ...]) -> tuple[Value, ...]:
    """Return the values of `places` that are held."""
    values = []
    for place in places:
        size = place.items * place.item_bytes
        if size > reading.budget.tag_bytes:
            detail = f"tag {place.tag} holds {size} bytes, the limit is {reading.budget.tag_bytes}"
            raise TiffError(ProblemCode.OVER_BUDGET, detail)
        data = reading.take(directory.start_of(place), size)
        if data is not None:
            values.append(Value(place.tag, place.code, data))
    return tuple(values)


def _are_small(values: tuple[Value, ...]) -> bool:
    """Whether what is made of `values` may be remembered without much memory."""
    return sum([len(value.data) for value in values]) <= _REMEMBERED_BYTES


def _structural_metadata(reading: Reading, start: Start) -> str | None:
    """Return what GDAL says between the file's header and its first directory."""
    begin = start.shape.head_bytes
    if start.first_directory < begin + _GHOST_HEAD:
        return None
    head = reading.take(begin, _GHOST_HEAD)
    if head is None or not head.startswith(_GHOST):
        return None
    digits = head[len(_GHOST) : len(_GHOST) + 6]
    size = int(digits) if digits.isdigit() else 0
    if not 0 < size <= _GHOST_LARGEST:
        return None
    text = reading.take(begin + _GHOST_HEAD, size)
    return None if text is None else _shared_text(text)


@lru_cache(maxsize=256)
def _shared_text(data: bytes) -> str:
    """As `text_of`, of what a million files say alike."""
    return text_of(data).strip("\n ")
