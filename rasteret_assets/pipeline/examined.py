"""What checks want to know of the records, found out once for each fragment.

A stage of its own beside the records: facts in its manifest, and for each record 8 bytes that
stand for its id. A fragment that was examined is never read again for it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rasteret_assets.contract.columns import SOURCE_ROW
from rasteret_assets.contract.kinds import is_text
from rasteret_assets.contract.rows import ROW
from rasteret_assets.contract.spec import digest
from rasteret_assets.contract.tables import StageBatch
from rasteret_assets.stages import IdState, examine, id_keys
from rasteret_assets.storage import Fragment, FragmentDraft, Manifest, StageTable, StageUpdate

EXAMINED_STAGE: Final = "examined_records"
EXAMINED_VERSION: Final = 1
"""Raised when the same records would give other facts."""

SHOWN: Final = 20
"""Offending rows that a fragment, or a check, remembers of each kind, at most."""

_COLUMNS: Final = ("id", "datetime", "geometry", "assets", "bbox", SOURCE_ROW)

JsonRow = dict[str, Any]


def examined_update(remapped: StageTable, base: Manifest | None) -> StageUpdate:
    """Return what the examination becomes: fragments of records not looked at yet, to look at."""
    fingerprint = digest("examined", EXAMINED_VERSION)
    known = {} if base is None else {f.identity: f for f in base.fragments}
    keep, write = [], []
    for fragment in remapped.manifest.fragments:
        found = known.get(fragment.id)
        if found is not None and found.fingerprint == fingerprint:
            keep.append(found)
            continue
        work = _Work(remapped=remapped, fragment=fragment)
        write.append(
            FragmentDraft(
                source=fragment.source,
                identity=fragment.id,
                fingerprint=fingerprint,
                batches=work.batches(),
                facts=work.facts,
            )
        )
    return StageUpdate(
        keep=tuple(keep),
        write=write,
        schema=pa.schema([("key", pa.uint64())]),
        base_generation=0 if base is None else base.generation,
    )


@dataclass(slots=True, kw_only=True)
class _Work:
    """One fragment while it is looked at."""

    remapped: StageTable
    fragment: Fragment
    _failures: Counter[str] = field(default_factory=Counter)
    _failing: list[JsonRow] = field(default_factory=list)
    _invalid: int = 0
    _crooked: list[JsonRow] = field(default_factory=list)

    def batches(self) -> Iterator[StageBatch]:
        """Yield the keys of the records, in their order."""
        schema = self.remapped.schema
        collection = "collection" in schema.names and is_text(schema.field("collection").type)
        columns = (*_COLUMNS, "collection") if collection else _COLUMNS
        for records in self.remapped.batches(self.fragment, columns):
            self._look(records)
            keys = id_keys(
                records["id"].combine_chunks(),
                records["collection"].combine_chunks() if collection else None,
            )
            yield StageBatch(rows=pa.table({"key": keys}))

    def facts(self) -> Mapping[str, object]:
        """Return what was found, as JSON values."""
        return {
            "failures": dict(self._failures),
            "failing": self._failing,
            "invalid": self._invalid,
            "invalid_rows": self._crooked,
        }

    def _look(self, records: pa.Table) -> None:
        found = examine(records)
        self._failures.update(found.failures["column"].to_pylist() if found.failures else ())
        some = found.failures.slice(0, max(0, SHOWN - len(self._failing)))
        at = _told(self.fragment, records, some[ROW].to_numpy())
        self._failing += [
            {**row, "column": column, "check": check}
            for row, column, check in zip(
                at, some["column"].to_pylist(), some["check"].to_pylist(), strict=True
            )
        ]
        self._invalid += len(found.invalid)
        count = max(0, SHOWN - len(self._crooked))
        at = _told(self.fragment, records, found.invalid[:count])
        self._crooked += [
            {**row, "reason": str(reason)}
            for row, reason in zip(at, found.reasons[:count], strict=True)
        ]


def _told(fragment: Fragment, records: pa.Table, rows: NDArray[np.int64]) -> list[JsonRow]:
    """Return id, source file and source row of a few records."""
    some = records.select(["id", SOURCE_ROW]).take(pa.array(rows))
    return [
        {"id": one["id"], "source_file": fragment.source, "source_row": one[SOURCE_ROW]}
        for one in some.to_pylist()
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """Records whose (collection, id) came before, in whatever source file."""

    count: int
    rows: list[JsonRow]
    """The first few: id, source file and row, and those of the record that came first."""


def repeated_ids(examined: StageTable, remapped: StageTable) -> Repeats:
    """Return the records that repeat an id; 8 bytes of memory for each record."""
    state = IdState()
    records = {fragment.id: fragment for fragment in remapped.manifest.fragments}
    count = 0
    some: list[tuple[Fragment, int, int]] = []
    for fragment in examined.manifest.fragments:
        at = 0
        for batch in examined.batches(fragment):
            keys = batch["key"].to_numpy()
            repeated = np.flatnonzero(state.repeated(keys))
            count += len(repeated)
            few = repeated[: max(0, SHOWN - len(some))]
            some += [(records[fragment.identity], int(row) + at, int(keys[row])) for row in few]
            at += len(keys)
    first = _first(examined, records, {key for _, _, key in some})
    rows = []
    for fragment, row, key in some:
        told, before = _record(remapped, fragment, row), _record(remapped, *first[key])
        came = {"first_source_file": before["source_file"], "first_row": before["source_row"]}
        rows.append({**told, **came})
    return Repeats(count=count, rows=rows)


def _first(
    examined: StageTable, records: Mapping[str, Fragment], keys: set[int]
) -> dict[int, tuple[Fragment, int]]:
    """Return the fragment and row where each of `keys` comes first."""
    found: dict[int, tuple[Fragment, int]] = {}
    wanted = np.array(sorted(keys), np.uint64)
    for fragment in examined.manifest.fragments:
        at = 0
        for batch in examined.batches(fragment) if len(found) < len(keys) else ():
            values = batch["key"].to_numpy()
            for row in np.flatnonzero(np.isin(values, wanted)).tolist():
                found.setdefault(int(values[row]), (records[fragment.identity], row + at))
            at += len(values)
    return found


def _record(remapped: StageTable, fragment: Fragment, row: int) -> JsonRow:
    taken = remapped.take(fragment, np.array([row]), ["id", SOURCE_ROW])
    [told] = _told(fragment, taken, np.array([0]))
    return told
