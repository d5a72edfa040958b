"""A read from end to end: records, grid, tiles, pixels."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rasteret_assets.errors import FetchError, ProblemCode, ProblemError, ReadError
from rasteret_assets.fetch import run
from rasteret_assets.reads.areas import Area
from rasteret_assets.reads.combine import combine, periods
from rasteret_assets.reads.cube import BandPixels, Cube
from rasteret_assets.reads.drift import reindexed
from rasteret_assets.reads.headers import BandImage
from rasteret_assets.reads.layers import Layers
from rasteret_assets.reads.options import ReadOptions
from rasteret_assets.reads.records import Record, Selection, Skipped, select, told, within
from rasteret_assets.reads.scene import Canvas, canvas_of, place
from rasteret_assets.reads.target import Target, target_of
from rasteret_assets.reads.tiles import TilePlan
from rasteret_assets.reads.transfer import Access, ByteGate, Indexed, Transfer, open_transfer
from rasteret_assets.reads.validity import holds

_RECORDS_AT_ONCE: Final = 256
_SCRATCH_BYTES: Final = 1 << 30
"""Of arrays that are not yet part of the result."""


def read_cube(
    table: pa.Table,
    bands: Sequence[str],
    area: Area | None,
    options: ReadOptions,
    access: Access,
) -> Cube:
    """Return pixels of `bands` over `area`, of all rows of `table` that meet it.

    Raises
    ------
    ReadError
        If nothing meets the area, or the result would be larger than the options allow.
    FetchError, TiffError
        If a file cannot be read, unless the options say to skip its record.
    """
    selection = select(table, bands, area, options)
    records = within(selection.records, area)
    if not records:
        raise ReadError(_nothing(table, selection))
    grids = [image.grid_at(_overview(image, options)) for one in records for image in one.images]
    reading = _Reading(records, target_of(grids, area, options), options, access)
    reading.check_size(bands)
    run(reading.read())
    return reading.cube(bands, selection)


def _overview(image: BandImage, options: ReadOptions) -> int:
    return min(options.overview or 0, len(image.overviews))


def _nothing(table: pa.Table, selection: Selection) -> str:
    if selection.skipped:
        first = selection.skipped[0]
        return f"all {len(selection.skipped)} records were skipped; the first: {first.detail}"
    if selection.without_headers:
        return f"none of {len(selection.without_headers)} records there has headers of the bands"
    return f"none of {table.num_rows} records meets the area; check its CRS and axis order"


@dataclass(slots=True)
class _Reading:
    """One read under way."""

    records: list[Record]
    target: Target
    options: ReadOptions
    access: Access
    layers: list[Layers] = field(default_factory=list)
    times: NDArray[np.datetime64] = field(init=False)
    slots: NDArray[np.int64] = field(init=False)
    """Which time each record belongs to."""
    failed: dict[int, Skipped] = field(default_factory=dict)

    def __post_init__(self) -> None:
        times = np.array([record.time for record in self.records])
        if self.options.ranks:
            self.times, self.slots = periods(times, self.options.period)
        else:
            self.times, self.slots = times, np.arange(len(times))

    def check_size(self, bands: Sequence[str]) -> None:
        """Make room for the result, if it is allowed to be that large."""
        grid, count = self.target.grid, len(self.times)
        kinds = [self._kind(at) for at in range(len(bands))]
        extra = self.options.wants_valid + 4 * (self.options.ranks)
        per_pixel = sum(dtype.itemsize + extra for dtype, _ in kinds)
        size = grid.width * grid.height * count * per_pixel
        if size > self.options.max_bytes:
            msg = (
                f"the result takes {size / 2**30:,.1f} GiB ({count} times, {len(bands)} bands, "
                f"{grid.width} x {grid.height} pixels), the limit is "
                f"{self.options.max_bytes / 2**30:,.1f} GiB: ask for a smaller area, a coarser "
                "resolution or fewer records, or raise max_bytes"
            )
            raise ReadError(msg)
        self.layers = [Layers(count, grid, dtype, fill, self.options) for dtype, fill in kinds]

    def _kind(self, band: int) -> tuple[np.dtype[Any], float]:
        """Return the type and the fill value of a band."""
        images = [record.images[band] for record in self.records]
        dtype = np.result_type(*{image.dtype for image in images})
        if self.options.floating:
            return np.result_type(dtype, np.float32), np.nan
        nodata = next((image.nodata for image in images if image.nodata is not None), None)
        if nodata is not None and holds(dtype, nodata):
            return dtype, nodata
        return dtype, 0 if dtype.kind in "iu" else np.nan

    async def read(self) -> None:
        """Read all records, as many at a time as limits allow."""
        transfer = await open_transfer(self.access)
        gate, scratch = asyncio.Semaphore(_RECORDS_AT_ONCE), ByteGate(_SCRATCH_BYTES)

        async def one(index: int) -> None:
            async with gate:
                try:
                    await self._record(transfer, scratch, index, self.records[index].images)
                except ProblemError as error:
                    self._settle(index, error)

        try:
            async with asyncio.TaskGroup() as group:
                for index in range(len(self.records)):
                    group.create_task(one(index))
        except ExceptionGroup as group_error:
            raise _first_of(group_error) from None

    def _settle(self, index: int, error: ProblemError) -> None:
        drifted = error.code is ProblemCode.FILE_CHANGED
        skip = self.options.on_drift == "skip" if drifted else self.options.on_error == "skip"
        if not skip:
            raise error
        name = self.records[index].id
        self.failed[index] = Skipped(id=name, code=error.code, detail=error.detail)

    async def _record(
        self,
        transfer: Transfer,
        scratch: ByteGate,
        index: int,
        images: tuple[BandImage, ...],
    ) -> None:
        try:
            await self._images(transfer, scratch, index, images)
        except FetchError as error:
            if error.code is not ProblemCode.FILE_CHANGED or self.options.on_drift != "refresh":
                raise
            loop = asyncio.get_running_loop()
            fresh = await loop.run_in_executor(None, reindexed, images, self.access)
            await self._images(transfer, scratch, index, fresh)

    async def _images(
        self,
        transfer: Transfer,
        scratch: ByteGate,
        index: int,
        images: tuple[BandImage, ...],
    ) -> None:
        """Read the images of one record, then take them into the result together."""
        slot, grid = int(self.slots[index]), self.target.grid
        plans: dict[str, tuple[Indexed, TilePlan]] = {}
        placements = [place(image, grid, self.options.overview) for image in images]
        size = sum(p.source.width * p.source.height * 8 for p in placements if p)
        async with scratch.room(size):
            canvases: list[Canvas | None] = []
            for layers, placement in zip(self.layers, placements, strict=True):
                if placement is None:
                    layers.filled = True
                    canvases.append(None)
                    continue
                image = placement.image
                file = _indexed(image)
                _, plan = plans.setdefault(file.href, (file, TilePlan()))
                view = layers.view(slot, placement.target, image) if placement.exact else None
                canvases.append(canvas_of(placement, grid, plan, view))
            await self._fetch(transfer, index, plans)
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(transfer.threads, self._take, index, slot, canvases)

    async def _fetch(
        self, transfer: Transfer, index: int, plans: dict[str, tuple[Indexed, TilePlan]]
    ) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for file, plan in plans.values():
                    group.create_task(transfer.read(file, plan))
        except ExceptionGroup as group_error:
            error = _first_of(group_error)
            if isinstance(error, ProblemError):
                record = self.records[index]
                bands = ", ".join(image.band for image in record.images)
                raise told(error, record.id, bands) from error
            raise error from None

    def _take(self, index: int, slot: int, canvases: Sequence[Canvas | None]) -> None:
        last = self.options.mosaic == "last"
        rank = len(self.records) - 1 - index if last else index
        for layers, canvas in zip(self.layers, canvases, strict=True):
            if canvas is None:
                continue
            placement = canvas.placement
            image = placement.image
            layers.saw(placement.target)
            direct = np.shares_memory(canvas.values, layers.values)
            if direct and layers.leaves_as_read(image):
                continue
            values, valid = canvas.pixels(self.options.resampling)
            layers.put(slot, rank, placement.target, image, values, valid)

    def cube(self, bands: Sequence[str], selection: Selection) -> Cube:
        """Return the result, records that failed left out."""
        kept = [index for index in range(len(self.records)) if index not in self.failed]
        if not kept:
            first = next(iter(self.failed.values()))
            msg = f"all {len(self.failed)} records were skipped; the first: {first.detail}"
            raise ReadError(msg)
        times, options = self.times, self.options
        if not options.ranks:
            times = times[kept]
            for layers in self.layers:
                layers.keep(kept)
            if options.mosaic is not None:
                times, slots = periods(times, options.period)
                for layers in self.layers:
                    combine(layers, slots, len(times), options.mosaic)
        for layers in self.layers:
            layers.clip(self.target.inside)
        records = [self.records[index] for index in kept]
        return Cube(
            grid=self.target.grid,
            times=times,
            ids=tuple(record.id for record in records),
            bands=tuple(
                _band(name, layers, tuple(record.images[at] for record in records))
                for at, (name, layers) in enumerate(zip(bands, self.layers, strict=True))
            ),
            skipped=(*selection.skipped, *self.failed.values()),
            without_headers=selection.without_headers,
        )


def _band(name: str, layers: Layers, images: tuple[BandImage, ...]) -> BandPixels:
    nodata = next((image.nodata for image in images if image.nodata is not None), None)
    return BandPixels(
        name=name,
        values=layers.values,
        valid=layers.valid,
        fill=layers.fill,
        filled=layers.filled,
        nodata=nodata,
        images=images,
    )


def _indexed(image: BandImage) -> Indexed:
    if image.href is None:
        raise AssertionError  # such records are not selected
    return Indexed(
        href=image.href,
        etag=image.etag,
        last_modified=image.last_modified,
        size=image.file_size,
    )


def _first_of(group: ExceptionGroup[Exception]) -> Exception:
    """Return the first failure of several at a time."""
    first = group.exceptions[0]
    return _first_of(first) if isinstance(first, ExceptionGroup) else first
