"""What is to be known of records that a result leaves out, and of bands that they lack."""

from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from rasteret_assets.reads.records import Lacking, Skipped

Reasons = Callable[[pa.Array], pa.Table]
"""Gives the rows of the problems table that are about records of these ids."""


def left_out(
    skipped: Sequence[Skipped], lacking: Sequence[Lacking], reasons: Reasons | None
) -> dict[str, list[str]]:
    """Return attributes of a result, each only where there is something to tell.

    `skipped` has a line "id: code: detail" for each record left out; `missing_bands` a line
    "id: band: code: detail" for each band that a record has no header of, or "id: band: no
    header" where nothing tells why.
    """
    told = {}
    if skipped:
        told["skipped"] = [f"{one.id}: {one.code}: {one.detail}" for one in skipped]
    if lacking:
        why = {} if reasons is None else _why(lacking, reasons)
        told["missing_bands"] = [
            f"{one.id}: {one.band}: {why.get((one.id, one.key), 'no header')}" for one in lacking
        ]
    return told


def _why(lacking: Sequence[Lacking], reasons: Reasons) -> dict[tuple[str, str], str]:
    """Return code and detail by id and asset."""
    ids = pa.array({one.id for one in lacking}, pa.string())
    found = reasons(ids)
    bands = pa.array({one.key for one in lacking}, pa.string())
    rows = found.filter(pc.is_in(found["band"], bands)).select(["id", "band", "code", "detail"])
    return {
        (row["id"], row["band"]): ": ".join(filter(None, (row["code"], row["detail"])))
        for row in rows.to_pylist()
    }
