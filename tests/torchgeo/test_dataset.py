"""Chips are what rasterio's windows and TorchGeo's own RasterDataset are, wherever they lie."""

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import rasterio
import rasterio.warp
import shapely
import torch
from numpy.typing import NDArray
from rasterio.transform import from_origin
from rasterio.windows import from_bounds
from torchgeo.datasets import GeoDataset, IntersectionDataset, RasterDataset
from torchgeo.datasets.splits import random_bbox_assignment, roi_split
from torchgeo.samplers import GridGeoSampler, PreChippedGeoSampler, RandomGeoSampler

from rasteret_assets import Collection, as_collection
from rasteret_assets.errors import ReadError
from tests.torchgeo.conftest import BANDS, CRS, KINDS, PIXEL_M, SIDE, Archive, corner

Query = tuple[slice, slice, slice]


class Scenes(RasterDataset):  # type: ignore[misc]  # TorchGeo is not there to be checked
    """The same files, by TorchGeo itself."""

    filename_glob = "B0?_*.tif"
    filename_regex = r"(?P<band>B0\d)_(?P<date>\d{8}T\d{6})\.tif"
    date_format = "%Y%m%dT%H%M%S"
    separate_files = True
    all_bands = BANDS

    def __init__(self, archive: Archive, crs: str | None = None, res: float | None = None) -> None:
        first = [str(archive.path(number, BANDS[0])) for number in range(len(KINDS))]
        super().__init__(first, crs=crs, res=res)


class Classes(RasterDataset):  # type: ignore[misc]  # as above
    """Classes of all scenes, at any time."""

    filename_glob = "classes_*.tif"
    is_image = False


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


def test_it_says_where_when_and_what_each_record_is(
    collection: Collection, archive: Archive
) -> None:
    dataset = collection.to_torchgeo_dataset(list(BANDS))
    assert isinstance(dataset, GeoDataset)
    assert len(dataset) == len(KINDS)
    with rasterio.open(archive.path(2, "B04")) as file:
        assert dataset.crs == file.crs
        assert dataset.res == file.res
        assert dataset.index.geometry.iloc[2].bounds == file.bounds
    moment = pd.Timestamp(archive.time(2))
    assert dataset.index.index[2] == pd.Interval(moment, moment + pd.Timedelta(1, "us"), "both")
    assert dataset.index["id"].tolist() == archive.table["id"].to_pylist()
    assert dataset.bands == BANDS


@pytest.mark.parametrize(
    "sampler",
    [
        pytest.param(lambda dataset: RandomGeoSampler(dataset, size=50, length=25), id="random"),
        pytest.param(lambda dataset: GridGeoSampler(dataset, size=80, stride=70), id="grid"),
        pytest.param(PreChippedGeoSampler, id="whole files"),
    ],
)
def test_chips_of_a_sampler_are_rasterios_windows(
    collection: Collection, archive: Archive, sampler: Callable[[GeoDataset], Any]
) -> None:
    dataset = collection.to_torchgeo_dataset(list(BANDS))
    queries = list(sampler(dataset))
    for query in queries:
        sample = dataset[query]
        assert sample["image"].dtype == torch.float32
        np.testing.assert_array_equal(sample["image"].numpy(), windows(archive, query))
        assert sample["bounds"] == query
        assert sample["crs"] == CRS
    assert len(queries) >= len(KINDS)


def test_a_batch_is_its_samples_one_by_one(collection: Collection) -> None:
    dataset = collection.to_torchgeo_dataset(mask_band="classes", label_column="kind")
    queries = list(RandomGeoSampler(dataset, size=40, length=12))
    batch = dataset.__getitems__(queries)
    for query, sample in zip(queries, batch, strict=True):
        alone = dataset[query]
        assert sample.keys() == alone.keys()
        for key in ("image", "mask", "label"):
            assert sample[key].equal(alone[key])


def test_where_records_overlap_it_merges_as_torchgeo_does(
    collection: Collection, archive: Archive
) -> None:
    ours, theirs = collection.to_torchgeo_dataset(list(BANDS)), Scenes(archive)
    left, top = corner(1)
    at = slice(left - 400, left + 800), slice(top - 700, top + 100)
    np.testing.assert_array_equal(ours[at]["image"].numpy(), theirs[at]["image"].numpy())
    moments = slice(pd.Timestamp(archive.time(1)), pd.Timestamp(archive.time(3)))
    later = ours[(*at, moments)]["image"]
    np.testing.assert_array_equal(later.numpy(), theirs[(*at, moments)]["image"].numpy())
    assert not later.equal(ours[at]["image"])


def test_intersections_put_the_classes_of_another_dataset_beside_the_image(
    collection: Collection, archive: Archive
) -> None:
    images = collection.to_torchgeo_dataset(list(BANDS))
    for dataset in (
        images & Classes([str(archive.path(0, "classes"))]),
        Classes([str(archive.path(0, "classes"))]) & images,
    ):
        assert isinstance(dataset, IntersectionDataset)
        sampler = RandomGeoSampler(dataset, size=32, length=10)
        for query in sampler:
            sample = dataset[query]
            place = (query[0], query[1], slice(archive.time(0), archive.time(0)))
            expected = windows(archive, place, ("classes",))[0]
            np.testing.assert_array_equal(sample["mask"].numpy(), expected)
            assert sample["image"].shape == (2, 32, 32)


