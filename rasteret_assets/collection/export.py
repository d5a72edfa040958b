"""A view written where others can have it: GeoParquet and STAC GeoParquet, in order of space."""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import shapely
from fsspec.spec import AbstractFileSystem
from numpy.typing import NDArray

from rasteret_assets.contract.columns import DATETIME, PARTITION_COLUMNS
from rasteret_assets.contract.conform import conform
from rasteret_assets.contract.settings import BuildSettings
from rasteret_assets.errors import TableError, WorkspaceError
from rasteret_assets.geo.bounds import centres, total_bounds
from rasteret_assets.geo.footprints import wkb
from rasteret_assets.geo.geoparquet import geo_metadata, wkb_types
from rasteret_assets.geo.hilbert import hilbert
from rasteret_assets.storage.filesystems import STORE_ERRORS, filesystem_of
from rasteret_assets.storage.writing import ParquetSink

STAC_KEY: Final = b"stac-geoparquet"
_STAC_VERSION: Final = "1.1.0"
_LINKS: Final = pa.list_(
    pa.struct([(name, pa.string()) for name in ("href", "rel", "type", "title")])
)
_STAC_COLUMNS: Final = {"stac_extensions": pa.list_(pa.string()), "links": _LINKS}
"""Required by STAC GeoParquet 1.1, though they may be empty lists."""
_CORNERS: Final = ("xmin", "ymin", "xmax", "ymax")

Rows = NDArray[np.int64]
"""Numbers of rows, in the order of a scan."""


def export_parquet(rows: ds.Dataset, path: str, settings: BuildSettings | None = None) -> None:
    """Write `rows` to one file if `path` ends in `.parquet`, else to a folder of months.

    Rows are read once for their order, and then once for each `settings.file_bytes` of them,
    which is what is held in memory.

    Raises
    ------
    WorkspaceError
        If there is something at `path` already, or storage fails; nothing of this stays then.
    TableError
        If a geometry cannot be decoded.
    """
    settings = settings or BuildSettings()
    fs, place = filesystem_of(path)
    try:
        if fs.exists(place):
            msg = f"{path}: there is something already; remove it, or choose another path"
            raise WorkspaceError(msg)
        with _all_or_nothing(fs, place):
            plan = _plan(rows, by_month=not path.endswith(".parquet"), settings=settings)
            _write(rows, plan, fs, place, settings)
    except STORE_ERRORS as error:
        if isinstance(error, WorkspaceError | FileNotFoundError):
            raise  # files that are gone: the caller opens the newest state
        msg = f"{path}: cannot be written ({error})"
        raise WorkspaceError(msg) from error


@contextmanager
def _all_or_nothing(fs: AbstractFileSystem, place: str) -> Iterator[None]:
    """Remove what lies at `place`, where nothing was before, unless the block ends well."""
    with ExitStack() as stack:
        stack.callback(lambda: fs.exists(place) and fs.rm(place, recursive=True))
        yield
        stack.pop_all()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """Rows that are held at once, and go to one file."""

    file: str
    """Path from the place of export; empty for that itself."""
    rows: Rows
    """In the order to write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What is to be written."""

    pieces: Sequence[_Piece]
    schema: pa.Schema
    rows_at_once: int


