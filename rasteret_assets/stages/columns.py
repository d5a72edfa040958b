"""Which source column plays which part, through the column map."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from rasteret_assets.contract.columns import BBOX, RENAMED_SUFFIX, kept_name
from rasteret_assets.contract.spec import CollectionSpec

CANONICAL: Final = ("id", "datetime", "geometry", "assets", "bbox")
"""The columns every record has once remapped, in this order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceColumns:
    """Source names of the columns the contract speaks of; None where the source has none."""

    id: str | None
    datetime: str | None
    geometry: str | None
    assets: str | None
    bbox: str | None
    start_datetime: str | None
    collection: str | None


def source_columns(names: Iterable[str], spec: CollectionSpec) -> SourceColumns:
    """Return who plays which part among the source columns `names`."""
    found = {spec.column_map.get(name, name): name for name in names}
    return SourceColumns(
        id=found.get("id"),
        datetime=found.get("datetime"),
        geometry=found.get("geometry"),
        assets=found.get("assets"),
        bbox=found.get("bbox"),
        start_datetime=found.get("start_datetime"),
        collection=found.get("collection"),
    )


def values_of(batch: pa.Table, name: str | None) -> pa.Array | None:
    """Return a column in one piece, None if the source has no such column."""
    if name is None:
        return None
    column = batch[name]
    if column.num_chunks == 0:
        array = pa.nulls(0, column.type)
    else:  # combining a single chunk would copy it
        array = column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)
    return array.storage if isinstance(array, pa.ExtensionArray) else array


def passing(schema: pa.Schema, spec: CollectionSpec) -> dict[str, str]:
    """Return the source columns that pass through, in order, with the names they get.

    The canonical columns are made anew and do not pass, save a `bbox` that says more, or
    says it in another way, than the canonical one: that is kept as `bbox_source`.
    """
    kept = {}
    for field in schema:
        name = spec.column_map.get(field.name, field.name)
        if name == "bbox" and not is_canonical_bbox(field.type):
            kept[field.name] = name + RENAMED_SUFFIX
        elif name not in CANONICAL:
            kept[field.name] = kept_name(name)
    return kept


def is_canonical_bbox(kind: pa.DataType) -> bool:
    """Return whether a column of this type is a struct of floats xmin, ymin, xmax, ymax."""
    return (
        pa.types.is_struct(kind)
        and [member.name for member in kind] == [member.name for member in BBOX]
        and all(pa.types.is_floating(member.type) for member in kind)
    )