def test_an_intersection_may_ask_for_another_crs_and_pixel_size(
    collection: Collection, archive: Archive
) -> None:
    theirs = Scenes(archive, crs="EPSG:3857", res=30.0)
    both = theirs & collection.to_torchgeo_dataset(["B04"])
    ours = both.datasets[1]
    assert (ours.crs, ours.res) == (theirs.crs, theirs.res)
    x, y, _ = both.bounds
    sample = ours[slice(x.start, x.start + 900), slice(y.start, y.start + 1200)]
    assert sample["image"].shape == (1, 40, 30)
    assert sample["image"].count_nonzero() > 900


def test_unions_take_in_what_either_has(collection: Collection, archive: Archive) -> None:
    first, others = (
        collection.where(text).to_torchgeo_dataset(["B04"])
        for text in ("kind = 'water'", "kind <> 'water'")
    )
    union = first | others
    for number in range(len(KINDS)):
        left, top = corner(number)
        moment = slice(archive.time(number), archive.time(number))
        query = slice(left + 700, left + 1000), slice(top - 900, top - 500), moment
        np.testing.assert_array_equal(
            union[query]["image"].numpy(), windows(archive, query, ("B04",))
        )
    with pytest.raises(IndexError, match="no record there"):
        first[slice(0, 100), slice(0, 100)]
    with pytest.raises(IndexError):
        union[slice(0, 100), slice(0, 100)]


def test_splits_of_torchgeo_outlive_the_dataset_they_are_of(
    collection: Collection, archive: Archive
) -> None:
    dataset = collection.to_torchgeo_dataset(["B04"])
    whole = {one.bounds for one in dataset.index.geometry}
    parts = random_bbox_assignment(dataset, [0.5, 0.5])
    half = shapely.box(corner(0)[0], 0, corner(0)[0] + 500, 9e6)
    (cut,) = roi_split(dataset, [half])
    del dataset
    assert {one.bounds for part in parts for one in part.index.geometry} == whole
    for part in (*parts, cut):
        for query in RandomGeoSampler(part, size=20, length=4):
            np.testing.assert_array_equal(
                part[query]["image"].numpy(), windows(archive, query, ("B04",))
            )


def test_images_of_several_crs_are_brought_onto_one(
    collection: Collection, archive: Archive
) -> None:
    dataset = collection.to_torchgeo_dataset(["B04"], crs="EPSG:32633", resolution=15)
    assert dataset.crs == "EPSG:32633"
    for query in GridGeoSampler(dataset, size=70):
        x, y, t = query
        (number,) = [n for n in range(len(KINDS)) if archive.time(n) == t.start]
        expected = np.zeros((70, 70), np.uint16)
        with rasterio.open(archive.path(number, "B04")) as file:
            rasterio.warp.reproject(
                rasterio.band(file, 1),
                expected,
                dst_transform=from_origin(x.start, y.stop, 15, 15),
                dst_crs="EPSG:32633",
                tolerance=0,
            )
        np.testing.assert_array_equal(dataset[query]["image"][0].numpy(), expected)


def test_a_query_says_the_pixel_size_and_how_many_records_to_pass_over(
    collection: Collection,
) -> None:
    dataset = collection.to_torchgeo_dataset(["B04"], mosaic=None)
    left, top = corner(0)
    x, y = slice(left, left + SIDE * PIXEL_M, 20), slice(top - 600, top, 60)
    everything = dataset[x, y]["image"]
    assert everything.shape == (2, 1, 10, 96)  # the second scene begins in the first
    assert dataset[x, y, slice(None, None, 2)]["image"].equal(everything[::2])


def test_times_that_only_touch_are_not_of_a_query(collection: Collection, archive: Archive) -> None:
    rows = collection.dataset.to_table()
    times = [*(archive.time(number) for number in range(4)), archive.time(3) + timedelta(days=9)]
    ranged = rows.append_column("start_datetime", pa.array(times[:-1]))
    ranged = ranged.append_column("end_datetime", pa.array([f"{end}Z" for end in times[1:]]))
    dataset = as_collection(ranged).to_torchgeo_dataset(["B04"], mosaic=None)
    assert [(one.left, one.right) for one in dataset.index.index] == list(pairwise(times))
    left, top = corner(1)
    query = slice(left + 100, left + 300), slice(top - 300, top)  # of scenes 0 and 1
    assert dataset[query]["image"].shape[0] == 2
    assert dataset[(*query, slice(times[1], times[2]))]["image"].shape[0] == 1
    assert dataset[(*query, slice(times[1], times[1]))]["image"].shape[0] == 2


def test_what_is_too_large_to_read_at_once_is_refused(collection: Collection) -> None:
    dataset = collection.to_torchgeo_dataset(["B04"])
    left, top = corner(0)
    with pytest.raises(ReadError, match="smaller chips"):
        dataset[slice(left, left + 1e4, 0.1), slice(top - 1e4, top, 0.1)]
