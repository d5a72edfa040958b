"""Rows that meet the contract, and the others as problems."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray

from rasteret_assets.contract.columns import SOURCE_ROW
from rasteret_assets.contract.kinds import is_text
from rasteret_assets.contract.problems import PROBLEMS
from rasteret_assets.contract.rows import ROW, ROW_FAULTS, row_flags
from rasteret_assets.contract.spec import CollectionSpec
from rasteret_assets.contract.tables import StageBatch
from rasteret_assets.errors import ProblemCode
from rasteret_assets.geo.footprints import Footprints, footprints
from rasteret_assets.geo.geoparquet import GeoMetadata, geometry_form, parse_geo
from rasteret_assets.geo.plain import plain_bounds
from rasteret_assets.stages.assets import normalise_assets, usable
from rasteret_assets.stages.columns import SourceColumns, source_columns, values_of
from rasteret_assets.stages.ids import IdState, id_text
from rasteret_assets.stages.times import Times, record_times

_QUOTED: Final = 80
"""Characters of a value that a problem quotes."""

_DETAILS: Final = {
    ProblemCode.ID_MISSING: "the id is null or blank",
    ProblemCode.TIME_MISSING: "neither datetime nor start_datetime gives a time",
    ProblemCode.GEOMETRY_MISSING: "the geometry is null or empty",
    ProblemCode.GEOMETRY_INVALID: "the geometry cannot be decoded",
    ProblemCode.ASSETS_UNUSABLE: "no asset has an href",
    ProblemCode.ID_REPEATED: "the id came earlier in this file; the first record is kept",
}


def validate(
    batch: pa.Table, spec: CollectionSpec, state: IdState, source: str, *, geo: str | None
) -> StageBatch:
    """Set aside the rows of `batch` that do not meet the contract.

    Which rows stay depends on the source and its column map alone, never on bands.

    Parameters
    ----------
    batch
        Rows of a source that `check_source` lets pass, under its own names, with `SOURCE_ROW`;
        batches of a file come in its order.
    state
        The ids met in the file so far; this call adds to it. A new file begins a new one.
    geo
        The `geo` key of the file's footer, None if it has none. Its CRS decides which
        coordinates are longitudes and latitudes.

    Returns
    -------
    StageBatch
        The rows that stay, unchanged and in order, and a problem for each of the others.

    Raises
    ------
    TableError
        If `geo` is broken, or its CRS is not understood.
    """
    facts = _facts(batch, spec, parse_geo(geo, source))
    faults = facts.faults()
    faults[ProblemCode.ID_REPEATED] = facts.repeats(~np.any(list(faults.values()), axis=0), state)
    geometries = None if facts.footprints is None else facts.footprints.geometries
    if not any(fault.any() for fault in faults.values()):
        return StageBatch(rows=batch, geometries=geometries, bounds=facts.bounds)
    flags = {code.value: faults[code] for code in ROW_FAULTS}
    table = pa.table({ROW: np.arange(batch.num_rows, dtype=np.int64), **flags})
    kept = row_flags().validate(table, lazy=True)[ROW]
    rows = kept.to_numpy()
    return StageBatch(
        rows=batch.take(kept),
        problems=_problems(batch, facts, flags, source),
        geometries=None if geometries is None else geometries[rows],
        bounds=None if facts.bounds is None else facts.bounds[rows],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What kernels find out about the rows of a batch."""

    columns: SourceColumns
    ids: pa.Array
    collections: pa.Array | None
    times: Times
    footprints: Footprints | None
    """None where every polygon is plain, and so sound."""
    bounds: NDArray[np.float64] | None
    """Of plain polygons."""
    usable: NDArray[np.bool_]

    def faults(self) -> dict[ProblemCode, NDArray[np.bool_]]:
        """Return each fault, repeated ids aside, with the rows that have it."""
        found = self.footprints
        none = np.zeros(len(self.ids), np.bool_)
        return {
            ProblemCode.ID_MISSING: pc.is_null(self.ids).to_numpy(zero_copy_only=False),
            ProblemCode.TIME_MISSING: pc.is_null(self.times.values).to_numpy(zero_copy_only=False),
            ProblemCode.GEOMETRY_MISSING: none if found is None else found.missing,
            ProblemCode.GEOMETRY_INVALID: none if found is None else ~found.sound & ~found.missing,
            ProblemCode.ASSETS_UNUSABLE: ~self.usable,
        }

    def repeats(self, sound: NDArray[np.bool_], state: IdState) -> NDArray[np.bool_]:
        """Return which of the `sound` rows repeat an id."""
        found = np.zeros(len(sound), np.bool_)
        rows = pa.array(np.flatnonzero(sound))
        collections = None if self.collections is None else self.collections.take(rows)
        found[sound] = state.repeats(self.ids.take(rows), collections)
        return found


