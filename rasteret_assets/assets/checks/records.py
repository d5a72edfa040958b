"""Checks of `remapped_table`, from what was found out when each fragment was looked at."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from typing import Final

import dagster as dg
import pyarrow as pa

from rasteret_assets.assets.checks.results import found, severity_of, spec_of
from rasteret_assets.assets.declared import DeclaredCollection
from rasteret_assets.assets.io_manager import WorkspaceIOManager
from rasteret_assets.assets.names import REMAPPED, op_name, stage_key
from rasteret_assets.assets.object_storage import ObjectStorageResource
from rasteret_assets.assets.offending import Row, offending
from rasteret_assets.assets.unchanged import answered, state_of
from rasteret_assets.contract.records import (
    BOX_DIFFERS,
    CANONICAL_TYPES,
    NULL_FAULTS,
    OUTSIDE,
    UNREADABLE,
)
from rasteret_assets.pipeline.build import committed
from rasteret_assets.pipeline.examined import EXAMINED_STAGE, examined_update, repeated_ids
from rasteret_assets.storage import StageTable, Workspace

CONTRACT: Final = "contract"
BOUNDS: Final = "geometry_bounds"
VALID: Final = "geometry_valid"
IDS: Final = "ids_unique"

_TOLD: Final = {
    CONTRACT: "The canonical columns are there with their types, none is null, and every "
    "geometry can be read. The stages that follow build on it: a failure stops the run.",
    BOUNDS: "Every geometry lies within longitude and latitude, and its bbox is its own. Filters "
    "by place build on it: a failure stops the run.",
    VALID: "Every geometry is valid as OGC has it: no ring crosses itself, holes lie inside. "
    "Records with invalid ones are kept; operations on their outlines may fail.",
    IDS: "No (collection, id) occurs twice, in whatever source files; all are kept if one does.",
}
_STOPS: Final = frozenset({CONTRACT, BOUNDS})

Answer = Callable[[], dg.AssetCheckResult]


def record_checks(declared: DeclaredCollection) -> dg.AssetChecksDefinition:
    """Return the checks of the records."""

    @dg.multi_asset_check(
        name=op_name(declared.name, "check_records"),
        specs=[
            spec_of(declared, REMAPPED, name, told, blocking=name in _STOPS)
            for name, told in _TOLD.items()
        ],
    )
    def check_records(
        context: dg.AssetCheckExecutionContext,
        workspace: dg.ResourceParam[WorkspaceIOManager],
        object_storage: ObjectStorageResource,  # noqa: ARG001  # live meanwhile
    ) -> Iterator[dg.AssetCheckResult]:
        place = workspace.workspace()
        remapped = place.stage(declared.name, REMAPPED).open()
        examined = cache(partial(_examined, place, declared.name, remapped))
        answers: dict[str, Answer] = {
            CONTRACT: lambda: _contract(remapped.schema, examined()),
            BOUNDS: lambda: _bounds(examined()),
            VALID: lambda: _valid(examined()),
            IDS: lambda: _ids(examined(), remapped),
        }
        state = state_of(remapped.url, remapped.manifest)
        key = stage_key(declared.name, REMAPPED)
        for name, answer in answers.items():
            yield from answered(context, key, name, state, answer)

    return check_records


def _examined(place: Workspace, name: str, remapped: StageTable) -> StageTable:
    """Look at the fragments that nobody has looked at yet, and return what is known of all."""
    store = place.stage(name, EXAMINED_STAGE)
    manifest = committed(store, lambda base: examined_update(remapped, base))
    store.sweep()
    return store.open(manifest)


def _contract(schema: pa.Schema, examined: StageTable) -> dg.AssetCheckResult:
    wrong: list[Row] = [
        {"column": name, "type": _type_of(schema, name), "wanted": str(kind)}
        for name, kind in CANONICAL_TYPES.items()
        if _type_of(schema, name) != str(kind)
    ]
    if not wrong:
        faults = (*NULL_FAULTS, UNREADABLE)
        count, rows = _failures(examined, faults)
        return found(CONTRACT, count, "records break the contract", rows, stops=True)
    return dg.AssetCheckResult(
        check_name=CONTRACT,
        passed=False,
        severity=severity_of(stops=True),
        description=f"columns are not what they must be: {[row['column'] for row in wrong]}",
        metadata={"wrong_columns": offending(wrong)},
    )


def _type_of(schema: pa.Schema, name: str) -> str:
    return str(schema.field(name).type) if name in schema.names else "missing"


def _bounds(examined: StageTable) -> dg.AssetCheckResult:
    count, rows = _failures(examined, (OUTSIDE, BOX_DIFFERS))
    return found(BOUNDS, count, "records lie elsewhere than their bbox says", rows, stops=True)


def _failures(examined: StageTable, faults: Sequence[str]) -> tuple[int, list[Row]]:
    """Return how many faults of these kinds there are, and pandera's first failure cases."""
    counts: Counter[str] = Counter()
    rows: list[Row] = []
    for fragment in examined.manifest.fragments:
        counts.update(fragment.facts["failures"])
        rows += [row for row in fragment.facts["failing"] if row["column"] in faults]
    return sum(counts[fault] for fault in faults), rows


def _valid(examined: StageTable) -> dg.AssetCheckResult:
    fragments = examined.manifest.fragments
    count = sum(fragment.facts["invalid"] for fragment in fragments)
    rows = [row for fragment in fragments for row in fragment.facts["invalid_rows"]]
    return found(VALID, count, "records have a geometry that is not valid", rows)


def _ids(examined: StageTable, remapped: StageTable) -> dg.AssetCheckResult:
    repeats = repeated_ids(examined, remapped)
    named = ", ".join(str(row["id"]) for row in repeats.rows[:5])
    what = f"records repeat an id of another file{': ' if named else ''}{named}"
    return found(IDS, repeats.count, what, repeats.rows)
