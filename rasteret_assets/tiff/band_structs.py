"""From headers to the index: one `{band}_metadata` struct per header, column by column."""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from rasteret_assets.contract.bands import BAND_METADATA, MASK, OVERVIEW
from rasteret_assets.errors import ProblemCode, TiffError
from rasteret_assets.tiff.gdal_metadata import FACT_FIELDS, facts_of_band, metadata_facts
from rasteret_assets.tiff.header import FileIdentity, Header
from rasteret_assets.tiff.level_columns import (
    Cut,
    Shared,
    Tiles,
    cut_of,
    levels,
    list_bounds,
    storage_columns,
)
from rasteret_assets.tiff.samples import Samples, dtype_name

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
        **storage_columns(BAND_METADATA, [header.image for header in headers]),
        **_tile_columns(headers, bands),
        **_shared_columns(headers),
        **_fact_columns(headers, bands),
        "band_index": pa.array(bands, pa.int32()),
        "file_size": pa.array([file and file.size for file in files], pa.int64()),
    }
    for name in _FILE:
        columns[name] = pa.array([getattr(file, name, None) for file in files], pa.string())
    fields = list(BAND_METADATA)
    return pa.StructArray.from_arrays([columns[field.name] for field in fields], fields=fields)


def _tile_columns(headers: list[Header], bands: list[int | None]) -> dict[str, pa.Array]:
    """Return where tiles lie, of the image, its overviews and masks."""
    images, overviews, masks, overview_masks = Tiles(), Tiles(), Tiles(), Tiles()
    known: dict[tuple[object, ...], Cut] = {}
    for header, band in zip(headers, bands, strict=True):
        key = (header.image, header.overviews, header.mask, header.overview_masks, band)
        cut = known.get(key) or known.setdefault(key, cut_of(header, band))
        images.add(header, (cut.image,))
        overviews.add(header, cut.overviews)
        masks.add(header, (cut.mask,))
        overview_masks.add(header, cut.overview_masks)
    below = levels(
        OVERVIEW,
        [storage for header in headers for storage in header.overviews],
        overviews,
        mask=levels(
            MASK,
            [storage for header in headers for storage in header.overview_masks],
            overview_masks,
        ),
    )
    bounds = list_bounds([len(header.overviews) for header in headers])
    offsets, byte_counts = images.columns()
    return {
        "tile_offsets": offsets,
        "tile_byte_counts": byte_counts,
        "mask": levels(MASK, [header.mask for header in headers], masks),
        "overviews": pa.ListArray.from_arrays(bounds, below, type=pa.list_(OVERVIEW)),
    }


def _shared_columns(headers: list[Header]) -> dict[str, pa.Array]:
    """Return what does not depend on the band."""
    columns: dict[str, pa.Array] = {}
    samples = Shared(header.samples for header in headers)
    places = Shared(header.georeference for header in headers)
    for shared, names in ((samples, _SAMPLES), (places, _GEOREFERENCE)):
        for name in names:
            kind = BAND_METADATA.field(name).type
            columns[name] = shared.column(attrgetter(name), kind)
    types = Shared(
        (header.samples, header.byte_order, header.image.compression) for header in headers
    )
    columns["dtype"] = types.column(lambda key: dtype_name(*key), pa.string())
    for name in ("byte_order", "structural_metadata", "gdal_metadata"):
        texts = Shared(getattr(header, name) for header in headers)
        columns[name] = texts.column(lambda text: text, pa.string())
    columns["big_tiff"] = pa.array([header.big_tiff for header in headers], pa.bool_())
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


def _fact_columns(headers: list[Header], bands: list[int | None]) -> dict[str, pa.Array]:
    """Return what may differ from band to band; for a file as a whole, what does not."""
    said = Shared(
        (header.gdal_metadata, header.samples, band)
        for header, band in zip(headers, bands, strict=True)
    )
    columns = {
        name: said.column(_fact(name), BAND_METADATA.field(name).type) for name in FACT_FIELDS
    }
    columns["color_interpretation"] = said.column(_color, pa.string())
    heights = Shared(header.georeference.vertical_unit for header in headers)
    default = heights.column(lambda unit: unit, pa.string())
    columns["unit"] = pc.coalesce(columns["unit"], default)
    return columns


def _fact(name: str) -> Callable[[Said], object]:
    value_of = attrgetter(name)
    return lambda said: value_of(facts_of_band(said[0], said[2]))


def _color(said: Said) -> str | None:
    text, samples, band = said
    own = None if band is None else samples.color_interpretation(band)
    return facts_of_band(text, band).color_interpretation or own
