"""Batches of one source file joined into runs, which are sorted as a whole."""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from rasteret_assets.contract.tables import StageBatch


def runs(batches: Iterable[StageBatch], most: int) -> Iterator[StageBatch]:
    """Join batches into runs of up to `most` decoded bytes.

    `remap` sorts what it is given by month: the longer the run, the fewer row groups hold a
    month's rows, and the fewer are read again for each month when the Collection is zipped.
    """
    held: list[StageBatch] = []
    size = 0
    for batch in batches:
        weight = batch.rows.nbytes
        if held and (size + weight > most or batch.rows.schema != held[0].rows.schema):
            yield _joined(held)
            size = 0
        held.append(batch)
        size += weight
    if held:
        yield _joined(held)


def _joined(batches: list[StageBatch]) -> StageBatch:
    """Return `batches` as one, and empty the list: their rows are wanted nowhere else."""
    decoded = [batch.geometries for batch in batches if batch.geometries is not None]
    bounds = [batch.bounds for batch in batches if batch.bounds is not None]
    joined = StageBatch(
        rows=pa.concat_tables([batch.rows for batch in batches]),
        problems=pa.concat_tables([batch.problems for batch in batches]),
        geometries=np.concatenate(decoded) if len(decoded) == len(batches) else None,
        bounds=np.concatenate(bounds) if len(bounds) == len(batches) else None,
    )
    batches.clear()
    return joined