def _plan(rows: ds.Dataset, *, by_month: bool, settings: BuildSettings) -> _Plan:
    bounds: list[NDArray[np.float64]] = [np.empty((0, 4))]
    times: list[NDArray[np.datetime64]] = [np.empty(0, "M8[us]")]
    types: set[str] = set()
    corners = {name: ds.field("bbox", name).cast(pa.float64()) for name in _CORNERS}
    thin = {"datetime": ds.field("datetime"), "geometry": ds.field("geometry"), **corners}
    for batch in rows.to_batches(columns=thin):
        edges = [batch.column(name).to_numpy(zero_copy_only=False) for name in _CORNERS]
        bounds.append(np.stack(edges, axis=1))
        moments = batch.column("datetime").cast(pa.timestamp("us"))
        times.append(moments.to_numpy(zero_copy_only=False))
        types |= wkb_types(pa.chunked_array([_plain_wkb(batch.column("geometry"))]))
    boxes = np.concatenate(bounds)
    places = hilbert(*centres(np.nan_to_num(boxes)))
    at_once = max(1, settings.file_bytes // _row_bytes(rows))
    schema = _schema(rows.schema, geo_metadata(types, total_bounds(boxes)))
    if not by_month:
        order = np.argsort(places, kind="stable")
        pieces = [_Piece(file="", rows=part) for part in _parts(order, at_once)]
        return _Plan(pieces=pieces, schema=schema, rows_at_once=at_once)
    months = np.concatenate(times).astype("M8[M]")
    order = np.lexsort((places, months))
    return _Plan(
        pieces=list(_month_pieces(order, months, at_once)), schema=schema, rows_at_once=at_once
    )


def _month_pieces(order: Rows, months: NDArray[np.datetime64], at_once: int) -> Iterator[_Piece]:
    found, starts = np.unique(months[order], return_index=True)
    for month, of_month in zip(found, np.split(order, starts[1:]), strict=True):
        year, number = str(month).split("-")
        folder = f"/year={year}/month={int(number)}"
        for at, part in enumerate(_parts(of_month, at_once)):
            yield _Piece(file=f"{folder}/part-{at}.parquet", rows=part)


def _parts(order: Rows, at_once: int) -> list[Rows]:
    return [order[at : at + at_once] for at in range(0, max(1, len(order)), at_once)]


def _row_bytes(rows: ds.Dataset) -> int:
    """Return how large a row is, about, when decoded."""
    first = next((one for one in rows.to_batches(batch_readahead=1) if one.num_rows), None)
    return 1 if first is None else max(1, first.nbytes // first.num_rows)


def _schema(of_rows: pa.Schema, geo: dict[bytes, bytes]) -> pa.Schema:
    """Return the columns to write, with the metadata of both kinds of GeoParquet."""
    fields = [field for field in of_rows if field.name not in PARTITION_COLUMNS]
    plain = {"datetime": DATETIME, "geometry": pa.binary()}
    fields = [field.with_type(plain.get(field.name, field.type)) for field in fields]
    fields = [field.remove_metadata() if field.name == "geometry" else field for field in fields]
    fields += [pa.field(n, kind) for n, kind in _STAC_COLUMNS.items() if n not in of_rows.names]
    known = json.loads((of_rows.metadata or {}).get(STAC_KEY, b"{}"))
    stac = {"version": _STAC_VERSION, "collections": known.get("collections", {})}
    metadata = {**(of_rows.metadata or {}), **geo, STAC_KEY: json.dumps(stac).encode()}
    return pa.schema(fields, metadata)


def _write(
    rows: ds.Dataset,
    plan: _Plan,
    fs: AbstractFileSystem,
    place: str,
    settings: BuildSettings,
) -> None:
    with ExitStack() as stack:
        sink: ParquetSink | None = None
        open_file = ""
        for group in _groups(plan):
            numbers = np.sort(np.concatenate([piece.rows for piece in group]))
            table = _gather(rows, numbers)
            for piece in group:
                if sink is None or piece.file != open_file:
                    stack.close()
                    open_file = piece.file
                    sink = stack.enter_context(
                        ParquetSink(fs, place + open_file, plan.schema, settings)
                    )
                own = table.take(pa.array(np.searchsorted(numbers, piece.rows)))
                sink.write(_conformed(own, plan.schema))


def _groups(plan: _Plan) -> Iterator[list[_Piece]]:
    """Return pieces that are held in memory together."""
    group: list[_Piece] = []
    for piece in plan.pieces:
        if group and sum(len(one.rows) for one in [*group, piece]) > plan.rows_at_once:
            yield group
            group = []
        group.append(piece)
    if group:
        yield group


def _gather(rows: ds.Dataset, numbers: Rows) -> pa.Table:
    """Return rows by their ascending numbers, holding no others than those in hand."""
    taken: list[pa.Table] = [rows.schema.empty_table()]
    start = 0
    for batch in rows.to_batches():
        first, last = np.searchsorted(numbers, [start, start + batch.num_rows])
        if last > first:
            inside = pa.array(numbers[first:last] - start)
            taken.append(pa.Table.from_batches([batch]).take(inside))
        start += batch.num_rows
    return pa.concat_tables(taken)


def _conformed(table: pa.Table, schema: pa.Schema) -> pa.Table:
    for name, kind in _STAC_COLUMNS.items():
        if name not in table.schema.names:
            starts = pa.array(np.zeros(table.num_rows + 1, np.int32))
            empty = pa.ListArray.from_arrays(starts, pa.array([], kind.value_type))
            table = table.append_column(name, empty)
    at = table.schema.get_field_index("geometry")
    geometry = pa.chunked_array(
        [_plain_wkb(chunk) for chunk in table["geometry"].chunks], pa.binary()
    )
    return conform(table.set_column(at, "geometry", geometry), schema)


def _plain_wkb(column: pa.Array) -> pa.Array:
    """Return geometries as little-endian ISO WKB, whatever kind of WKB another program wrote."""
    values = column.cast(pa.large_binary()).to_numpy(zero_copy_only=False)
    try:
        return wkb(shapely.from_wkb(values))
    except shapely.errors.GEOSException as error:
        msg = f"a geometry is no WKB ({error}); leave the record out by a condition on its id"
        raise TableError(msg) from error
