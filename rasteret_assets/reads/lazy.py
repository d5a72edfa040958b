"""Reads put off until their pixels are asked for: dask arrays over the same plan."""

import operator
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise, product
from typing import Any

import dask.array as da
import numpy as np
import pyarrow as pa
from dask.highlevelgraph import HighLevelGraph

from rasteret_assets.errors import ReadError
from rasteret_assets.geo.grid import Window
from rasteret_assets.reads.areas import Area
from rasteret_assets.reads.blocks import Slab, packed, read_block, valid_name, values_name
from rasteret_assets.reads.chunks import Sizes, sizes_of
from rasteret_assets.reads.combine import combined_type
from rasteret_assets.reads.cube import BandPixels, Cube
from rasteret_assets.reads.options import Chunks, ReadOptions
from rasteret_assets.reads.plan import Plan, plan_of
from rasteret_assets.reads.records import index_columns
from rasteret_assets.reads.transfer import Access

Span = tuple[int, int]
"""Start and stop."""
Graph = dict[object, object]
"""dask's: keys and tasks."""


def lazy_cube(
    table: pa.Table,
    bands: Sequence[str],
    area: Area | None,
    options: ReadOptions,
    access: Access,
    chunks: Chunks,
) -> Cube:
    """Return the cube of `read_cube` with dask arrays; no pixel is read.

    Bands that share tiles are read by one task, which each band takes its part of.

    Raises
    ------
    ReadError
        If nothing meets the area, or a chunk would be larger than the options allow.
    TiffError
        If an image cannot be read, unless the options say to skip its record.
    """
    plan, selection = plan_of(table, bands, area, options)
    widest = max((kind.dtype for kind in plan.kinds), key=lambda dtype: dtype.itemsize)
    sizes = sizes_of(chunks, plan, widest)
    plain = replace(access, reasons=None)  # may hold on to what cannot be sent to other processes
    pixels: dict[int, BandPixels] = {}
    for members in _sharing_tiles(plan):
        group = _Group(plan, members, sizes)
        graph = group.tasks(selection.table, plain)
        pixels |= {at: group.pixels(graph, place) for place, at in enumerate(members)}
    return Cube(
        grid=plan.target.grid,
        times=plan.times,
        ids=tuple(record.id for record in plan.records),
        bands=tuple(pixels[at] for at in range(len(bands))),
        skipped=selection.skipped,
        lacking=selection.lacking,
    )


def _sharing_tiles(plan: Plan) -> list[list[int]]:
    """Return bands by number, together those whose samples lie in the same tiles."""
    groups: dict[object, list[int]] = {}
    for at in range(len(plan.bands)):
        images = [record.images[at] for record in plan.records]
        interleaved = any(one is not None and one.level(0).form.samples > 1 for one in images)
        files = tuple(None if one is None else one.href for one in images)
        groups.setdefault(files if interleaved else at, []).append(at)
    return list(groups.values())


class _Group:
    """Bands that are read together, chunk by chunk.

    Raises
    ------
    ReadError
        If a chunk is larger than the options allow.
    """

    def __init__(self, plan: Plan, members: Sequence[int], sizes: Sizes) -> None:
        self._plan, self._members, self._sizes = plan, members, sizes
        self._bands = tuple(plan.bands[at] for at in members)
        self._name = f"read-{'-'.join(self._bands)}-{uuid.uuid4().hex}"
        self._spans = [list(pairwise(accumulate(of_dim, initial=0))) for of_dim in sizes]
        for span in self._spans[0]:
            self._check_size(len(self._which(span)) / len(plan.slots))

    def _check_size(self, share: float) -> None:
        """Check the size of a chunk that holds a share of all records."""
        _, height, width = (max(of_dim) for of_dim in self._sizes)
        limit = self._plan.options.max_bytes
        if (size := share * self._plan.size_bytes((height, width))) > limit:
            msg = (
                f"a chunk takes {size / 2**30:,.1f} GiB, the limit is {limit / 2**30:,.1f} GiB: "
                "ask for smaller chunks, or raise max_bytes"
            )
            raise ReadError(msg)

    def tasks(self, table: pa.Table, access: Access) -> Graph:
        """Return the tasks that read, each a chunk; a chunk's key is (name, time, y, x)."""
        target = f"{self._name}-target"
        graph: Graph = {target: self._plan.target}
        table = table.select(index_columns(table.schema, self._bands))
        times, rows, cols = self._spans
        for number, span in enumerate(times):
            slab = f"{self._name}-slab-{number}"
            graph[slab] = self._slab(table, span, access)
            for (y, down), (x, across) in product(enumerate(rows), enumerate(cols)):
                window = Window(across[0], down[0], across[1] - across[0], down[1] - down[0])
                graph[self._name, number, y, x] = (read_block, slab, target, window)
        return graph

    def _slab(self, table: pa.Table, span: Span, access: Access) -> Slab:
        plan, which = self._plan, self._which(span)
        rows = [plan.records[index].there[0].row for index in which]
        return Slab(
            rows=packed(table.take(rows)),
            bands=self._bands,
            kinds=tuple(plan.kinds[at] for at in self._members),
            times=plan.times[slice(*span)],
            slots=plan.slots[which] - span[0],
            options=plan.options,
            access=access,
        )

    def _which(self, span: Span) -> list[int]:
        """Return the records of some times."""
        slots = self._plan.slots
        found: list[int] = np.flatnonzero((slots >= span[0]) & (slots < span[1])).tolist()
        return found

    def pixels(self, tasks: Graph, place: int) -> BandPixels:
        """Return the arrays of the group's band `place`."""
        at, options = self._members[place], self._plan.options
        kind = self._plan.kinds[at]
        dtype, fill = kind.dtype, kind.fill
        if options.mosaic is not None and not options.ranks:
            dtype = combined_type(dtype, options.mosaic)
            fill = np.nan if dtype.kind in "fc" else fill
        asked = options.masks or options.colors
        valid = self._array(tasks, valid_name(place), np.dtype(bool)) if asked else None
        return BandPixels(
            name=self._plan.bands[at],
            values=self._array(tasks, values_name(place), dtype),
            valid=valid,
            fill=fill,
            filled=True,  # there is no telling before
            images=tuple(record.images[at] for record in self._plan.records),
        )

    def _array(self, tasks: Graph, part: str, dtype: np.dtype[Any]) -> Any:  # noqa: ANN401  # dask has no types
        """Return one part of all chunks as a dask array."""
        name = f"{self._name}-{part}"
        blocks = product(*(range(len(of_dim)) for of_dim in self._sizes))
        taken = {(name, *block): (operator.getitem, (self._name, *block), part) for block in blocks}
        layers: Mapping[str, Mapping[Any, object]] = {self._name: tasks, name: taken}
        needs: Mapping[str, set[str]] = {self._name: set(), name: {self._name}}
        graph = HighLevelGraph(layers, needs)
        return da.Array(graph, name, self._sizes, dtype=dtype)
