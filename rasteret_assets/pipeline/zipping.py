"""Remapped records and the headers of their bands, zipped into the Collection's month files.

Only months whose inputs changed are written again. Within a month, rows stand in the order of
their Hilbert value, so that a row group covers a small area; files are cut by bytes. Small
months are gathered together, since each gathering reads every row group that holds one of its
rows; never more than about one file's bytes are in memory.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa

from rasteret_assets.contract.columns import NAME_KEY, SIGNER_KEY
from rasteret_assets.contract.settings import BuildSettings
from rasteret_assets.contract.spec import digest
from rasteret_assets.geo.geoparquet import geo_metadata
from rasteret_assets.pipeline.gathering import MONTHS_FACT, Gathered, Gatherer, Places
from rasteret_assets.pipeline.inputs import Inputs
from rasteret_assets.pipeline.pieces import ranges_of
from rasteret_assets.pipeline.set_aside import problem_tables
from rasteret_assets.storage import CollectionManifest, CollectionUpdate, MonthFile

ZIP_VERSION = 1
"""Raised when the Collection's files would change for the same input."""

_BLOCKS = 8
"""Blocks of a row group that are put in order one by one: putting in order copies twice."""

MADE_FROM_FACT = "months"
"""Fact of the Collection: year-month to the digest of what that month was made from."""


def collection_update(
    inputs: Inputs, base: CollectionManifest | None, settings: BuildSettings
) -> CollectionUpdate:
    """Return what the Collection becomes: the months to write, the files to keep."""
    gatherer = Gatherer(inputs)
    schema = gatherer.schema.with_metadata(_file_metadata(inputs))
    months = _made_from(inputs, schema)
    before = {} if base is None else base.facts[MADE_FROM_FACT]
    stay = {month for month, key in months.items() if before.get(month) == key}
    files = () if base is None else base.files
    return CollectionUpdate(
        write=_month_files(inputs, gatherer, sorted(set(months) - stay), settings),
        keep=tuple(f.path for f in files if f"{f.year:04}-{f.month:02}" in stay),
        problems=problem_tables(inputs),
        schema=schema,
        metadata={"spec": inputs.spec.described(), "bands": list(inputs.headers)},
        facts={MADE_FROM_FACT: months},
        base_generation=0 if base is None else base.generation,
    )


def _made_from(inputs: Inputs, schema: pa.Schema) -> dict[str, str]:
    """Return each month of the Collection with the digest of what it is made from."""
    said = {key: value for key, value in schema.metadata.items() if key != SIGNER_KEY}
    shared = digest(ZIP_VERSION, schema.with_metadata(said).to_string(truncate_metadata=False))
    parts: dict[str, list[object]] = {}
    for fragment in inputs.fragments:
        headers = [inputs.header_fragment(band, fragment) for band in inputs.headers]
        part = [fragment.id, *(None if one is None else one.id for one in headers)]
        for month in fragment.facts[MONTHS_FACT]:
            parts.setdefault(month, []).append(part)
    return {month: digest(shared, part) for month, part in parts.items()}


def _month_files(
    inputs: Inputs, gatherer: Gatherer, months: Sequence[str], settings: BuildSettings
) -> Iterator[MonthFile]:
    """Yield the files of `months`, in their order."""
    if not months:
        return
    counts = _rows_by_month(inputs)
    per_row = _row_bytes(inputs)
    for group in _groups(months, counts, max(1, settings.file_bytes // per_row)):
        places = gatherer.places(group)
        most = max(1, settings.file_bytes // per_row)
        for at in range(0, len(places), most):
            part = places.part(at, at + most)
            per_row = yield from _by_month(part, gatherer.gather(part), settings)


def _groups(months: Sequence[str], counts: Mapping[str, int], most: int) -> Iterator[list[str]]:
    """Yield runs of months with up to `most` rows together, or one month with more."""
    group: list[str] = []
    rows = 0
    for month in months:
        if group and rows + counts[month] > most:
            yield group
            group, rows = [], 0
        group.append(month)
        rows += counts[month]
    yield group


def _by_month(
    places: Places, rows: Gathered, settings: BuildSettings
) -> Generator[MonthFile, None, int]:
    """Yield the files that `rows` come to; return the decoded bytes of one of them."""
    per_row = max(1, rows.table.nbytes // rows.table.num_rows)
    block = max(1, settings.batch_bytes // _BLOCKS // per_row)
    starts = np.flatnonzero(np.diff(places.months, prepend=-1))
    for start, stop in pairwise([*starts.tolist(), len(places)]):
        year, month = divmod(int(places.months[start]), 12)
        yield MonthFile(
            year=year,
            month=month + 1,
            tables=rows.blocks(start, stop, block),
            nbytes=(stop - start) * per_row,
        )
    return per_row


def _rows_by_month(inputs: Inputs) -> dict[str, int]:
    counts: dict[str, int] = {}
    for fragment in inputs.fragments:
        for month, rows in fragment.facts[MONTHS_FACT].items():
            counts[month] = counts.get(month, 0) + rows
    return counts


def _row_bytes(inputs: Inputs) -> int:
    """Return the decoded bytes of a row, as the fragments' facts have it."""
    total = 0
    for fragment in inputs.fragments:
        total += fragment.facts["bytes"]
        for band in inputs.headers:
            found = inputs.header_fragment(band, fragment)
            total += sum(one.decoded_bytes for one in ranges_of(found)) if found else 0
    return 1 + total // sum(fragment.rows for fragment in inputs.fragments)


def _file_metadata(inputs: Inputs) -> dict[bytes, bytes]:
    """Return the key-value metadata of every file: GeoParquet's, and what the peer reads.

    Nothing that changes with every update is in it: files of untouched months stay.
    """
    types = {kind for f in inputs.fragments for kind in f.facts["geometry_types"]}
    name, signer = inputs.spec.name.encode(), inputs.spec.sign
    return {
        NAME_KEY: name,
        **({} if signer is None else {SIGNER_KEY: signer.encode()}),
        b"data_source": name,
        b"rasteret_collection_version": b"1",
        **geo_metadata(types, None),
    }
