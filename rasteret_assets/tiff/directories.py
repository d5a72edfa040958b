"""Image file directories: from an entry table to the values in it and the places of others.

Files of one archive are written alike: the same tags, types and counts again and again, only
values differ. So a table's shape is compiled once to a `struct` format that takes all wanted
values out of it in one go; this is what makes a header cost microseconds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from struct import Struct
from typing import Final, NamedTuple

from rasteret_assets.errors import ProblemCode, TiffError
from rasteret_assets.tiff import tags
from rasteret_assets.tiff.tags import FileShape

_DEFAULTS: Final = tuple(tags.SCALARS.values())
_CACHED_ENTRIES: Final = 64
"""Tables with more entries are compiled each time, so that the cache stays small."""


class Scalars(NamedTuple):
    """The tags of one number of one image."""

    subfile_type: int
    old_subfile_type: int
    width: int
    height: int
    bits_per_sample: int
    compression: int
    photometric: int
    fill_order: int
    samples_per_pixel: int
    rows_per_strip: int
    planar_configuration: int
    predictor: int
    tile_width: int
    tile_height: int
    sample_format: int


class Place(NamedTuple):
    """Where the value of one tag is found."""

    tag: int
    code: str
    """What `struct` calls one number of it."""
    items: int
    """How many numbers."""
    item_bytes: int
    value_index: int
    """Of the value's offset among the values taken out of the table; -1 if `inline_at` holds."""
    inline_at: int
    """Where the value begins, from the table's own offset; 0 if it stands elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layout:
    """The shape of an entry table, and how to take the values out of it."""

    table: Struct
    pick: Callable[[tuple[int, ...]], tuple[int, ...]]
    """Gives the `Scalars`, from the table's values with `DEFAULTS` behind them."""
    storage: tuple[Place, ...]
    samples: tuple[Place, ...]
    georeference: tuple[Place, ...]
    gdal_metadata: tuple[Place, ...]
    offsets: Place | None
    byte_counts: Place | None
    sub_ifds: Place | None
    notes: tuple[str, ...]


class Directory(NamedTuple):
    """One image file directory."""

    offset: int
    layout: Layout
    values: tuple[int, ...]
    scalars: tuple[int, ...]
    """Those of `Scalars`, in its order."""
    next_offset: int
    """Of the directory that comes after it; 0 if none does."""

    def start_of(self, place: Place) -> int:
        """Return the byte of the file at which the value of `place` begins."""
        return self.offset + place.inline_at if place.inline_at else self.values[place.value_index]


@lru_cache(maxsize=_CACHED_ENTRIES + 1)
def _cached_key_table(shape: FileShape, entries: int) -> Struct:
    return _key_table(shape, entries)


def _key_table(shape: FileShape, entries: int) -> Struct:
    pad = shape.inline_bytes
    return Struct(f"{shape.entry_bytes - pad}s{pad}x" * entries)


def read_directory(shape: FileShape, data: bytes, at: int, entries: int, offset: int) -> Directory:
    """Return the directory at `offset` of the file, whose table of `entries` is at `data[at:]`.

    Raises
    ------
    TiffError
        `corrupt`, if a tag that is one number is none, or is of a type without whole numbers.
    """
    first = at + shape.count.size
    if entries <= _CACHED_ENTRIES:
        layout = _cached_layout(shape, _cached_key_table(shape, entries).unpack_from(data, first))
    else:
        layout = _compile(shape, _key_table(shape, entries).unpack_from(data, first))
    values = layout.table.unpack_from(data, first)
    (next_offset,) = shape.pointer.unpack_from(data, first + entries * shape.entry_bytes)
    return Directory(offset, layout, values, layout.pick(values + _DEFAULTS), next_offset)


def _compile(shape: FileShape, keys: tuple[bytes, ...]) -> Layout:
    """Return how to read tables whose entries begin with `keys` (tag, type, count)."""
    table: list[str] = [shape.byte_order]
    scalars: dict[int, int] = {}
    places: dict[int, Place] = {}
    notes: list[str] = []
    taken = 0
    for position, key in enumerate(keys):
        tag, kind, count = shape.entry_head.unpack(key)
        code = tags.TYPE_CODES.get(kind)
        if code is None or tag not in tags.WANTED or tag in scalars or tag in places:
            table.append(f"{shape.entry_bytes}x")
            if tag in scalars or tag in places:
                notes.append(f"tag {tag} is given more than once; the first is used")
            continue
        table.append(f"{len(key)}x")
        if _is_scalar(shape, tag, code, count):
            scalars[tag] = taken
            table.append(f"{code}{shape.inline_bytes - tags.CODE_BYTES[code]}x")
            taken += 1
            continue
        size = tags.CODE_BYTES[code]
        if count * size <= shape.inline_bytes:
            at = shape.count.size + position * shape.entry_bytes + len(key)
            places[tag] = Place(tag, code, count, size, -1, at)
            table.append(f"{shape.inline_bytes}x")
        else:
            places[tag] = Place(tag, code, count, size, taken, 0)
            table.append(shape.pointer_code)
            taken += 1
    return _layout(Struct("".join(table)), scalars, places, notes, taken)


_cached_layout = lru_cache(maxsize=1024)(_compile)


def _is_scalar(shape: FileShape, tag: int, code: str, count: int) -> bool:
    if tag not in tags.SCALARS or (count > 1 and tag in tags.PER_SAMPLE):
        return False
    if count != 1 or code not in tags.INTEGERS or tags.CODE_BYTES[code] > shape.inline_bytes:
        detail = f"tag {tag} holds {count} values of type {code}, not one whole number"
        raise TiffError(ProblemCode.CORRUPT, detail)
    return True


def _layout(
    table: Struct,
    scalars: dict[int, int],
    places: dict[int, Place],
    notes: list[str],
    taken: int,
) -> Layout:
    def present(*wanted: int) -> tuple[Place, ...]:
        return tuple(places[tag] for tag in wanted if tag in places)

    picked = [scalars.get(tag, taken + at) for at, tag in enumerate(tags.SCALARS)]
    return Layout(
        table=table,
        pick=itemgetter(*picked),
        storage=present(*tags.STORAGE_ARRAYS),
        samples=present(*tags.SAMPLE_ARRAYS),
        georeference=present(*tags.GEOREFERENCE_ARRAYS),
        gdal_metadata=present(tags.GDAL_METADATA),
        offsets=next(iter(present(tags.TILE_OFFSETS, tags.STRIP_OFFSETS)), None),
        byte_counts=next(iter(present(tags.TILE_BYTE_COUNTS, tags.STRIP_BYTE_COUNTS)), None),
        sub_ifds=next(iter(present(tags.SUB_IFDS)), None),
        notes=tuple(dict.fromkeys(notes)),
    )
