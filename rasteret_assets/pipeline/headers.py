"""One piece of enrichment: the hrefs of some rows become headers, or problems."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rasteret_assets.contract.bands import HEADERS
from rasteret_assets.contract.spec import CollectionSpec
from rasteret_assets.contract.tables import Report
from rasteret_assets.errors import ProblemCode, TiffError
from rasteret_assets.fetch import FetchedHeader, HeaderFetcher
from rasteret_assets.pipeline.examples import header_examples
from rasteret_assets.pipeline.known import Known
from rasteret_assets.pipeline.pieces import BandRange, Piece, PieceDone
from rasteret_assets.pipeline.planning import retries
from rasteret_assets.pipeline.recent import RecentHeaders
from rasteret_assets.pipeline.stale import StaleHeaders
from rasteret_assets.stages import band_hrefs
from rasteret_assets.storage import Fragment, StageStore, StageTable
from rasteret_assets.tiff import band_structs, check_band_index

_WRITERS = 4
"""Bands of a piece that are written at once."""


def folder_of(source: str) -> str:
    """Return the folder of a source file, what its relative hrefs resolve against."""
    path = source.split("?", 1)[0] if "://" in source else source
    return path.rsplit("/", 1)[0] + "/"


@dataclass(frozen=True, slots=True, kw_only=True)
class PieceContext:
    """What every piece of a run shares."""

    spec: CollectionSpec
    remapped: StageTable
    stores: Mapping[str, StageStore]
    """Band of the run to the store of its headers."""
    known: Known
    stale: StaleHeaders
    """Known headers to fetch again, as their files have changed."""
    recent: RecentHeaders | None
    """Gets to see what is written."""

    def fragment(self, piece: Piece) -> Fragment:
        """Return the records of `piece`."""
        return next(f for f in self.remapped.manifest.fragments if f.id == piece.fragment_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class _BandWork:
    """One band of a piece on its way."""

    wanted: pa.Table
    places: np.ndarray
    """Row among `found`, or -1."""
    found: pa.Table
    asked: np.ndarray
    """Rows of `wanted` whose href has to be fetched."""


def fetch_piece(
    context: PieceContext, piece: Piece, fetcher: HeaderFetcher, report: Report | None = None
) -> "FetchedPiece":
    """Fetch what `piece` lacks; files that it finds on disk are not asked for again."""
    began = time.monotonic()
    fragment = context.fragment(piece)
    missing = [
        band for band, file in piece.files.items() if not context.stores[band].has_file(file)
    ]
    work: dict[str, _BandWork] = {}
    if missing:
        rows = (piece.start, piece.stop)
        batches = context.remapped.batches(fragment, columns=["assets"], rows=rows)
        assets = pa.concat_tables(batches)["assets"]
        base = context.spec.base_uri or folder_of(fragment.source)
        for band in missing:
            wanted = band_hrefs(assets, band, base)
            work[band] = _plan_band(context, piece, band, wanted, fragment.source)
    hrefs, hints = _unique_hrefs(work)
    fetched = fetcher.fetch(hrefs, hint=hints, report=report) if hrefs else []
    return FetchedPiece(
        piece=piece,
        work=work,
        hrefs=pa.array(hrefs, pa.string()),
        fetched=fetched,
        seconds=time.monotonic() - began,
    )


def _plan_band(
    context: PieceContext, piece: Piece, band: str, wanted: pa.Table, source: str
) -> _BandWork:
    has_href = pc.is_valid(wanted["href"]).to_numpy()
    if piece.fresh:
        places, found = np.full(wanted.num_rows, -1, np.int64), HEADERS.empty_table()
    else:
        places, found = context.known.of(
            band, wanted, fragment_id=piece.fragment_id, source=source, start=piece.start
        )
    again = np.zeros(wanted.num_rows, dtype=bool)
    codes = pc.unique(found["code"]).drop_null().to_pylist()  # few: one entry a code
    retried = pa.array([code for code in codes if retries(code, piece.retry)], pa.string())
    if len(retried):
        failed = pc.is_in(found["code"], value_set=retried).to_numpy()
        again[places >= 0] = failed[places[places >= 0]]
    stale = context.stale.among(found)
    again[places >= 0] |= stale[places[places >= 0]]
    asked = np.flatnonzero(has_href & ((places < 0) | again))
    return _BandWork(wanted=wanted, places=places, found=found, asked=asked)


def _unique_hrefs(work: Mapping[str, _BandWork]) -> tuple[list[str], list[str]]:
    """Return every href once, with the band it was first met in; bands take turns.

    So what is to be learned of the first files of each band is learned at the same time.
    """
    hrefs, hints = pa.array([], pa.string()), []
    turns: list[np.ndarray] = []
    for band, one in work.items():
        new = pc.unique(one.wanted["href"].take(one.asked))
        new = new.filter(pc.invert(pc.is_in(new, value_set=hrefs)))
        hrefs = pa.concat_arrays([hrefs, new])
        hints += [band] * len(new)
        turns.append(np.arange(len(new)))
    order = np.argsort(np.concatenate(turns), kind="stable") if turns else np.empty(0, np.int64)
    # a list, as the fetcher asks for each by itself
    return hrefs.take(order).to_pylist(), [hints[at] for at in order]


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedPiece:
    """A piece whose bytes are here; `write` makes its files."""

    piece: Piece
    work: Mapping[str, _BandWork]
    hrefs: pa.Array
    fetched: Sequence[FetchedHeader]
    seconds: float

    def write(self, context: PieceContext) -> PieceDone:
        """Write the piece's files, a few bands side by side, and return what they hold."""
        began = time.monotonic()
        with ThreadPoolExecutor(min(_WRITERS, len(self.piece.files))) as pool:
            made = pool.map(lambda band: self._write_band(context, band), self.piece.files)
            ranges = dict(zip(self.piece.files, made, strict=True))
        return PieceDone(
            fragment_id=self.piece.fragment_id,
            ranges=ranges,
            requests=sum(one.requests for one in self.fetched),
            bytes_fetched=sum(one.bytes_fetched for one in self.fetched),
            seconds=self.seconds + time.monotonic() - began,
        )

    def _write_band(self, context: PieceContext, band: str) -> BandRange:
        store, fragment = context.stores[band], context.fragment(self.piece)
        file, one = self.piece.files[band], self.work.get(band)
        if one is None:  # an earlier run left it
            table = store.read_file(file)
        else:
            table = _band_table(one, self.hrefs, self.fetched)
            store.write_file(file, table)
            if context.recent is not None:
                context.recent.add(band, file, table["header"])
        return BandRange(
            start=self.piece.start,
            stop=self.piece.stop,
            file=file,
            decoded_bytes=table.nbytes,
            problems=_counts(table["code"]),
            examples=header_examples(context.remapped, fragment, self.piece.start, table),
            rounds=self.piece.rounds,
        )


