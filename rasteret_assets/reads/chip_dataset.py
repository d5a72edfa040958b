"""Chips of records as a dataset of TorchGeo's. Needs the extra `torchgeo`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import geopandas
import numpy as np
import pandas as pd
import shapely
import torch
from numpy.typing import NDArray
from torchgeo.datasets import GeoDataset

from rasteret_assets.errors import ProblemError
from rasteret_assets.geo.grid import Grid
from rasteret_assets.reads.areas import checked_crs
from rasteret_assets.reads.chip_samples import Recipe, tensors
from rasteret_assets.reads.chips import Chip, read_chips
from rasteret_assets.reads.extents import as_named
from rasteret_assets.reads.records import Record
from rasteret_assets.reads.shared_records import SharedRecords
from rasteret_assets.reads.transfer import Access

Query = slice | tuple[slice, ...]
"""x, y and time: start, stop and step of each. Steps are the pixel's size, and n to take every
n-th record."""
INSTANT: Final = np.timedelta64(1, "us")
"""Length of an instant: TorchGeo's own datasets find nothing at times without one."""
Sample = dict[str, Any]
"""`image`, and what else was asked for, as tensors; and where it is, as TorchGeo says it."""


class CollectionDataset(GeoDataset):  # type: ignore[misc]  # TorchGeo is not there to be checked
    """Chips of a Collection's images, for TorchGeo's samplers, transforms, `&` and `|`.

    A DataLoader reads the chips of a batch together: their requests are under way side by side,
    and a tile that several need is fetched and decoded once. Workers, forked or spawned, open
    connections of their own.

    Parameters
    ----------
    resolution
        Size of a pixel in x and y.
    crs_names
        Those that images call their CRSs.
    """

    def __init__(
        self,
        records: SharedRecords,
        index: geopandas.GeoDataFrame,
        resolution: tuple[float, float],
        recipe: Recipe,
        access: Access,
        crs_names: Sequence[str],
        transforms: Callable[[Sample], Sample] | None,
    ) -> None:
        self.index = index
        """By time (closed intervals): `geometry`, `id`, and `row` in the records."""
        self.transforms = transforms
        self._records, self._recipe, self._access = records, recipe, access
        self._res = resolution
        self._crs_names = tuple(crs_names)
        self._named_crs: tuple[object, str] = (None, "")

    @property
    def bands(self) -> tuple[str, ...]:
        """The bands of the image, in their order."""
        return self._recipe.image.bands

    @property
    def classes(self) -> tuple[str, ...]:
        """What labels mean that were text, by their number; else empty."""
        return self._recipe.classes or ()

    def __getitem__(self, query: Query) -> Sample:
        """Return the sample of a place and time.

        Raises
        ------
        IndexError
            If no record meets it.
        ReadError, FetchError, TiffError
            If pixels cannot be read.
        """
        return self.__getitems__([query])[0]

    def __getitems__(self, queries: Sequence[Query]) -> list[Sample]:
        """Return the samples of a batch, read together."""
        asked = [self._disambiguate_slice(query) for query in queries]
        hits = [self._hits(*one) for one in asked]
        if empty := [query for query, found in zip(queries, hits, strict=True) if not len(found)]:
            msg = f"{empty[0]}: no record there; the dataset is in {self.bounds}"
            raise IndexError(msg)
        all_rows = self.index["row"].to_numpy()
        rows = [np.unique(all_rows[found]) for found in hits]
        records = self._readable(np.unique(np.concatenate(rows)).tolist())
        crs, recipe = self._name_of_crs(), self._recipe
        chips = [
            Chip(grid=_grid(crs, x, y), rows=self._chosen(found, records, t.step))
            for (x, y, t), found in zip(asked, rows, strict=True)
        ]
        parts = [recipe.image] if recipe.mask is None else [recipe.image, recipe.mask]
        read = read_chips(chips, records, parts, self._access)
        samples = []
        for query, found, chip, layers in zip(queries, hits, chips, read, strict=True):
            sample = {**self._place(query, chip.grid), **tensors(recipe, chip, layers)}
            if recipe.classes is not None:
                sample["label"] = torch.tensor(self._label(found, chip.grid))
            samples.append(sample if self.transforms is None else self.transforms(sample))
        return samples

    def _hits(self, x: slice, y: slice, t: slice) -> NDArray[np.intp]:
        """Return which places of the index meet a query.

        An instant at either end of a query does. What merely touches it, in place or time, counts
        only where nothing else does: TorchGeo's samplers ask for that too, for a chip that has
        no valid pixel of the record whose time they chose.
        """
        box = shapely.box(x.start, y.start, x.stop, y.stop)
        hits: NDArray[np.intp] = self.index.sindex.query(box, predicate="intersects")
        times = self.index.index[hits]
        left, right = times.left.to_numpy(), times.right.to_numpy()
        start, stop = (np.datetime64(pd.Timestamp(one)) for one in (t.start, t.stop))
        instants = right - left <= INSTANT
        reached = (left <= stop) & (np.where(instants, left, right) >= start)
        meets = reached & ~shapely.touches(self.index.geometry.to_numpy()[hits], box)
        if start < stop:
            meets &= instants | ((left < stop) & (right > start))
        return hits[meets if meets.any() else reached]

    def _place(self, query: Query, grid: Grid) -> Sample:
        """Return what TorchGeo's own datasets say of where a sample is."""
        if not hasattr(self, "_slice_to_tensor"):  # 0.8; from 0.9 on it collates tensors alone
            return {"crs": self.crs, "bounds": query}
        affine = (grid.a, grid.b, grid.c, grid.d, grid.e, grid.f, 0.0, 0.0, 1.0)
        return {"bounds": self._slice_to_tensor(query), "transform": torch.tensor(affine)}

    def _chosen(
        self, rows: NDArray[np.int64], records: Mapping[int, Record], step: int
    ) -> tuple[int, ...]:
        """Return every step-th of the rows by time, without those that cannot be read."""
        ordered = rows[np.argsort(self._records.times[rows], kind="stable")][::step]
        return tuple(row for row in ordered.tolist() if row in records)

    def _label(self, hits: NDArray[np.intp], grid: Grid) -> float:
        """Return the label of the record that covers most of a chip; of equals, the first's."""
        places = self.index.geometry.to_numpy()[hits]
        covered = shapely.area(shapely.intersection(places, shapely.box(*grid.bounds)))
        rows = self.index["row"].to_numpy()[hits]
        foremost = np.lexsort((rows, self._records.times[rows], -covered))[0]
        label: float = self.index["label"].to_numpy()[hits[foremost]]
        return label

    def _name_of_crs(self) -> str:
        """Return the dataset's CRS as images name it; it may have been set since."""
        known, name = self._named_crs
        if self.crs is not known:
            name = as_named(checked_crs(self.crs), self._crs_names)
            self._named_crs = (self.crs, name)
        return name

    def _readable(self, rows: Sequence[int]) -> dict[int, Record]:
        found: dict[int, Record] = {}
        for row in rows:
            try:
                found[row] = self._records.record(row)
            except ProblemError:
                if self._recipe.image.options.on_error == "raise":
                    raise
        return found


def _grid(crs: str, x: slice, y: slice) -> Grid:
    """Return the pixels of a query, from its upper left corner on."""
    width = max(1, round((x.stop - x.start) / x.step))
    height = max(1, round((y.stop - y.start) / y.step))
    return Grid(crs=crs, a=x.step, c=x.start, e=-y.step, f=y.stop, width=width, height=height)
