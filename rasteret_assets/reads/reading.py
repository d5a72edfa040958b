"""Pixels of many records on one grid: who takes part, how large it gets, what comes of it."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from rasteret_assets.errors import ReadError
from rasteret_assets.reads.areas import Area
from rasteret_assets.reads.combine import combine, periods
from rasteret_assets.reads.cube import BandPixels, Cube
from rasteret_assets.reads.driver import FilePlans, Finish, Images, read_records
from rasteret_assets.reads.headers import BandImage
from rasteret_assets.reads.layers import Layers
from rasteret_assets.reads.options import ReadOptions
from rasteret_assets.reads.records import Record, Selection, Skipped, select, within
from rasteret_assets.reads.scene import Canvas, Placement, canvas_of, place
from rasteret_assets.reads.target import Target, target_of
from rasteret_assets.reads.transfer import Access
from rasteret_assets.reads.validity import holds

_SCRATCH_PER_PIXEL = 16
"""Bytes: a pixel, its mask, and what resampling makes of them, about."""


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
        raise ReadError(nothing_found(table, selection))
    grids = [image.grid_at(_overview(image, options)) for one in records for image in one.there]
    cube = Windows(records, target_of(grids, area, options), options, bands)
    failed = read_records(records, cube, options, access)
    return cube.result(bands, selection, failed)


def _overview(image: BandImage, options: ReadOptions) -> int:
    return min(options.overview or 0, len(image.overviews))


def nothing_found(table: pa.Table, selection: Selection) -> str:
    """Return why there is nothing to read."""
    if selection.skipped:
        first = selection.skipped[0]
        return f"all {len(selection.skipped)} records were skipped; the first: {first.detail}"
    if selection.lacking:
        count = len({one.id for one in selection.lacking})
        return f"none of {count} records there has headers of the bands; see problems for why"
    return f"none of {table.num_rows} records meets the area; check its CRS and axis order"


class Windows:
    """Takes windows of images onto one grid."""

    def __init__(
        self,
        records: Sequence[Record],
        target: Target,
        options: ReadOptions,
        bands: Sequence[str],
    ) -> None:
        self._records, self._target, self._options = records, target, options
        times = np.array([record.time for record in records])
        self._times, self._slots = times, np.arange(len(times))
        if options.ranks:
            self._times, self._slots = periods(times, options.period)
        self._layers = self._room(bands)
        self._placements: dict[int, list[Placement | None]] = {}

    def _room(self, bands: Sequence[str]) -> list[Layers]:
        """Return room for the result, if it is allowed to be that large."""
        grid, count, options = self._target.grid, len(self._times), self._options
        kinds = [self._kind(at) for at in range(len(bands))]
        extra = options.wants_valid + 4 * options.ranks
        per_pixel = sum(dtype.itemsize + extra for dtype, _ in kinds)
        size = grid.width * grid.height * count * per_pixel
        if size > options.max_bytes:
            msg = (
                f"the result takes {size / 2**30:,.1f} GiB ({count} times, {len(bands)} bands, "
                f"{grid.width} x {grid.height} pixels), the limit is "
                f"{options.max_bytes / 2**30:,.1f} GiB: ask for a smaller area, a coarser "
                "resolution or fewer records, or raise max_bytes"
            )
            raise ReadError(msg)
        return [Layers(count, grid, dtype, fill, options) for dtype, fill in kinds]

    def _kind(self, band: int) -> tuple[np.dtype[Any], float]:
        """Return the type and the fill value of a band."""
        images = [one for record in self._records if (one := record.images[band]) is not None]
        # a band that no record there has is of the others' type
        known = images or [image for record in self._records for image in record.there]
        dtype = np.result_type(*{image.dtype for image in known})
        if self._options.floating:
            return np.result_type(dtype, np.float32), np.nan
        nodata = next((image.nodata for image in images if image.nodata is not None), None)
        if nodata is not None and holds(dtype, nodata):
            return dtype, nodata
        return dtype, 0 if dtype.kind in "iu" else np.nan

    def scratch_bytes(self, index: int, images: Images) -> int:
        """Return what pixels take that are not read into the result itself."""
        grid, slot = self._target.grid, int(self._slots[index])
        overview = self._options.overview
        placements = [None if image is None else place(image, grid, overview) for image in images]
        self._placements[index] = placements
        return sum(
            placement.source.width * placement.source.height * _SCRATCH_PER_PIXEL
            for layers, placement in zip(self._layers, placements, strict=True)
            if placement is not None and layers.view(slot, placement) is None
        )

    def plan(self, index: int, images: Images, files: FilePlans) -> Finish:
        """Plan the windows of one record's images."""
        slot, canvases = int(self._slots[index]), list[Canvas | None]()
        placements = self._placements.pop(index)
        for image, layers, placement in zip(images, self._layers, placements, strict=True):
            if image is None or placement is None:
                layers.filled = True
                canvases.append(None)
                continue
            view = layers.view(slot, placement)
            canvases.append(canvas_of(placement, self._target.grid, files.of(image), view))
        return partial(self._take, index, slot, canvases)

    def _take(self, index: int, slot: int, canvases: Sequence[Canvas | None]) -> None:
        last = self._options.mosaic == "last"
        rank = len(self._records) - 1 - index if last else index
        for layers, canvas in zip(self._layers, canvases, strict=True):
            if canvas is not None:
                layers.take(slot, rank, canvas)

    def result(
        self, bands: Sequence[str], selection: Selection, failed: dict[int, Skipped]
    ) -> Cube:
        """Return the result, records that failed left out."""
        kept = [index for index in range(len(self._records)) if index not in failed]
        if not kept:
            first = next(iter(failed.values()))
            msg = f"all {len(failed)} records were skipped; the first: {first.detail}"
            raise ReadError(msg)
        times, options = self._times, self._options
        if not options.ranks:
            times = times[kept]
            for layers in self._layers:
                layers.keep(kept)
            if options.mosaic is not None:
                times, slots = periods(times, options.period)
                for layers in self._layers:
                    combine(layers, slots, len(times), options.mosaic)
        for layers in self._layers:
            layers.clip(self._target.inside)
        records = [self._records[index] for index in kept]
        return Cube(
            grid=self._target.grid,
            times=times,
            ids=tuple(record.id for record in records),
            bands=tuple(
                _band(name, layers, tuple(record.images[at] for record in records))
                for at, (name, layers) in enumerate(zip(bands, self._layers, strict=True))
            ),
            skipped=(*selection.skipped, *failed.values()),
            lacking=selection.lacking,
        )


def _band(name: str, layers: Layers, images: Images) -> BandPixels:
    said = [image.nodata for image in images if image is not None]
    nodata = next((number for number in said if number is not None), None)
    return BandPixels(
        name=name,
        values=layers.values,
        valid=layers.valid,
        fill=layers.fill,
        filled=layers.filled,
        nodata=nodata,
        images=images,
    )
