"""From the index of one band of a file to that of another, without the file."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rasteret_assets.contract.bands import BAND_METADATA
from rasteret_assets.tiff.gdal_metadata import FACT_FIELDS, BandFacts, facts_of_band
from rasteret_assets.tiff.samples import color_interpretation

_CHUNKY: Final = 1
_NONE: Final = -1
"""Stands for null among whole numbers that are otherwise not negative."""


def derive_band(
    structs: pa.StructArray, band_index: int | Sequence[int | None] | pa.Array | None
) -> pa.StructArray:
    """Return the structs of another band of the same files, null where they cannot be known.

    They can where samples lie together (chunky) and the band exists; then they equal what
    `band_structs` makes of the file's header.

    Parameters
    ----------
    structs
        `BAND_METADATA` of any band of each file, or of the file as a whole; null stays null.
    band_index
        Of the band wanted, for all rows or row by row; None as in `band_structs`.
    """
    columns = dict(zip(BAND_METADATA.names, structs.flatten(), strict=True))
    several = pc.greater(columns["samples_per_pixel"], 1)
    wanted = _wanted(band_index, len(structs))
    alone = pc.and_(pc.is_null(wanted), pc.invert(several))
    wanted = pc.if_else(alone, pa.scalar(0, pa.int32()), wanted)
    known = _known(structs, columns, several, wanted)
    columns.update(_facts(columns, wanted))
    columns["band_index"] = wanted
    fields = list(BAND_METADATA)
    return pa.StructArray.from_arrays(
        [columns[field.name] for field in fields], fields=fields, mask=pc.invert(known)
    )


def _wanted(band_index: int | Sequence[int | None] | pa.Array | None, rows: int) -> pa.Array:
    if band_index is None or isinstance(band_index, int):
        return pa.repeat(pa.scalar(band_index, pa.int32()), rows)
    return pa.array(band_index, pa.int32())


def _known(
    structs: pa.StructArray, columns: dict[str, pa.Array], several: pa.Array, wanted: pa.Array
) -> pa.Array:
    """Return where the wanted band's struct follows from the one at hand."""
    apart = pc.and_(several, pc.not_equal(columns["planar_configuration"], _CHUNKY))
    same = pc.fill_null(
        pc.equal(columns["band_index"], wanted),
        pc.and_(pc.is_null(columns["band_index"]), pc.is_null(wanted)),
    )
    exists = pc.and_(
        pc.greater_equal(pc.fill_null(wanted, 0), 0),
        pc.less(pc.fill_null(wanted, 0), columns["samples_per_pixel"]),
    )
    follows = pc.and_(exists, pc.or_(pc.invert(apart), same))
    return pc.and_(structs.is_valid(), pc.fill_null(follows, fill_value=False))


def _facts(columns: dict[str, pa.Array], wanted: pa.Array) -> dict[str, pa.Array]:
    """Return what differs from band to band, worked out once per distinct case."""
    metadata, texts = _numbered(columns["gdal_metadata"])
    extra, kinds = _numbered(
        pc.binary_join(columns["extra_samples"].cast(pa.list_(pa.string())), ",")
    )
    band, own = _whole(wanted), _whole(columns["band_index"])
    samples = (_whole(columns["photometric"]), extra, _whole(columns["samples_per_pixel"]))
    cases, rows = np.unique(
        np.stack([metadata, band, own, *samples], axis=1), axis=0, return_inverse=True
    )
    places = pa.array(rows.reshape(-1))
    facts = [_facts_at(texts, text, at) for text, at, *_ in cases.tolist()]
    found = {
        name: pa.array(map(attrgetter(name), facts), BAND_METADATA.field(name).type).take(places)
        for name in FACT_FIELDS
    }
    colors = [
        fact.color_interpretation or _color(case, kinds)
        for fact, case in zip(facts, cases.tolist(), strict=True)
    ]
    found["color_interpretation"] = pa.array(colors, pa.string()).take(places)
    # a unit that the band at hand has, but not by itself, is that of the file's heights
    of_band = [_facts_at(texts, text, at).unit is not None for text, _, at, *_ in cases.tolist()]
    of_file = pc.if_else(pa.array(of_band, pa.bool_()).take(places), None, columns["unit"])
    found["unit"] = pc.coalesce(found["unit"], of_file)
    return found


def _facts_at(texts: list[str], text: int, band: int) -> BandFacts:
    return facts_of_band(None if text == _NONE else texts[text], None if band == _NONE else band)


def _color(case: list[int], kinds: list[str]) -> str | None:
    """Return the colour of a band by its samples alone."""
    _, band, _, photometric, kind, count = case
    extra = "" if kind == _NONE else kinds[kind]
    numbers = tuple(map(int, filter(None, extra.split(","))))
    return None if band == _NONE else color_interpretation(photometric, numbers, count, band)


def _numbered(column: pa.Array) -> tuple[NDArray[np.int64], list[Any]]:
    """Return a number for each value, and the values by their numbers."""
    encoded = column.dictionary_encode()
    return _whole(encoded.indices), encoded.dictionary.to_pylist()


def _whole(column: pa.Array) -> NDArray[np.int64]:
    return pc.fill_null(column.cast(pa.int64()), _NONE).to_numpy(zero_copy_only=False)
