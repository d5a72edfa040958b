"""Many small grids read in one go: requests side by side, a tile that several need fetched once."""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

import numpy as np

from rasteret_assets.errors import ReadError
from rasteret_assets.geo.grid import Grid
from rasteret_assets.reads.driver import FilePlans, Finish, Images, read_records
from rasteret_assets.reads.layers import Layers
from rasteret_assets.reads.options import ReadOptions
from rasteret_assets.reads.plan import Plan, plan_records
from rasteret_assets.reads.records import Record
from rasteret_assets.reads.target import Target
from rasteret_assets.reads.transfer import Access
from rasteret_assets.reads.windows import Windows


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """A grid to fill, and whose pixels may lie in it."""

    grid: Grid
    rows: tuple[int, ...]
    """Numbers of records, by time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some of the bands of each record, and how they are brought onto a chip's grid."""

    bands: tuple[str, ...]
    options: ReadOptions


def read_chips(
    chips: Sequence[Chip],
    records: Mapping[int, Record],
    parts: Sequence[Part],
    access: Access,
) -> list[list[list[Layers] | None]]:
    """Return for each chip and part the pixels of each band; None where no record gives any.

    Parameters
    ----------
    records
        By number; the images of each are those of the bands of all parts, one after another.
    parts
        At least one; the first says what is done with files that cannot be read.

    Raises
    ------
    ReadError
        If a chip takes more memory than its part's options allow.
    FetchError, TiffError
        If a file cannot be read, unless the options say to skip its record.
    """
    work = _Chips(chips, records, parts)
    failed = read_records([records[row] for row in work.rows], work, parts[0].options, access)
    skipped = {work.rows[index] for index in failed}
    return [[window.finish(skipped) for window in windows] for windows in work.windows]


class _Chips:
    """Takes windows of records onto the chips that they meet."""

    def __init__(
        self, chips: Sequence[Chip], records: Mapping[int, Record], parts: Sequence[Part]
    ) -> None:
        ends = [0]
        for part in parts:
            ends.append(ends[-1] + len(part.bands))
        spans = [slice(*pair) for pair in pairwise(ends)]
        self.windows = [
            [_Window(chip, records, part, span) for part, span in zip(parts, spans, strict=True)]
            for chip in chips
        ]
        self.rows = sorted({row for chip in chips for row in chip.rows})
        self._of_row: dict[int, list[_Window]] = {row: [] for row in self.rows}
        for windows in self.windows:
            for window in windows:
                for row in window.rows:
                    self._of_row[row].append(window)

    def scratch_bytes(self, index: int, images: Images) -> int:
        """Return what pixels take that are not read into a chip itself."""
        row = self.rows[index]
        return sum(window.scratch_bytes(row, images) for window in self._of_row[row])

    def plan(self, index: int, images: Images, files: FilePlans) -> Finish:
        """Plan what all chips need of one record."""
        row = self.rows[index]
        return partial(_all, [window.plan(row, images, files) for window in self._of_row[row]])


def _all(finishes: Sequence[Callable[[], None]]) -> None:
    for finish in finishes:
        finish()


def _check_size(plan: Plan) -> None:
    grid, limit = plan.target.grid, plan.options.max_bytes
    if (size := plan.size_bytes((grid.height, grid.width))) > limit:
        msg = (
            f"{grid.width} x {grid.height} pixels of {len(plan.records)} records take "
            f"{size / 2**30:,.1f} GiB, the limit is {limit / 2**30:,.1f} GiB: ask for smaller chips"
        )
        raise ReadError(msg)


class _Window:
    """One part of one chip."""

    def __init__(self, chip: Chip, records: Mapping[int, Record], part: Part, span: slice) -> None:
        cut = [(row, replace(records[row], images=records[row].images[span])) for row in chip.rows]
        there = [(row, record) for row, record in cut if record.there]
        self.rows = tuple(row for row, _ in there)
        """Of the chip's records, those that have a band of the part."""
        self._at = {row: at for at, row in enumerate(self.rows)}
        self._span = span
        self._windows, self._slots = None, np.zeros(0, np.int64)
        if there:
            target = Target(grid=chip.grid, area=None, all_touched=False)
            plan = plan_records([one for _, one in there], part.bands, target, part.options)
            _check_size(plan)
            self._windows, self._slots = Windows(plan, chip.grid), plan.slots

    def scratch_bytes(self, row: int, images: Images) -> int:
        """Return what pixels of a record take that are not read into the chip itself."""
        return self._there.scratch_bytes(self._at[row], images[self._span])

    def plan(self, row: int, images: Images, files: FilePlans) -> Finish:
        """Plan what is needed of a record."""
        return self._there.plan(self._at[row], images[self._span], files)

    def finish(self, skipped: Container[int]) -> list[Layers] | None:
        """Return the pixels of each band; None where no record gave any."""
        kept = [at for at, row in enumerate(self.rows) if row not in skipped]
        if not kept:
            return None
        self._there.finish(kept, np.unique(self._slots[kept]).tolist(), None)
        return self._there.layers

    @property
    def _there(self) -> Windows:
        if self._windows is None:
            raise AssertionError  # only rows of `rows` are asked for
        return self._windows
