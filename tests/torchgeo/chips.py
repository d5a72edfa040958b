"""Chips that the current samplers of TorchGeo choose, which 0.10 has new; and what is in them."""

from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import from_bounds
from torchgeo import samplers
from torchgeo.datasets import GeoDataset

from tests.torchgeo.conftest import BANDS, KINDS, Archive

Query = tuple[slice, slice, slice]
PLACE_AND_TIME = hasattr(samplers, "RandomPatchSampler")
"""Whether places and times are sampled each on their own; the samplers before are deprecated."""


def random_chips(dataset: GeoDataset, *, size: int, length: int) -> Any:  # noqa: ANN401  # untyped
    """Return a sampler of places anywhere, each at the time of a record there."""
    if not PLACE_AND_TIME:
        return samplers.RandomGeoSampler(dataset, size=size, length=length)
    places = samplers.RandomPatchSampler(dataset, size=size, length=length, generator=1)
    return places @ samplers.RandomTimestampSampler(dataset, generator=2)


def chips_in_a_grid(dataset: GeoDataset, *, size: int, stride: int | None = None) -> Any:  # noqa: ANN401  # as above
    """Return a sampler of places side by side, each at the times of the records there."""
    if not PLACE_AND_TIME:
        return samplers.GridGeoSampler(dataset, size=size, stride=stride)
    places = samplers.GriddedPatchSampler(dataset, size=size, stride=stride)
    return places @ samplers.SequentialTimestampSampler(dataset)


def whole_records(dataset: GeoDataset) -> list[Query]:
    """Return the place and time of each record."""
    queries = []
    for time, place in dataset.index.geometry.items():
        left, bottom, right, top = place.bounds
        queries.append((slice(left, right), slice(bottom, top), slice(time.left, time.right)))
    return queries


def windows(archive: Archive, query: Query, bands: tuple[str, ...] = BANDS) -> NDArray[Any]:
    """Return what rasterio reads of the one scene of a query's time; 0 outside."""
    x, y, t = query
    (number,) = [n for n in range(len(KINDS)) if archive.time(n) == t.start]
    read = []
    for band in bands:
        with rasterio.open(archive.path(number, band)) as file:
            window = from_bounds(x.start, y.start, x.stop, y.stop, file.transform)
            read.append(file.read(1, window=window.round(), boundless=True, fill_value=0))
    return np.stack(read)
