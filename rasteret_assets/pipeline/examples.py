"""A few of the headers that could not be had, with the records they are of."""

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rasteret_assets.contract.columns import SOURCE_ROW
from rasteret_assets.storage import Fragment, StageTable

_WHY: Final = ("code", "detail", "href")
"""Columns of headers that an example shows."""

_OF_EACH: Final = 3


def header_examples(
    remapped: StageTable, fragment: Fragment, start: int, headers: pa.Table
) -> tuple[dict[str, object], ...]:
    """Return the first few rows of each problem code: why, with the record's id and source row.

    Parameters
    ----------
    start
        Row of the fragment that `headers` begin with.
    headers
        The `code`, `detail` and `href` columns of a range.
    """
    codes = headers["code"]
    rows: list[int] = []
    for code in pc.unique(codes).drop_null().to_pylist():  # few: one entry a code
        rows += pc.indices_nonzero(pc.equal(codes, code)).slice(0, _OF_EACH).to_pylist()
    if not rows:
        return ()
    picked = np.array(sorted(rows))
    why = headers.select(_WHY).take(picked).to_pylist()
    records = remapped.take(fragment, picked + start, ["id", SOURCE_ROW]).to_pylist()
    return tuple(
        {"id": record["id"], "source_row": record[SOURCE_ROW], **one}
        for record, one in zip(records, why, strict=True)
    )
