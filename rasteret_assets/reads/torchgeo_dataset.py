"""The door to TorchGeo: records as a dataset to train on. Needs the extra `torchgeo`."""

from collections.abc import Callable, Sequence
from typing import Final, Literal

import geopandas
import numpy as np
import pandas as pd
import pyarrow as pa
import shapely
import torch
from numpy.typing import NDArray

from rasteret_assets.errors import ReadError
from rasteret_assets.reads.chip_dataset import INSTANT, CollectionDataset, Sample
from rasteret_assets.reads.chip_samples import Recipe
from rasteret_assets.reads.chips import Part
from rasteret_assets.reads.extents import Images, boxes_in, common_grid, images_of_band
from rasteret_assets.reads.labels import labels_of
from rasteret_assets.reads.options import Mosaic, ReadOptions, options_of
from rasteret_assets.reads.shared_records import SharedRecords
from rasteret_assets.reads.transfer import Access
from rasteret_assets.stages.times import is_time, utc_times

TIME_RANGE: Final = ("start_datetime", "end_datetime")
"""Columns of the first and last moment that a record is of."""


def to_torchgeo_dataset(  # noqa: PLR0913  # a public door owes its callers names
    table: pa.Table,
    *,
    bands: Sequence[str],
    mask_band: str | None = None,
    label_column: str | None = None,
    crs: object = None,
    resolution: float | tuple[float, float] | None = None,
    resampling: str = "nearest",
    mosaic: Mosaic | None = "first",
    apply_scale: bool = False,
    dtype: torch.dtype | None = None,
    fill_value: float = 0.0,
    mask_fill_value: int = 0,
    valid_mask: bool = False,
    transforms: Callable[[Sample], Sample] | None = None,
    on_error: Literal["raise", "skip"] = "raise",
    on_drift: Literal["raise", "refresh", "skip"] = "raise",
    access: Access | None = None,
) -> CollectionDataset:
    """Return a TorchGeo dataset of the table's images; `Collection.to_torchgeo_dataset` says more.

    Raises
    ------
    ReadError
        If there is nothing to sample, a label is missing, or an argument cannot be.
    """
    if mask_band in bands:
        msg = f"{mask_band!r} is the mask; leave it out of bands {list(bands)}"
        raise ReadError(msg)
    both = (*bands, mask_band) if mask_band is not None else tuple(bands)
    image_options = options_of(
        {
            "crs": crs,
            "resolution": resolution,
            "resampling": resampling,
            "mosaic": mosaic,
            "masks": True,
            "apply_scale": apply_scale,
            "on_error": on_error,
            "on_drift": on_drift,
        }
    )
    # classes are picked, never computed from neighbours or from each other
    picked = ReadOptions(
        mosaic=mosaic if mosaic in (None, "first", "last") else "first",
        masks=True,
        on_error=on_error,
        on_drift=on_drift,
    )
    records = SharedRecords(table, both)
    images = [images_of_band(headers, records.crs) for headers in records.headers]
    grid = common_grid(images, image_options)
    index = _index(table, records.times, images, grid.crs)
    labels = None
    if label_column is not None:
        if label_column not in table.schema.names:
            msg = f"there is no column {label_column!r} to take labels from"
            raise ReadError(msg)
        labels = labels_of(table[label_column].take(pa.array(index["row"])), label_column)
        index["label"] = labels.numbers
    reached = access or Access()
    return CollectionDataset(
        records,
        index,
        grid.resolution,
        Recipe(
            image=Part(bands=tuple(bands), options=image_options),
            mask=None if mask_band is None else Part(bands=(mask_band,), options=picked),
            classes=None if labels is None else labels.classes,
            dtype=dtype or torch.float32,
            fill_value=fill_value,
            mask_fill_value=mask_fill_value,
            valid_mask=valid_mask,
        ),
        Access(
            settings=reached.settings,
            signer=reached.signer,
            table_is_remote=reached.table_is_remote,
        ),
        sorted(set().union(*(band.crs_names for band in images))),
        transforms,
    )


def _index(
    table: pa.Table, times: NDArray[np.datetime64], images: Sequence[Images], crs: str
) -> geopandas.GeoDataFrame:
    """Return what TorchGeo's samplers look at: a row for each record with an image, by time."""
    boxes = boxes_in(images, crs)
    rows = np.argsort(times, kind="stable")
    rows = rows[~np.isnan(boxes[rows, 0])]
    if not len(rows):
        msg = f"none of {len(table)} records has images of all bands in one place"
        raise ReadError(msg)
    intervals = _intervals(table.take(pa.array(rows)))
    data = {"id": table["id"].take(pa.array(rows)).to_numpy(), "row": rows}
    return geopandas.GeoDataFrame(
        data, index=intervals, geometry=shapely.box(*boxes[rows].T), crs=crs
    )


def _intervals(table: pa.Table) -> pd.IntervalIndex:
    """Return the time that each record is of: its range, where it names one; else an instant."""
    at = _micros(table, "datetime")
    first, last = at, at + INSTANT
    if all(name in table.schema.names and is_time(table.field(name)) for name in TIME_RANGE):
        first, last = (_micros(table, name) for name in TIME_RANGE)
        ranged = ~np.isnat(first) & ~np.isnat(last) & (first < last)
        first = np.where(ranged, first, at)
        last = np.where(ranged, last, at + INSTANT)
    return pd.IntervalIndex.from_arrays(first, last, closed="both", name="datetime")


def _micros(table: pa.Table, name: str) -> NDArray[np.datetime64]:
    """Return a column's times in UTC, without a zone as TorchGeo has them; NaT where none."""
    found = utc_times(table[name].combine_chunks())
    naive = found.values.cast(pa.timestamp("us"))  # noqa: PD011  # a field, not pandas
    times: NDArray[np.datetime64] = naive.to_numpy(zero_copy_only=False)
    return times
