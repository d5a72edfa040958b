"""Records and headers by row number, from whichever fragments hold them."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pyarrow as pa

from rasteret_assets.contract.bands import BAND_METADATA
from rasteret_assets.contract.columns import SOURCE_FILE
from rasteret_assets.pipeline.inputs import Inputs
from rasteret_assets.stages import conform, order_keys, zip_bands
from rasteret_assets.storage import Fragment

MONTHS_FACT = "months"
"""Fact of a records' fragment: year-month to the number of its rows."""

_KEY_COLUMNS = ("datetime", "bbox")
_KEYS_HELD = 8_000_000
"""Rows whose sort keys (12 bytes each) are held at once, about."""

_STRETCHES = 64
"""Stretches of neighbouring rows in one block, up to which each is sliced out by itself."""

_READERS = 4
"""Bands whose headers are read at once."""

Held = TypeVar("Held", pa.Table, pa.ChunkedArray)

_Keys = tuple[np.ndarray, np.ndarray]
"""Months since year 0 and Hilbert values, a row each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Rows of a collection, in the order they are to be written."""

    months: np.ndarray
    """Months since year 0."""
    where: np.ndarray
    """Which fragment, as its place in `Inputs.fragments`."""
    rows: np.ndarray
    """Row number within it (int64)."""

    def __len__(self) -> int:
        return len(self.rows)

    def part(self, start: int, stop: int) -> "Places":
        """Return the rows from `start` to `stop`."""
        of = slice(start, stop)
        return Places(months=self.months[of], where=self.where[of], rows=self.rows[of])


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """Rows of a collection as they were read, and the order they are wanted in.

    They are put into that order a block at a time: headers are heavy, and whatever reorders
    them copies them twice.
    """

    table: pa.Table
    positions: np.ndarray | None = None
    """Row of `table` for each row wanted; None where they stand in order."""

    def blocks(self, start: int, stop: int, most: int) -> Iterator[pa.Table]:
        """Yield the wanted rows from `start` to `stop`, up to `most` at a time."""
        if self.positions is None:
            yield self.table.slice(start, stop - start)
            return
        for at in range(start, stop, most):
            yield _in_order(self.table, self.positions[at : min(at + most, stop)])


def _in_order(table: pa.Table, positions: np.ndarray) -> pa.Table:
    """Return the rows at `positions`; what does not lie near them is not copied."""
    ascending = np.sort(positions)
    ends = np.append(np.flatnonzero(np.diff(ascending) != 1) + 1, len(ascending))
    if len(ends) > _STRETCHES:
        return table.take(positions)
    starts = ascending[np.append(0, ends[:-1])]
    lengths = np.diff(ends, prepend=0)
    near = pa.concat_tables([table.slice(*one) for one in zip(starts, lengths, strict=True)])
    return near.take(np.searchsorted(ascending, positions))


def _taken(held: Held, rows: np.ndarray) -> Held:
    """Return ascending rows of `held`; those that lie together are not copied."""
    whole = len(rows) == rows[-1] - rows[0] + 1
    return held.slice(rows[0], len(rows)) if whole else held.take(rows)


class Gatherer:
    """Finds and brings rows of one collection."""

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs
        self._fragments = inputs.fragments
        self._records = inputs.remapped.schema.append(pa.field(SOURCE_FILE, pa.string()))
        self._keys: OrderedDict[str, _Keys] = OrderedDict()

    @property
    def schema(self) -> pa.Schema:
        """Of the tables that `gather` returns."""
        no_headers = dict.fromkeys(self._inputs.headers, pa.nulls(0, BAND_METADATA))
        return zip_bands(self._records.empty_table(), no_headers).schema

    def places(self, months: Sequence[str]) -> Places:
        """Return all rows of `months` (`2024-06`), by month, then along the Hilbert curve."""
        numbers = np.array([int(one[:4]) * 12 + int(one[5:]) - 1 for one in months])
        found = []
        for at, fragment in enumerate(self._fragments):
            if fragment.facts[MONTHS_FACT].keys().isdisjoint(months):
                continue
            month, value = self._keys_of(fragment)
            rows = np.flatnonzero(np.isin(month, numbers))
            found.append((month[rows], np.full(len(rows), at), rows, value[rows]))
        month, where, rows, value = (np.concatenate(part) for part in zip(*found, strict=True))
        order = np.lexsort((rows, where, value, month))
        return Places(months=month[order], where=where[order], rows=rows[order])

    def gather(self, places: Places) -> Gathered:
        """Return the rows of `places`, records and headers side by side."""
        parts: list[pa.Table] = []
        orders: list[np.ndarray] = []
        for at in np.unique(places.where):
            here = np.flatnonzero(places.where == at)
            rows = places.rows[here]
            ascending = np.argsort(rows, kind="stable")
            parts.append(self._take(self._fragments[at], rows[ascending]))
            orders.append(here[ascending])
        found, order = pa.concat_tables(parts), np.concatenate(orders)
        if (np.diff(order) > 0).all():  # a fragment by itself has this order already
            return Gathered(table=found)
        back = np.empty(len(places), dtype=np.int64)
        back[order] = np.arange(len(places))
        return Gathered(table=found, positions=back)

    def _keys_of(self, fragment: Fragment) -> _Keys:
        """Return the sort keys of a fragment's rows, the last used of them from memory."""
        if fragment.id not in self._keys:
            at_hand = self._inputs.recent_rows(fragment)
            if at_hand is not None:
                batches: Iterable[pa.Table] = [at_hand]
            else:
                batches = self._inputs.remapped.batches(fragment, columns=_KEY_COLUMNS)
            keys = [order_keys(batch) for batch in batches]
            months, values = (np.concatenate(part) for part in zip(*keys, strict=True))
            self._keys[fragment.id] = (months, values)
            held = sum(len(rows) for rows, _ in self._keys.values())
            while held > _KEYS_HELD and len(self._keys) > 1:
                _, (rows, _) = self._keys.popitem(last=False)
                held -= len(rows)
        self._keys.move_to_end(fragment.id)
        return self._keys[fragment.id]

    def _take(self, fragment: Fragment, rows: np.ndarray) -> pa.Table:
        """Return rows of one fragment, ascending, with their headers."""
        at_hand = self._inputs.recent_rows(fragment)
        if at_hand is not None:
            records = _taken(at_hand, rows)
        else:
            records = self._inputs.remapped.take(fragment, rows)
        source = pa.repeat(fragment.source, records.num_rows)
        records = conform(records.append_column(SOURCE_FILE, source), self._records)
        return zip_bands(records, self._headers(fragment, rows))

    def _headers(self, fragment: Fragment, rows: np.ndarray) -> dict[str, pa.ChunkedArray]:
        """Return the headers of these rows by band, a few bands read side by side."""
        bands = self._inputs.headers
        with ThreadPoolExecutor(_READERS) as pool:
            found = pool.map(lambda band: self._band_headers(band, fragment, rows), bands)
            return dict(zip(bands, found, strict=True))

    def _band_headers(
        self, band: str, fragment: Fragment, rows: np.ndarray
    ) -> pa.Array | pa.ChunkedArray:
        found = self._inputs.header_fragment(band, fragment)
        if found is None:
            return pa.nulls(len(rows), BAND_METADATA)
        at_hand = self._inputs.recent_headers(band, found)
        if at_hand is not None:
            return _taken(at_hand, rows)
        return self._inputs.headers[band].take(found, rows, columns=["header"])["header"]
