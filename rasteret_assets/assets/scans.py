"""What checks cannot answer from manifests alone: a pass over one or two thin columns."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from rasteret_assets.contract.bands import BAND_SUFFIX
from rasteret_assets.stages import IdState

_NAMED = 5
"""Records that a finding names."""
_EPSG = "proj:epsg"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """How many records something is true of, and a few of their ids."""

    count: int
    ids: tuple[str, ...]


def repeated_ids(records: ds.Dataset) -> Finding:
    """Return the records whose (collection, id) came before, in whatever source file."""
    collections = "collection" in records.schema.names and _is_text(records.schema, "collection")
    columns = ["id", "collection"] if collections else ["id"]
    state, count, ids = IdState(), 0, pa.array([], pa.string())
    for batch in records.to_batches(columns=columns):
        rest = batch.column("collection") if collections else None
        repeated = state.repeats(batch.column("id"), rest)
        count += int(repeated.sum())
        if len(ids) < _NAMED:
            found = batch.column("id").filter(pa.array(repeated)).slice(0, _NAMED)
            ids = pa.concat_arrays([ids, found.cast(pa.string())])
    return Finding(count=count, ids=tuple(ids.slice(0, _NAMED).to_pylist()))


def crs_disagreements(records: ds.Dataset, band: str) -> Finding:
    """Return the records whose `proj:epsg` names another CRS than the header of `band`.

    Where one of both says nothing, or the header's CRS has no EPSG number, there is nothing to
    disagree on; nor where the band is not in the Collection yet, since another run has just
    fetched its headers.
    """
    if not {_EPSG, band + BAND_SUFFIX} <= set(records.schema.names):
        return Finding(count=0, ids=())
    columns = {
        "id": ds.field("id"),
        "table": ds.field(_EPSG),
        "header": ds.field(band + BAND_SUFFIX, "crs"),
    }
    count, ids = 0, pa.array([], pa.string())
    for batch in records.to_batches(columns=columns):
        named = pc.starts_with(batch.column("header"), "EPSG:")
        said = pc.binary_join_element_wise("EPSG", batch.column("table").cast(pa.string()), ":")
        differs = pc.and_(named, pc.not_equal(said, batch.column("header")))
        differs = pc.fill_null(differs, False)  # noqa: FBT003  # the value to fill in
        count += int(np.count_nonzero(differs.to_numpy(zero_copy_only=False)))
        found = batch.column("id").filter(differs).slice(0, _NAMED)
        ids = pa.concat_arrays([ids, found.cast(pa.string())]).slice(0, _NAMED)
    return Finding(count=count, ids=tuple(ids.to_pylist()))


def _is_text(schema: pa.Schema, name: str) -> bool:
    kind = schema.field(name).type
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)
