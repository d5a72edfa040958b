"""Record ids: as text, and which of them came before."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rasteret_assets.contract.kinds import is_text
from rasteret_assets.geo.geoparquet import storage_of

_SEED: Final = 0x7261_7374
_MIX: Final = np.uint64(0x9E37_79B9_7F4A_7C15)
"""2^64 over the golden ratio: sets ids apart from collections of the same text."""


def is_id(field: pa.Field) -> bool:
    """Return whether a column of this type can hold ids."""
    kind = storage_of(field)
    return pa.types.is_null(kind) or pa.types.is_integer(kind) or is_text(kind)


def id_text(column: pa.Array) -> pa.Array:
    """Return ids as strings, null where null or blank."""
    text = column.cast(pa.string())
    blank = pc.equal(pc.utf8_trim_whitespace(text), "")
    return pc.if_else(blank, pa.scalar(None, pa.string()), text)


def id_keys(ids: pa.Array, collections: pa.Array | None) -> NDArray[np.uint64]:
    """Return what stands for each (collection, id): a 64-bit hash."""
    keys = _hashes(ids)
    if collections is not None:
        # few: one a STAC collection
        named = pc.fill_null(id_text(collections), "").dictionary_encode()
        keys = keys * _MIX + _hashes(named.dictionary)[named.indices.to_numpy()]
    return keys


@dataclass(slots=True)
class IdState:
    """The (collection, id) pairs met so far in one source file.

    64-bit hashes, 8 bytes for each record: two of ten million different ids are taken for
    one another with a probability of about 1 in 3,000.
    """

    _runs: list[NDArray[np.uint64]] = field(default_factory=list)
    """Sorted, each less than half as long as the one before."""

    def repeats(self, ids: pa.Array, collections: pa.Array | None) -> NDArray[np.bool_]:
        """Return which pairs came before, in earlier calls or further up, and remember all."""
        return self.repeated(id_keys(ids, collections))

    def repeated(self, keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Return which keys of `id_keys` came before, as `repeats` does."""
        new, first = np.unique(keys, return_index=True)
        repeated = np.ones(len(keys), np.bool_)
        known = np.zeros(len(new), np.bool_)
        for run in self._runs:
            place = np.minimum(np.searchsorted(run, new), len(run) - 1)
            known |= run[place] == new
        repeated[first[~known]] = False
        self._remember(new[~known])
        return repeated

    def _remember(self, run: NDArray[np.uint64]) -> None:
        if not len(run):
            return
        while self._runs and len(self._runs[-1]) < 2 * len(run):
            run = np.sort(np.concatenate([self._runs.pop(), run]))
        self._runs.append(run)


def _hashes(text: pa.Array) -> NDArray[np.uint64]:
    """Return a hash of each string: its bytes times fixed random numbers, one per place.

    Two different strings agree with a probability of 2^-57, over the choice of the numbers.
    """
    column = pc.fill_null(text, "").cast(pa.large_string())
    lengths = pc.binary_length(column).to_numpy(zero_copy_only=False).astype(np.int64)
    stops = np.cumsum(lengths)
    starts = stops - lengths
    joined = pa.concat_arrays([column, column.slice(0, 0)])
    _, offsets, data = joined.buffers()
    begin = int(np.frombuffer(offsets, np.int64)[joined.offset]) if len(joined) else 0
    total = int(stops[-1]) if len(stops) else 0
    size = begin + total
    letters = np.frombuffer(data, np.uint8, count=size)[begin:] if total else np.empty(0, np.uint8)
    place = np.arange(total, dtype=np.int64) - np.repeat(starts, lengths)
    factors = np.random.PCG64(_SEED).random_raw(int(lengths.max(initial=0)))
    terms = (letters.astype(np.uint64) + np.uint64(1)) * factors.astype(np.uint64)[place]
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(terms, dtype=np.uint64)])
    return np.asarray(sums[stops] - sums[starts], np.uint64)
