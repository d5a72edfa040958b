"""Remapped records and the headers of their bands, zipped into the Collection's month files.

Only months whose inputs changed are written again. Within a month, rows stand in the order of
their Hilbert value, so that a row group covers a small area; files are cut by bytes, and one
file's rows are in memory at a time.
"""

from collections import OrderedDict
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rasteret_assets.contract.bands import BAND_METADATA
from rasteret_assets.contract.columns import SOURCE_FILE
from rasteret_assets.contract.settings import BuildSettings
from rasteret_assets.contract.spec import digest
from rasteret_assets.pipeline.inputs import Inputs
from rasteret_assets.pipeline.set_aside import problem_tables
from rasteret_assets.stages import conform, order_keys, zip_bands
from rasteret_assets.storage import (
    CollectionManifest,
    CollectionUpdate,
    Fragment,
    MonthFile,
)

ZIP_VERSION = 1
"""Raised when the Collection's files would change for the same input."""

MONTHS_FACT = "months"
"""Fact of the Collection: year-month to the digest of what that month was made from."""

_KEY_COLUMNS = ("datetime", "bbox")
_KEYS_HELD = 8_000_000
"""Rows whose sort keys (12 bytes each) are held at once, about."""
_SAMPLE_ROWS = 256
"""Rows that tell how many bytes a row of the month takes."""

_Keys = tuple[np.ndarray, np.ndarray]
"""Months since year 0 and Hilbert values, a row each."""


def collection_update(
    inputs: Inputs, base: CollectionManifest | None, settings: BuildSettings
) -> CollectionUpdate:
    """Return what the Collection becomes: the months to write, the files to keep."""
    zipper = _Zipper(inputs, settings)
    months = zipper.months()
    before = {} if base is None else base.facts[MONTHS_FACT]
    stay = {month for month, key in months.items() if before.get(month) == key}
    files = () if base is None else base.files
    write = (
        MonthFile(year=int(month[:4]), month=int(month[5:]), tables=[table])
        for month in sorted(set(months) - stay)
        for table in zipper.tables(month)
    )
    return CollectionUpdate(
        write=write,
        keep=tuple(f.path for f in files if f"{f.year:04}-{f.month:02}" in stay),
        problems=problem_tables(inputs),
        schema=zipper.schema,
        metadata={"spec": inputs.spec.described(), "bands": list(inputs.headers)},
        facts={MONTHS_FACT: months},
        base_generation=0 if base is None else base.generation,
    )


class _Zipper:
    """Zips one Collection; knows its schema and which rows belong to which month."""

    def __init__(self, inputs: Inputs, settings: BuildSettings) -> None:
        self._inputs = inputs
        self._settings = settings
        self._fragments = inputs.fragments
        self._records = _with_source(inputs.remapped.schema)
        nothing = self._records.empty_table()
        no_headers = pa.nulls(0, BAND_METADATA)
        zipped = zip_bands(nothing, dict.fromkeys(inputs.headers, no_headers))
        self.schema: pa.Schema = zipped.schema
        self._keys: OrderedDict[str, _Keys] = OrderedDict()

    def months(self) -> dict[str, str]:
        """Return each month of the Collection with the digest of what it is made from."""
        shared = digest(ZIP_VERSION, self.schema.to_string(truncate_metadata=False))
        parts: dict[str, list[object]] = {}
        for fragment in self._fragments:
            headers = [self._inputs.header_fragment(b, fragment) for b in self._inputs.headers]
            part = [fragment.id, *(None if one is None else one.id for one in headers)]
            for month in fragment.facts[MONTHS_FACT]:
                parts.setdefault(month, []).append(part)
        return {month: digest(shared, part) for month, part in parts.items()}

    def tables(self, month: str) -> Iterator[pa.Table]:
        """Yield the month's rows, a table per file, in the order of their Hilbert values."""
        where, rows, values = self._rows(month)
        order = np.lexsort((rows, where, values))
        where, rows = where[order], rows[order]
        sample = self._gather(where[:_SAMPLE_ROWS], rows[:_SAMPLE_ROWS])
        per_row = max(1, sample.nbytes // max(1, sample.num_rows))
        step = max(1, self._settings.file_bytes // per_row)
        for at in range(0, len(rows), step):
            yield self._gather(where[at : at + step], rows[at : at + step])

    def _rows(self, month: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the month's rows: number of their fragment, row in it, Hilbert value."""
        number = int(month[:4]) * 12 + int(month[5:]) - 1
        found = []
        for at, fragment in enumerate(self._fragments):
            if month not in fragment.facts[MONTHS_FACT]:
                continue
            months, values = self._keys_of(fragment)
            rows = np.flatnonzero(months == number)
            found.append((np.full(len(rows), at), rows, values[rows]))
        where, rows, values = zip(*found, strict=True)
        return np.concatenate(where), np.concatenate(rows), np.concatenate(values)

    def _keys_of(self, fragment: Fragment) -> _Keys:
        """Return the sort keys of a fragment's rows, the last used of them from memory."""
        if fragment.id not in self._keys:
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

    def _gather(self, where: np.ndarray, rows: np.ndarray) -> pa.Table:
        """Return the given rows of the given fragments, in the order given."""
        parts, places = [], []
        for at in np.unique(where):
            here = np.flatnonzero(where == at)
            wanted = np.sort(rows[here])
            parts.append(self._take(self._fragments[at], wanted))
            places.append(here[np.argsort(rows[here], kind="stable")])
        order = np.empty(len(rows), dtype=np.int64)
        order[np.concatenate(places)] = np.arange(len(rows))
        return pa.concat_tables(parts).take(order)

    def _take(self, fragment: Fragment, rows: np.ndarray) -> pa.Table:
        """Return rows of one fragment with their headers, in the Collection's schema."""
        records = self._inputs.remapped.take(fragment, rows)
        source = pa.repeat(fragment.source, records.num_rows)
        records = records.append_column(SOURCE_FILE, source)
        headers = {}
        for band, table in self._inputs.headers.items():
            found = self._inputs.header_fragment(band, fragment)
            if found is None:
                headers[band] = pa.nulls(len(rows), BAND_METADATA)
            else:
                column = table.take(found, rows, columns=["header"])["header"]
                headers[band] = pc.cast(column.combine_chunks(), BAND_METADATA)
        return conform(zip_bands(conform(records, self._records), headers), self.schema)


def _with_source(schema: pa.Schema) -> pa.Schema:
    return schema.append(pa.field(SOURCE_FILE, pa.string()))
