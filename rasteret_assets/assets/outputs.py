"""What the stages' Dagster assets return: plans, which the I/O manager carries out and commits.

A plan is made from the newest state of its stage, and opens its inputs only then: where two
runs overtake each other, the later one never brings back what the earlier one replaced.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa

from rasteret_assets.assets.columns import Metadata, Told
from rasteret_assets.contract.settings import FetchSettings
from rasteret_assets.storage import (
    CollectionManifest,
    CollectionUpdate,
    Manifest,
    StageStore,
    StageTable,
    StageUpdate,
)


def accept(manifest: Manifest) -> None:
    """Accept any state."""
    del manifest


def untold(schema: pa.Schema) -> Metadata:
    """Say nothing of the columns."""
    del schema
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePlan:
    """How a stage, or one band of it, comes to its next state."""

    plan: Callable[[Manifest | None], StageUpdate]
    """Given the newest state, says what becomes of it; nothing is read or written before."""
    columns: Told = untold
    """Says what the UI shows of the stage's columns."""
    check: Callable[[Manifest], None] = accept
    """Sees the next state before it is committed; raises to refuse it."""
    committed: Callable[[Manifest], None] = accept
    """Told of the state once it is committed."""
    rows_in: int | None = None
    """Rows that the stage is given; None means those of the source files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionPlan:
    """How the Collection comes to its next state."""

    plan: Callable[[CollectionManifest | None], CollectionUpdate]
    """Given the newest state, says what becomes of it."""
    rows_in: int
    columns: Told = untold
    """Says what the UI shows of the Collection's columns."""
    look: FetchSettings | None = None
    """How a look at some pixels is fetched; None looks at none."""


def newest(table: StageTable) -> StageTable:
    """Return the stage of `table` as it is now, and not as it was when it was opened."""
    return StageStore(url=table.url, settings=table.settings).open()
