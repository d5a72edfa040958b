"""Whether a band's headers are what the records say, found out once for each fragment of both."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds

from rasteret_assets.contract.columns import SOURCE_ROW
from rasteret_assets.contract.spec import digest
from rasteret_assets.contract.tables import StageBatch
from rasteret_assets.pipeline.inputs import Inputs
from rasteret_assets.pipeline.pieces import ranges_of
from rasteret_assets.stages import HEADER_FIELDS, compared, disagreements, said_columns
from rasteret_assets.storage import Fragment, FragmentDraft, Manifest, StageUpdate

AGREEMENT_STAGE: Final = "header_agreement"
AGREEMENT_VERSION: Final = 1
"""Raised when the same records and headers would give other facts."""

_SHOWN: Final = 20
_RECORD: Final = {"id": ds.field("id"), SOURCE_ROW: ds.field(SOURCE_ROW)}


def agreement_update(inputs: Inputs, band: str, base: Manifest | None) -> StageUpdate:
    """Return what the comparison of `band` becomes: fragments not compared yet, to compare."""
    fingerprint = digest("agreement", AGREEMENT_VERSION)
    known = {} if base is None else {f.identity: f for f in base.fragments}
    keep, write = [], []
    for fragment in inputs.fragments:
        headers = inputs.header_fragment(band, fragment)
        if headers is None:
            continue
        identity = digest(fragment.id, headers.id)
        found = known.get(identity)
        if found is not None and found.fingerprint == fingerprint:
            keep.append(found)
            continue
        work = _Work(inputs=inputs, band=band, fragment=fragment, headers=headers)
        write.append(
            FragmentDraft(
                source=fragment.source,
                identity=identity,
                fingerprint=fingerprint,
                batches=work.batches(),
                facts=work.facts,
            )
        )
    return StageUpdate(
        keep=tuple(keep),
        write=write,
        schema=pa.schema([]),
        base_generation=0 if base is None else base.generation,
    )


@dataclass(slots=True, kw_only=True)
class _Work:
    """One fragment of records and its headers while they are compared."""

    inputs: Inputs
    band: str
    fragment: Fragment
    headers: Fragment
    _compared: int = 0
    _differ: Counter[str] = field(default_factory=Counter)
    _rows: list[dict[str, Any]] = field(default_factory=list)

    def batches(self) -> Iterator[StageBatch]:
        """Compare all rows; only facts come of it, so nothing is yielded."""
        said = said_columns(self.inputs.remapped.schema, self.band)
        table = self.inputs.headers[self.band]
        if not said:
            return
        columns = {**_RECORD, **said}
        records = _Rows(self.inputs.remapped.picked_batches(self.fragment.files, columns))
        for one in ranges_of(self.headers):
            headers = table.picked([one.file], HEADER_FIELDS)
            self._compare(records.take(one.stop - one.start), headers, list(said))
        yield from ()

    def facts(self) -> Mapping[str, object]:
        """Return what was found, as JSON values."""
        return {"compared": self._compared, "differ": dict(self._differ), "rows": self._rows}

    def _compare(self, records: pa.Table, headers: pa.Table, said: list[str]) -> None:
        self._compared += int(compared(records.select(said), headers).sum())
        for what, differs in disagreements(records.select(said), headers).items():
            rows = np.flatnonzero(differs)
            if not len(rows):
                continue
            self._differ[what] += len(rows)
            few = rows[: max(0, _SHOWN - len(self._rows))]
            told = records.take(few).to_pylist()
            found = headers.take(few).to_pylist()
            self._rows += [
                self._row(what, record, header) for record, header in zip(told, found, strict=True)
            ]

    def _row(
        self, what: str, record: Mapping[str, Any], header: Mapping[str, Any]
    ) -> dict[str, Any]:
        fields = {
            "crs": ("crs",),
            "transform": ("transform",),
            "shape": ("image_height", "image_width"),
        }[what]
        words = {"crs": ("epsg", "code")}.get(what, (what,))
        said = [
            f"{name}={value}"
            for name, value in record.items()
            if value is not None and name.rpartition(":")[2] in words
        ]
        return {
            "id": record["id"],
            "what": what,
            "record": ", ".join(said),
            "header": ", ".join(str(header[name]) for name in fields),
            "source_file": self.fragment.source,
            "source_row": record[SOURCE_ROW],
        }


class _Rows:
    """Batches as one stream of rows, taken so many at a time."""

    def __init__(self, batches: Iterator[pa.RecordBatch]) -> None:
        self._batches = (pa.Table.from_batches([batch]) for batch in batches)
        self._held: pa.Table | None = None

    def take(self, count: int) -> pa.Table:
        """Return the next `count` rows."""
        parts = []
        while count:
            if self._held is None or not self._held.num_rows:
                self._held = next(self._batches)
            part = self._held.slice(0, count)
            self._held = self._held.slice(part.num_rows)
            parts.append(part)
            count -= part.num_rows
        return pa.concat_tables(parts)
