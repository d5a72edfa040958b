"""From headers to the index: one `{band}_metadata` struct per header, column by column."""

from collections.abc import Callable, Sequence
from operator import attrgetter, itemgetter
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from rasteret_assets.contract.bands import BAND_METADATA, MASK, OVERVIEW
from rasteret_assets.errors import ProblemCode, TiffError
from rasteret_assets.tiff.gdal_metadata import FACT_FIELDS, facts_of_band, metadata_facts
from rasteret_assets.tiff.header import FileIdentity, Header
from rasteret_assets.tiff.level_columns import Shared, flattened, levels, storage_columns
from rasteret_assets.tiff.samples import Samples, dtype_name
from rasteret_assets.tiff.tile_columns import tile_columns

_SAMPLES: Final = ("sample_format", "extra_samples", "nodata", "nodata_text", "palette")
_GEOREFERENCE: Final = ("transform", "pixel_scale", "tiepoint", "crs", "pixel_is_point", "gcps")
_FILE: Final = ("href", "etag", "last_modified")

Said = tuple[str | None, Samples, int | None]
"""GDAL_METADATA, samples and band index: what decides on a band's facts."""


def check_band_index(header: Header, band_index: int | None) -> None:
    """Refuse a sample that the file does not have.

    Raises
    ------
    TiffError
        `band_index_invalid`.
    """
    count = header.image.samples_per_pixel
    if band_index is not None and not 0 <= band_index < count:
        detail = f"band_index is {band_index}, the file has {count} samples per pixel"
        raise TiffError(ProblemCode.BAND_INDEX_INVALID, detail)


def band_structs(
    headers: Sequence[Header | None],
    files: Sequence[FileIdentity | None],
    band_indexes: Sequence[int | None],
) -> pa.StructArray:
    """Return one `BAND_METADATA` struct per header, null where there is none.

    Parameters
    ----------
    headers, files, band_indexes
        Equally long. A `band_index` of None means the only sample, or, where there are
        several, the file as a whole: then offsets are those of all planes in the file's order,
        and what differs between bands is null. Indexes are in range (`check_band_index`).
    """
    there = [row for row, header in enumerate(headers) if header is not None]
    structs = _structs(
        [header for header in headers if header is not None],
        [files[row] for row in there],
        [band_indexes[row] for row in there],
    )
    if len(there) == len(headers):
        return structs
    positions: list[int | None] = [None] * len(headers)
    for position, row in enumerate(there):
        positions[row] = position
    return structs.take(pa.array(positions, pa.int64()))


def _structs(
    headers: list[Header], files: list[FileIdentity | None], asked: list[int | None]
) -> pa.StructArray:
    bands = [
        0 if band is None and header.image.samples_per_pixel == 1 else band
        for header, band in zip(headers, asked, strict=True)
    ]
    columns = {
        **_image_columns(headers, bands),
        **_sample_columns(headers),
        **_place_columns(headers),
        **_fact_columns(headers, bands),
        "band_index": pa.array(bands, pa.int32()),
        "file_size": pa.array([file and file.size for file in files], pa.int64()),
    }
    for name in _FILE:
        columns[name] = pa.array([file and getattr(file, name) for file in files], pa.string())
    # a unit of heights is that of the bands, unless they have one of their own
    columns["unit"] = pc.coalesce(columns["unit"], columns.pop("vertical_unit"))
    fields = list(BAND_METADATA)
    return pa.StructArray.from_arrays([columns[field.name] for field in fields], fields=fields)


def _image_columns(headers: list[Header], bands: list[int | None]) -> dict[str, pa.Array]:
    """Return how the image, its overviews and their masks are stored, and where."""
    tiles = tile_columns(headers, bands)
    overviews, bounds = flattened(Shared(header.overviews for header in headers))
    masks, _ = flattened(Shared(header.overview_masks for header in headers))
    below = levels(
        OVERVIEW, overviews, tiles.overviews, mask=levels(MASK, masks, tiles.overview_masks)
    )
    offsets, byte_counts = tiles.image
    return {
        **storage_columns(BAND_METADATA, Shared(header.image for header in headers)),
        "tile_offsets": offsets,
        "tile_byte_counts": byte_counts,
        "mask": levels(MASK, Shared(header.mask for header in headers), tiles.mask),
        "overviews": pa.ListArray.from_arrays(bounds, below, type=pa.list_(OVERVIEW)),
    }


def _sample_columns(headers: list[Header]) -> dict[str, pa.Array]:
    """Return what the samples are, and what else files written alike have in common."""
    shared = Shared(
        (header.samples, header.byte_order, header.image.compression, header.big_tiff)
        for header in headers
    )
    columns = {
        name: shared.column(_first(name), BAND_METADATA.field(name).type) for name in _SAMPLES
    }
    columns["dtype"] = shared.column(lambda key: dtype_name(*key[:3]), pa.string())
    columns["byte_order"] = shared.column(itemgetter(1), pa.string())
    columns["big_tiff"] = shared.column(itemgetter(3), pa.bool_())
    texts = Shared(header.structural_metadata for header in headers)
    columns["structural_metadata"] = texts.column(lambda text: text, pa.string())
    return columns


def _place_columns(headers: list[Header]) -> dict[str, pa.Array]:
    """Return where the images lie."""
    places = Shared(header.georeference for header in headers)
    kinds = {name: BAND_METADATA.field(name).type for name in _GEOREFERENCE}
    kinds["vertical_unit"] = pa.string()
    return {name: places.column(attrgetter(name), kind) for name, kind in kinds.items()}


def _first(name: str) -> Callable[[tuple[object, ...]], object]:
    value_of = attrgetter(name)
    return lambda key: value_of(key[0])


def _fact_columns(headers: list[Header], bands: list[int | None]) -> dict[str, pa.Array]:
    """Return what may differ from band to band; null for a file as a whole. And the notes."""
    said = Shared(
        (header.gdal_metadata, header.samples, band)
        for header, band in zip(headers, bands, strict=True)
    )
    columns = {
        name: said.column(_fact(name), BAND_METADATA.field(name).type) for name in FACT_FIELDS
    }
    columns["color_interpretation"] = said.column(_color, pa.string())
    columns["gdal_metadata"] = said.column(itemgetter(0), pa.string())
    notes = Shared(
        (header.notes, header.georeference.notes, header.samples.notes, header.gdal_metadata)
        for header in headers
    )
    columns["notes"] = notes.column(_notes, pa.list_(pa.string()))
    return columns


def _notes(
    key: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], str | None],
) -> tuple[str, ...] | None:
    of_file, of_place, of_samples, metadata = key
    of_metadata = () if metadata is None else metadata_facts(metadata).notes
    return (*of_file, *of_place, *of_samples, *of_metadata) or None


def _fact(name: str) -> Callable[[Said], object]:
    value_of = attrgetter(name)
    return lambda said: value_of(facts_of_band(said[0], said[2]))


def _color(said: Said) -> str | None:
    text, samples, band = said
    own = None if band is None else samples.color_interpretation(band)
    return facts_of_band(text, band).color_interpretation or own
