"""What a read will give, before a pixel of it is read: records, grid, types, times."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rasteret_assets.errors import ReadError
from rasteret_assets.reads.areas import Area
from rasteret_assets.reads.combine import periods
from rasteret_assets.reads.headers import BandImage
from rasteret_assets.reads.options import ReadOptions
from rasteret_assets.reads.records import Record, Selection, select, within
from rasteret_assets.reads.target import Target, target_of
from rasteret_assets.reads.validity import holds


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What a band's pixels are."""

    dtype: np.dtype[Any]
    fill: float
    """What invalid ones hold."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """What a read will give."""

    bands: tuple[str, ...]
    records: tuple[Record, ...]
    """By time."""
    target: Target
    kinds: tuple[Kind, ...]
    """One per band, before records are combined by other than their order."""
    times: NDArray[np.datetime64]
    """Of the result."""
    slots: NDArray[np.int64]
    """Which of `times` each record belongs to."""
    options: ReadOptions

    @property
    def layers(self) -> int:
        """Images that a band takes room for: one per time, or per record to be combined later."""
        return len(self.times) if self.options.ranks else len(self.slots)

    def size_bytes(self, shape: tuple[int, int]) -> int:
        """Return what the arrays of so many rows and columns take, for all bands."""
        extra = self.options.wants_valid + 4 * self.options.ranks
        per_pixel = sum(kind.dtype.itemsize + extra for kind in self.kinds)
        return shape[0] * shape[1] * self.layers * per_pixel


def plan_of(
    table: pa.Table, bands: Sequence[str], area: Area | None, options: ReadOptions
) -> tuple[Plan, Selection]:
    """Return what a read of `bands` over `area` will give, and which records it is of.

    Raises
    ------
    ReadError
        If nothing meets the area.
    TiffError
        If an image cannot be read, unless the options say to skip its record.
    """
    selection = select(table, bands, area, options)
    records = within(selection.records, area)
    if not records:
        raise ReadError(nothing_found(table, selection))
    grids = [image.grid_at(_overview(image, options)) for one in records for image in one.there]
    plan = plan_records(records, bands, target_of(grids, area, options), options)
    return plan, selection


def plan_records(
    records: Sequence[Record], bands: Sequence[str], target: Target, options: ReadOptions
) -> Plan:
    """Return what `bands` of `records`, ordered by time, will give on a grid."""
    times = np.array([record.time for record in records])
    slots = np.arange(len(times))
    if options.mosaic is not None:
        times, slots = periods(times, options.period)
    return Plan(
        bands=tuple(bands),
        records=tuple(records),
        target=target,
        kinds=tuple(_kind(records, at, options) for at in range(len(bands))),
        times=times,
        slots=slots,
        options=options,
    )


def nothing_found(table: pa.Table, selection: Selection) -> str:
    """Return why there is nothing to read."""
    if selection.skipped:
        first = selection.skipped[0]
        return f"all {len(selection.skipped)} records were skipped; the first: {first.detail}"
    if selection.lacking:
        count = len({one.id for one in selection.lacking})
        return f"none of {count} records there has headers of the bands; see problems for why"
    return f"none of {table.num_rows} records meets the area; check its CRS and axis order"


def _overview(image: BandImage, options: ReadOptions) -> int:
    return min(options.overview or 0, len(image.overviews))


def _kind(records: Sequence[Record], band: int, options: ReadOptions) -> Kind:
    images = [one for record in records if (one := record.images[band]) is not None]
    # a band that no record there has is of the others' type
    known = images or [image for record in records for image in record.there]
    dtype = np.result_type(*{image.dtype for image in known})
    if options.floating:
        return Kind(dtype=np.result_type(dtype, np.float32), fill=np.nan)
    nodata = next((image.nodata for image in images if image.nodata is not None), None)
    if nodata is not None and holds(dtype, nodata):
        return Kind(dtype=dtype, fill=nodata)
    return Kind(dtype=dtype, fill=0 if dtype.kind in "iu" else np.nan)
