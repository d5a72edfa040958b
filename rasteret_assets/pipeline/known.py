"""Headers known already: what a band needs that some manifest of the collection holds."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rasteret_assets.contract.bands import HEADERS
from rasteret_assets.errors import ProblemCode
from rasteret_assets.storage import Fragment, StageTable
from rasteret_assets.tiff import derive_band

_THIN = ("href", "file_key", "band_index", "code")
_SEPARATOR = "\x1f"
_OF_ONE_SAMPLE = frozenset({ProblemCode.BAND_INDEX_INVALID, ProblemCode.HREF_MISSING})
"""Failures that say nothing of the file's other samples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The header tables of a collection's bands, asked by the href of a record."""

    tables: Mapping[str, StageTable]
    """Band to its headers, every band enriched so far."""

    def of(
        self, band: str, wanted: pa.Table, *, fragment_id: str, source: str, start: int
    ) -> tuple[np.ndarray, pa.Table]:
        """Return, for each row of `wanted`, its row among the headers found, or -1.

        Parameters
        ----------
        wanted
            `href`, `file_key`, `band_index` of the rows `start` and up of a fragment.

        Returns
        -------
        places, found
            int64 of the length of `wanted`; a table of the `HEADERS` schema.
        """
        places = np.full(wanted.num_rows, -1, dtype=np.int64)
        found: list[pa.Table] = []
        count = 0
        stop = start + wanted.num_rows
        for other in sorted(self.tables, key=lambda name: name != band):
            table = self.tables[other]
            for piece in _pieces(table, fragment_id=fragment_id, source=source):
                missing = np.flatnonzero((places < 0) & _has_href(wanted))
                if not len(missing):
                    break
                rows = (start, stop) if piece.identity == fragment_id else None
                hits = _hits(table, piece, rows, wanted.take(missing), same_band=other == band)
                if hits is None:
                    continue
                at, headers = hits
                places[missing[at]] = np.arange(count, count + len(at))
                found.append(headers)
                count += len(at)
        return places, pa.concat_tables([HEADERS.empty_table(), *found])


def _has_href(wanted: pa.Table) -> np.ndarray:
    return pc.is_valid(wanted["href"]).to_numpy()


def _pieces(table: StageTable, *, fragment_id: str, source: str) -> list[Fragment]:
    """Return the header fragments that may know: of this fragment, else of its source."""
    aligned = [f for f in table.manifest.fragments if f.identity == fragment_id]
    return aligned or [f for f in table.manifest.fragments if f.source == source]


def _hits(
    table: StageTable,
    piece: Fragment,
    rows: tuple[int, int] | None,
    wanted: pa.Table,
    *,
    same_band: bool,
) -> tuple[np.ndarray, pa.Table] | None:
    """Return which rows of `wanted` the fragment knows, and their headers in that order."""
    thin = pa.concat_tables(table.batches(piece, columns=_THIN, rows=rows))
    first = 0 if rows is None else rows[0]
    asked = _keys(wanted, exact=same_band)
    index = pc.index_in(asked, value_set=_keys(thin, exact=same_band))
    at = np.flatnonzero(pc.is_valid(index).to_numpy())
    if not len(at):
        return None
    inside = index.drop_null().to_numpy().astype(np.int64)
    order = np.unique(inside)
    headers = table.take(piece, order + first, columns=HEADERS.names)
    headers = headers.select(HEADERS.names).cast(HEADERS)
    headers = headers.take(np.searchsorted(order, inside))
    if not same_band:
        headers = _for_band(headers, wanted.take(at))
        usable = np.flatnonzero(_usable(headers))
        at, headers = at[usable], headers.take(usable)
    return at, headers


def _keys(table: pa.Table, *, exact: bool) -> pa.ChunkedArray:
    """Return what two rows must share to mean the same header (or, not `exact`, file)."""
    parts = [table["href"], pc.fill_null(table["file_key"], "")]
    if exact:
        parts.append(pc.fill_null(table["band_index"].cast(pa.string()), ""))
    return pc.binary_join_element_wise(*parts, _SEPARATOR)


def _for_band(headers: pa.Table, wanted: pa.Table) -> pa.Table:
    """Return another band's headers as those of the samples that `wanted` asks for."""
    structs = headers["header"].combine_chunks()
    asked = wanted["band_index"].combine_chunks()
    derived = derive_band(structs, asked)
    at = headers.schema.get_field_index("header")
    headers = headers.set_column(at, HEADERS.field("header"), derived)
    at = headers.schema.get_field_index("band_index")
    return headers.set_column(at, HEADERS.field("band_index"), asked)


def _usable(headers: pa.Table) -> np.ndarray:
    """Return which rows say something of the file itself: a header, or why there is none."""
    failed = pc.invert(pc.is_in(headers["code"], value_set=pa.array(sorted(_OF_ONE_SAMPLE))))
    known = pc.or_(pc.is_valid(headers["header"]), pc.is_valid(headers["code"]))
    return pc.and_(failed, known).to_numpy()
