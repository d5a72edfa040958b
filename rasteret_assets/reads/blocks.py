"""One chunk of a read that was put off: what a task is given, and what it does."""

import logging
import zlib
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rasteret_assets.errors import FetchError, ProblemCode
from rasteret_assets.geo.grid import Window
from rasteret_assets.reads.driver import Images, read_records
from rasteret_assets.reads.headers import BandImage
from rasteret_assets.reads.options import ReadOptions
from rasteret_assets.reads.plan import Kind, Plan
from rasteret_assets.reads.records import Record, records_of
from rasteret_assets.reads.target import Target
from rasteret_assets.reads.transfer import Access
from rasteret_assets.reads.windows import Windows

_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Slab:
    """Some bands at some times, of all pixels: what many tasks share."""

    rows: bytes
    """A row per record, by time, with the headers of these bands alone; see `packed`."""
    bands: tuple[str, ...]
    kinds: tuple[Kind, ...]
    times: NDArray[np.datetime64]
    slots: NDArray[np.int64]
    """Which of `times` each row belongs to."""
    options: ReadOptions
    access: Access

    def plan(self, target: Target) -> Plan:
        """Return the plan of reading it."""
        return Plan(
            bands=self.bands,
            records=tuple(records_of(_unpacked(self.rows), self.bands)),
            target=target,
            kinds=self.kinds,
            times=self.times,
            slots=self.slots,
            options=self.options,
        )


def read_block(slab: Slab, target: Target, window: Window) -> dict[str, NDArray[Any]]:
    """Return the pixels (time, y, x) of `window`, by `values_name` and `valid_name`.

    Records that the options allow to skip are invalid there, and logged as warnings.

    Raises
    ------
    FetchError, TiffError
        If a file cannot be read, unless the options say to skip its record; or if one that was
        indexed anew means other things than the dataset says.
    """
    plan, grid = slab.plan(target), target.grid.cut(window)
    windows = Windows(plan, grid)
    failed = read_records(plan.records, windows, slab.options, slab.access)
    for one in failed.values():
        _LOG.warning("record %r is left out of a chunk: %s: %s", one.id, one.code, one.detail)
    kept = [index for index in range(len(plan.records)) if index not in failed]
    for index in kept:
        _check_meanings(plan.records[index], windows.images[index], slab.options)
    windows.finish(kept, range(len(plan.times)), target.inside(grid))
    found: dict[str, NDArray[Any]] = {}
    for place, layers in enumerate(windows.layers):
        found[values_name(place)] = layers.values
        if layers.valid is not None:
            found[valid_name(place)] = layers.valid
    return found


def _check_meanings(record: Record, images: Images, options: ReadOptions) -> None:
    """Check that what the dataset says of a record holds for its files as they are now."""
    for before, now in zip(record.images, images, strict=True):
        if before is now or before is None or now is None:
            continue
        if _meaning(before, options) != _meaning(now, options):
            detail = (
                f"record {record.id!r}, band {now.band!r}: the file has changed, and its numbers "
                "have another scale, unit or palette than the dataset says; update the Collection"
            )
            raise FetchError(ProblemCode.FILE_CHANGED, detail)


def _meaning(image: BandImage, options: ReadOptions) -> tuple[object, ...]:
    """Return what a dataset says of an image; scale and offset only where they are left to do."""
    linear = () if options.apply_scale else (image.scale or 1.0, image.offset or 0.0)
    return *linear, image.unit, image.palette if options.colors else None


def packed(table: pa.Table) -> bytes:
    """Return rows as a graph holds them: an Arrow stream, deflated.

    A schema of headers takes kilobytes, and a graph has a table for each time.
    """
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return zlib.compress(sink.getvalue(), level=1)


def _unpacked(rows: bytes) -> pa.Table:
    return pa.ipc.open_stream(zlib.decompress(rows)).read_all()


def values_name(place: int) -> str:
    """Return what the pixels of the slab's band `place` are called in a block."""
    return f"values-{place}"


def valid_name(place: int) -> str:
    """Return what the validity of the slab's band `place` is called in a block."""
    return f"valid-{place}"