def _counts(codes: pa.ChunkedArray) -> dict[str, int]:
    counted = pc.value_counts(codes.drop_null())
    return {str(one["values"]): int(one["counts"].as_py()) for one in counted}  # one entry a code


def _band_table(one: _BandWork, hrefs: pa.Array, fetched: Sequence[FetchedHeader]) -> pa.Table:
    """Return one row of `HEADERS` per row of the piece: known, fetched or without an href."""
    new = _new_rows(one, hrefs, fetched)
    nothing = _without_href(one.wanted)
    places = np.where(one.places >= 0, one.places, 0)
    absent = ~pc.is_valid(one.wanted["href"]).to_numpy()
    places[absent] = one.found.num_rows + len(new) + np.arange(absent.sum())
    places[one.asked] = one.found.num_rows + np.arange(len(one.asked))
    rows = pa.concat_tables([one.found, new, nothing])
    # as a rule all is new, and in order: headers are heavy, and taking them copies
    return rows if np.array_equal(places, np.arange(rows.num_rows)) else rows.take(places)


def _without_href(wanted: pa.Table) -> pa.Table:
    rows = wanted.filter(pc.is_null(wanted["href"]))
    count = rows.num_rows
    columns = {
        "file_key": rows["file_key"],
        "band_index": rows["band_index"],
        "code": pa.repeat(ProblemCode.HREF_MISSING.value, count),
        "detail": pa.repeat("the record has no href for this band", count),
    }
    return _headers_table(columns, count)


def _headers_table(columns: Mapping[str, object], count: int) -> pa.Table:
    """Return a table of `HEADERS`, columns that are not given being null."""
    arrays = [
        columns[field.name] if field.name in columns else pa.nulls(count, field.type)
        for field in HEADERS
    ]
    return pa.table(arrays, names=HEADERS.names).cast(HEADERS)


def _new_rows(one: _BandWork, hrefs: pa.Array, fetched: Sequence[FetchedHeader]) -> pa.Table:
    rows = one.wanted.take(one.asked)
    count = rows.num_rows
    if not count:
        return HEADERS.empty_table()
    index = pc.index_in(rows["href"], value_set=hrefs).to_pylist()  # a fetch each: not hot
    answers = [fetched[at] for at in index]
    band_indexes = rows["band_index"].to_pylist()
    wrong = _wrong_samples(answers, band_indexes)
    headers = [None if at in wrong else one.header for at, one in enumerate(answers)]
    columns = {
        "header": band_structs(headers, [one.file for one in answers], band_indexes),
        "href": rows["href"],
        "file_key": rows["file_key"],
        "band_index": rows["band_index"],
        "code": [wrong[at].code if at in wrong else one.code for at, one in enumerate(answers)],
        "detail": [
            wrong[at].detail if at in wrong else one.detail for at, one in enumerate(answers)
        ],
        "attempts": _attempts(one, answers),
        "tried_at": [one.tried_at for one in answers],
    }
    return _headers_table(columns, count)


def _wrong_samples(
    answers: Sequence[FetchedHeader], band_indexes: Sequence[int | None]
) -> dict[int, TiffError]:
    wrong = {}
    for at, (answer, band_index) in enumerate(zip(answers, band_indexes, strict=True)):
        if band_index is not None and answer.header is not None:
            try:
                check_band_index(answer.header, band_index)
            except TiffError as error:
                wrong[at] = error
    return wrong


def _attempts(one: _BandWork, answers: Sequence[FetchedHeader]) -> np.ndarray:
    """Return how often each href was asked for, earlier runs included."""
    before = np.zeros(len(answers), dtype=np.int32)
    places = one.places[one.asked]
    tried = pc.fill_null(one.found["attempts"], 0).to_numpy()
    before[places >= 0] = tried[places[places >= 0]]
    return before + np.array([answer.attempts for answer in answers], dtype=np.int32)
