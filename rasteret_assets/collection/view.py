"""Which records and bands of a Collection are looked at."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from rasteret_assets.collection.choosing import fault_of
from rasteret_assets.collection.first_rows import first_rows
from rasteret_assets.contract.bands import BAND_SUFFIX
from rasteret_assets.errors import ReadError


def bands_of(schema: pa.Schema) -> list[str]:
    """Return the bands that have a column of headers, in the order of their columns."""
    return [name.removesuffix(BAND_SUFFIX) for name in schema.names if name.endswith(BAND_SUFFIX)]


def band_column(band: str, schema: pa.Schema) -> str | None:
    """Return the column of a band's headers; `visual[1]` is a sample of `visual`."""
    candidates = (band, band.rpartition("[")[0] if band.endswith("]") else band)
    return next((c + BAND_SUFFIX for c in candidates if c + BAND_SUFFIX in schema.names), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Conditions, and numbers of rows, that follow on each other; and the bands to show."""

    steps: tuple[pc.Expression | int, ...] = ()
    bands: tuple[str, ...] | None = None
    """None shows all."""

    def where(self, condition: pc.Expression) -> "View":
        """Return the view of those rows of this one that meet `condition`."""
        if self.steps and not isinstance(self.steps[-1], int):
            *before, last = self.steps
            return replace(self, steps=(*before, last & condition))
        return replace(self, steps=(*self.steps, condition))

    def head(self, rows: int) -> "View":
        """Return the view of the first `rows` of this one."""
        return replace(self, steps=(*self.steps, rows))

    def of_bands(self, bands: Sequence[str], schema: pa.Schema) -> "View":
        """Return the view with `bands` alone.

        Raises
        ------
        ReadError
            If there is none, or one that this view has not.
        """
        shown = self.schema(schema)
        unknown = [band for band in bands if band_column(band, shown) is None]
        if unknown or not bands:
            msg = f"no band {unknown or ''} among {bands_of(shown)}; enrich it first"
            raise ReadError(msg)
        return replace(self, bands=tuple(bands))

    @property
    def limits(self) -> bool:
        """Whether some step is a number of rows."""
        return any(isinstance(step, int) for step in self.steps)

    def schema(self, whole: pa.Schema) -> pa.Schema:
        """Return the columns of `of`, without reading anything.

        Headers of bands that are not shown are left out, unless a condition is about them.
        """
        if self.bands is None:
            return whole
        shown = {band_column(band, whole) for band in self.bands}
        hidden = [n for n in whole.names if n.endswith(BAND_SUFFIX) and n not in shown]
        hidden = [name for name in hidden if not self._needs(name, whole)]
        kept = [field for field in whole if field.name not in hidden]
        return pa.schema(kept, metadata=whole.metadata)

    def of(self, whole: ds.Dataset) -> ds.Dataset:
        """Return the records looked at; reads rows only where `head` was asked for some."""
        schema = self.schema(whole.schema)
        found = whole if schema is whole.schema else whole.replace_schema(schema)
        wanted: pc.Expression | None = None
        for step in self.steps:
            if isinstance(step, int):
                found, wanted = ds.dataset(first_rows(found, wanted, step)), None
            else:
                wanted = step
        return found if wanted is None else found.filter(wanted)

    def _needs(self, column: str, schema: pa.Schema) -> bool:
        without = schema.remove(schema.get_field_index(column))
        conditions = (step for step in self.steps if not isinstance(step, int))
        return any(fault_of(condition, without) is not None for condition in conditions)


def stream(rows: ds.Dataset, keeps: object) -> pa.RecordBatchReader:
    """Return the rows as they are scanned; the first are read at once.

    The reader keeps `keeps` alive.
    """
    batches = rows.to_batches()
    first = next(batches, None)

    def all_batches(_: object) -> Iterator[pa.RecordBatch]:
        if first is not None:
            yield first
            yield from batches

    return pa.RecordBatchReader.from_batches(rows.schema, all_batches(keeps))
