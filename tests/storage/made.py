"""Small tables, drafts and updates for the stores."""

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa

from rasteret_assets.contract.problems import PROBLEMS
from rasteret_assets.contract.tables import StageBatch, no_problems
from rasteret_assets.storage import (
    CollectionUpdate,
    Fragment,
    FragmentDraft,
    MonthFile,
    StageUpdate,
)

SCHEMA = pa.schema([("id", pa.string()), ("n", pa.int64())], metadata={"name": "made"})


def rows(source: str, start: int, stop: int) -> pa.Table:
    """Rows `start` to `stop` of a source: an id that tells both, and the number."""
    numbers = np.arange(start, stop)
    return pa.table([[f"{source}-{n}" for n in numbers], numbers], schema=SCHEMA)


def problems(source: str, count: int) -> pa.Table:
    if not count:
        return no_problems()
    told = {"source_file": source, "code": "not_found"}
    return pa.Table.from_pylist(
        [{**told, "source_row": row} for row in range(count)], schema=PROBLEMS
    )


def draft(
    source: str,
    count: int,
    *,
    step: int = 300,
    bad: int = 0,
    batches: Iterable[StageBatch] | None = None,
) -> FragmentDraft:
    made = (
        StageBatch(rows=rows(source, at, min(at + step, count)), problems=problems(source, bad))
        for at in range(0, count, step)
    )
    return FragmentDraft(
        source=source,
        identity="1",
        fingerprint="f",
        batches=made if batches is None else batches,
        facts=lambda: {"asked": count},
    )


def update(
    *write: FragmentDraft, keep: Sequence[Fragment] = (), base: int = 0, **metadata: str
) -> StageUpdate:
    return StageUpdate(keep=tuple(keep), write=write, metadata=metadata, base_generation=base)


def month(year: int, number: int, count: int, source: str = "r") -> MonthFile:
    table = rows(f"{source}-{year}-{number}", 0, count)
    return MonthFile(year=year, month=number, tables=[table.slice(0, 2), table.slice(2)])


def collection_update(
    *write: MonthFile, keep: Sequence[str] = (), base: int = 0, bad: int = 0
) -> CollectionUpdate:
    return CollectionUpdate(
        write=write,
        keep=tuple(keep),
        problems=[problems("s", bad)],
        schema=SCHEMA,
        metadata={"spec": "x"},
        facts={"months": 1},
        base_generation=base,
    )
