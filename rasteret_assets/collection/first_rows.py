"""The first rows of a dataset, read no further than they reach."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

_AT_ONCE: Final = 16
"""Row groups read together, at most; each then waits for its own storage."""


def first_rows(dataset: ds.Dataset, wanted: pc.Expression | None, rows: int) -> pa.Table:
    """Return the first `rows` of those that are `wanted`, in the order of the dataset.

    Row groups are read one by one at first, then twice as many each time. A scan would read
    ahead by as much as its threads get done before it is stopped.
    """
    try:
        pieces = _row_groups(dataset.get_fragments(wanted), wanted, dataset.schema)
    except ValueError:  # was filtered by whoever made it, and keeps its files to itself
        return dataset.scanner(filter=wanted).head(rows)
    found = [dataset.schema.empty_table()]
    missing, together = rows, 1
    with ThreadPoolExecutor(_AT_ONCE) as readers:
        while missing > 0 and (some := list(islice(pieces, together))):
            for table in readers.map(
                lambda piece: piece.to_table(schema=dataset.schema, filter=wanted), some
            ):
                found.append(table.slice(0, missing))
                missing -= found[-1].num_rows
            together = min(2 * together, _AT_ONCE)
    return pa.concat_tables(found)


def _row_groups(
    fragments: Iterator[ds.Fragment], wanted: pc.Expression | None, schema: pa.Schema
) -> Iterator[ds.Fragment]:
    for fragment in fragments:
        if isinstance(fragment, ds.ParquetFileFragment):
            yield from fragment.split_by_row_group(wanted, schema)
        else:
            yield fragment
