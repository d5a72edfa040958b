"""From a file's bytes to its header, or to what is still lacking. No I/O."""

from typing import Final

from rasteret_assets.contract.settings import HeaderBudget
from rasteret_assets.errors import ProblemCode, TiffError
from rasteret_assets.tiff.directories import Directory, Place
from rasteret_assets.tiff.georeference import georeference_of
from rasteret_assets.tiff.header import Header, Need
from rasteret_assets.tiff.header_bytes import HeaderBytes
from rasteret_assets.tiff.images import Storage, Value, check_budget, grid_of, storage_of
from rasteret_assets.tiff.reading import Reading
from rasteret_assets.tiff.samples import samples_of
from rasteret_assets.tiff.selection import Selection, select
from rasteret_assets.tiff.tile_index import TileIndex, joined, take_tile_index
from rasteret_assets.tiff.walk import Start, start_of, walk

_GHOST: Final = b"GDAL_STRUCTURAL_METADATA_SIZE="
_GHOST_HEAD: Final = len(b"GDAL_STRUCTURAL_METADATA_SIZE=XXXXXX bytes\n")
_GHOST_LARGEST: Final = 4 << 10


def parse_header(data: HeaderBytes, budget: HeaderBudget) -> Header | Need:
    """Return the header of the file whose bytes `data` holds in part, or what is lacking.

    Add what is needed to `data` and call again; what is lacking then may be more, until the
    whole index is there. Never more is asked for than `budget` allows.

    Raises
    ------
    TiffError
        `not_tiff`, `truncated`, `corrupt`, `unsupported` or `over_budget`; no other error.
    """
    reading = Reading(data, budget)
    start = start_of(reading)
    directories = None if start is None else walk(reading, start)
    if start is None or directories is None:
        return reading.need()
    selection = select(directories)
    return _header(reading, start, selection) or reading.need()


def _header(reading: Reading, start: Start, selection: Selection) -> Header | None:
    """Return the header of the images selected, or None for want of bytes."""
    order = start.shape.byte_order
    masks = [mask for mask in (selection.mask, *selection.overview_masks) if mask is not None]
    storages: list[Storage] = []
    indexes: list[TileIndex] = []
    for directory in (selection.image, *selection.overviews, *masks):
        storage = _storage(reading, order, directory)
        tiles = grid_of(directory.scalars)
        index = take_tile_index(reading, directory, tiles.tiles, tiled=tiles.tiled)
        if storage is not None and index is not None:
            storages.append(storage)
            indexes.append(index)
    layout = selection.image.layout
    sample_values = _values(reading, selection.image, layout.samples)
    place_values = _values(reading, selection.image, layout.georeference)
    metadata = _values(reading, selection.image, layout.gdal_metadata)
    structural = _structural_metadata(reading, start)
    if reading.lacks_bytes:
        return None
    offsets, byte_counts = joined(order, indexes, storages, reading.size)
    samples = samples_of(order, storages[0], sample_values)
    georeference = georeference_of(order, place_values)
    below = 1 + len(selection.overviews)
    mask_storages = iter(storages[below:])
    return Header(
        byte_order=order,
        big_tiff=start.shape.big_tiff,
        image=storages[0],
        overviews=tuple(storages[1:below]),
        mask=None if selection.mask is None else next(mask_storages),
        overview_masks=tuple(
            None if mask is None else next(mask_storages) for mask in selection.overview_masks
        ),
        offsets=offsets,
        byte_counts=byte_counts,
        samples=samples,
        georeference=georeference,
        gdal_metadata=_text(metadata[0].data) if metadata else None,
        structural_metadata=structural,
        notes=(*selection.notes, *layout.notes),
        prefix_bytes=reading.deepest,
    )


def _storage(reading: Reading, order: str, directory: Directory) -> Storage | None:
    values = _values(reading, directory, directory.layout.storage)
    if len(values) < len(directory.layout.storage):
        return None
    storage = storage_of(order, directory.scalars, values)
    check_budget(storage, reading.budget)
    return storage


def _values(reading: Reading, directory: Directory, places: tuple[Place, ...]) -> tuple[Value, ...]:
    """Return the values of `places` that are held."""
    values = []
    for place in places:
        size = place.count * place.item_bytes
        if size > reading.budget.tag_bytes:
            detail = f"tag {place.tag} holds {size} bytes, the limit is {reading.budget.tag_bytes}"
            raise TiffError(ProblemCode.OVER_BUDGET, detail)
        data = reading.take(directory.start_of(place), size)
        if data is not None:
            values.append(Value(place.tag, place.code, data))
    return tuple(values)


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
    return None if text is None else _text(text).strip("\n ")


def _text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode("utf-8", "replace")
