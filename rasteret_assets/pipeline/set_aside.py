"""The Collection's problems: rows set aside by the table stages, headers that failed."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rasteret_assets.contract.columns import SOURCE_ROW
from rasteret_assets.contract.problems import PROBLEMS
from rasteret_assets.pipeline.inputs import Inputs
from rasteret_assets.pipeline.pieces import ranges_of
from rasteret_assets.storage import Fragment

_ASKED = ("href", "code", "detail", "attempts", "tried_at")


def problem_tables(inputs: Inputs) -> Iterator[pa.Table]:
    """Yield the problems of every fragment and band, in the `PROBLEMS` schema."""
    for fragment in inputs.fragments:
        yield inputs.remapped.problems(fragment)
        for band in inputs.headers:
            found = inputs.header_fragment(band, fragment)
            if found is not None and any(one.problems for one in ranges_of(found)):
                yield from _of_band(inputs, fragment, band, found)


def _of_band(
    inputs: Inputs, fragment: Fragment, band: str, headers: Fragment
) -> Iterator[pa.Table]:
    for one in ranges_of(headers):
        if not one.problems:
            continue
        rows = (one.start, one.stop)
        batches = inputs.headers[band].batches(headers, columns=_ASKED, rows=rows)
        asked = pa.concat_tables(batches)
        failed = np.flatnonzero(pc.is_valid(asked["code"]).to_numpy())
        records = inputs.remapped.take(fragment, failed + one.start, columns=["id", SOURCE_ROW])
        columns = {
            **{name: asked[name].take(failed) for name in _ASKED},
            "source_file": pa.repeat(fragment.source, len(failed)),
            "source_row": records[SOURCE_ROW],
            "id": records["id"],
            "band": pa.repeat(band, len(failed)),
        }
        yield pa.table([columns[name] for name in PROBLEMS.names], PROBLEMS.names).cast(PROBLEMS)