def _facts(batch: pa.Table, spec: CollectionSpec, geo: GeoMetadata | None) -> _Facts:
    columns = source_columns(batch.schema.names, spec)
    collections = values_of(batch, columns.collection)
    if collections is not None and not is_text(collections.type):
        collections = None
    form = geometry_form(batch.schema.field(columns.geometry), geo)
    geometry = values_of(batch, columns.geometry)
    bounds = plain_bounds(geometry, form)
    times = record_times(
        values_of(batch, columns.datetime), values_of(batch, columns.start_datetime)
    )
    return _Facts(
        columns=columns,
        ids=id_text(values_of(batch, columns.id)),
        collections=collections,
        times=times,
        footprints=footprints(geometry, form) if bounds is None else None,
        bounds=bounds,
        usable=usable(normalise_assets(values_of(batch, columns.assets))),
    )


def _problems(
    batch: pa.Table, facts: _Facts, flags: dict[str, NDArray[np.bool_]], source: str
) -> pa.Table:
    """Return a problem for each row with a fault: the first it has."""
    had = np.stack(list(flags.values()))
    rows = np.flatnonzero(had.any(axis=0))
    codes = np.array([code.value for code in ROW_FAULTS], object)
    details = np.array([_DETAILS[code] for code in ROW_FAULTS], object)
    first = had[:, rows].argmax(axis=0)
    detail = details[first]
    for code, said in (
        (ProblemCode.TIME_MISSING, _time_details(batch, facts, rows)),
        (ProblemCode.GEOMETRY_INVALID, _geometry_details(facts.footprints, rows)),
    ):
        specific = (codes[first] == code.value) & (said != "")
        detail[specific] = said[specific]
    columns = {
        "source_file": pa.repeat(source, len(rows)),
        "source_row": batch[SOURCE_ROW].take(pa.array(rows)),
        "id": facts.ids.take(pa.array(rows)),
        "code": pa.array(codes[first], pa.string()),
        "detail": pa.array(detail, pa.string()),
    }
    nothing = {field.name: pa.nulls(len(rows), field.type) for field in PROBLEMS}
    return pa.table({**nothing, **columns}, schema=PROBLEMS)


def _time_details(batch: pa.Table, facts: _Facts, rows: NDArray[np.int64]) -> NDArray[np.object_]:
    """Return what is wrong with a time that is there, blank where there is none."""
    said = np.full(len(rows), "", object)
    bad = np.flatnonzero(facts.times.unreadable[rows])
    if not len(bad):
        return said
    places = pa.array(rows[bad])
    parts = [
        values_of(batch, name) for name in (facts.columns.datetime, facts.columns.start_datetime)
    ]
    given = [part.take(places).cast(pa.string()) for part in parts if part is not None]
    quoted = pc.utf8_slice_codeunits(pc.coalesce(*given), 0, _QUOTED)
    hint = "is no time; write ISO 8601, as 2024-05-31T10:20:30Z"
    text = pc.binary_join_element_wise(quoted, hint, " ")
    said[bad] = text.to_numpy(zero_copy_only=False)
    return said


def _geometry_details(
    footprints: Footprints | None, rows: NDArray[np.int64]
) -> NDArray[np.object_]:
    """Return what is wrong with a geometry that could be decoded, blank elsewhere."""
    said = np.full(len(rows), "", object)
    if footprints is None:
        return said
    said[footprints.unfinite[rows]] = (
        "a coordinate is not finite, or has no place in longitude and latitude"
    )
    outside = np.flatnonzero(footprints.outside[rows])
    boxes = shapely.bounds(footprints.geometries[rows[outside]]).reshape(-1, 4)
    edges = [pc.cast(pa.array(np.round(edge, 6)), pa.string()) for edge in boxes.T]
    text = pc.binary_join_element_wise(
        pc.binary_join_element_wise(*edges, ", "),
        "(west, south, east, north) is outside longitude and latitude; cut footprints at ±180, "
        "and let the table's geo metadata name its CRS",
        " ",
    )
    said[outside] = text.to_numpy(zero_copy_only=False)
    return said
