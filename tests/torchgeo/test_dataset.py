"""Chips are what rasterio's windows and TorchGeo's own RasterDataset are, wherever they lie."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from itertools import chain, pairwise
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import rasterio
import shapely
import torch
from pyproj import Transformer
from torchgeo.datasets import GeoDataset, IntersectionDataset, RasterDataset
from torchgeo.datasets.splits import random_bbox_assignment, roi_split
from torchgeo.samplers import (
    GridGeoSampler,
    PreChippedGeoSampler,
    RandomBatchGeoSampler,
    RandomGeoSampler,
)

from rasteret_assets import Collection, as_collection
from rasteret_assets.errors import ReadError
from tests.torchgeo.chips import Query, chips_in_a_grid, random_chips, windows
from tests.torchgeo.conftest import BANDS, CRS, KINDS, PIXEL_M, SIDE, Archive, corner

OLDER = pytest.mark.filterwarnings("ignore:Use :DeprecationWarning")
"""For samplers that TorchGeo deprecates from 0.10 on."""
INTERSECTION = pytest.mark.filterwarnings("ignore:The inplace keyword:DeprecationWarning")
"""For what TorchGeo 0.10.1 asks of pandas 3.1 where it makes an intersection."""


class Scenes(RasterDataset):  # type: ignore[misc]  # TorchGeo is not there to be checked
    """The same files, by TorchGeo itself."""

    filename_glob = "B0?_*.tif"
    filename_regex = r"(?P<band>B0\d)_(?P<date>\d{8}T\d{6})\.tif"
    date_format = "%Y%m%dT%H%M%S"
    separate_files = True
    all_bands = BANDS

    def __init__(self, archive: Archive, **arguments: Any) -> None:  # noqa: ANN401  # TorchGeo's
        first = [str(archive.path(number, BANDS[0])) for number in range(len(KINDS))]
        super().__init__(first, **arguments)


class Classes(RasterDataset):  # type: ignore[misc]  # as above
    """Classes of all scenes, at any time."""

    filename_glob = "classes_*.tif"
    is_image = False


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


@OLDER
@pytest.mark.parametrize(
    "sampler",
    [
        pytest.param(lambda dataset: random_chips(dataset, size=50, length=25), id="random"),
        pytest.param(lambda dataset: chips_in_a_grid(dataset, size=80, stride=70), id="grid"),
        pytest.param(lambda dataset: chips_in_a_grid(dataset, size=48), id="edge to edge"),
        pytest.param(lambda dataset: RandomGeoSampler(dataset, 50, 25), id="RandomGeoSampler"),
        pytest.param(lambda dataset: GridGeoSampler(dataset, 80, 70), id="GridGeoSampler"),
        pytest.param(PreChippedGeoSampler, id="PreChippedGeoSampler"),
        pytest.param(
            lambda dataset: chain(*RandomBatchGeoSampler(dataset, 50, batch_size=5, length=25)),
            id="RandomBatchGeoSampler",
        ),
    ],
)
def test_chips_of_a_sampler_are_rasterios_windows(
    collection: Collection, archive: Archive, sampler: Callable[[GeoDataset], Iterable[Query]]
) -> None:
    dataset = collection.to_torchgeo_dataset(list(BANDS))
    queries = list(sampler(dataset))
    for query in queries:
        sample = dataset[query]
        assert sample["image"].dtype == torch.float32
        np.testing.assert_array_equal(sample["image"].numpy(), windows(archive, query))
    assert len(queries) >= len(KINDS)


def test_a_sample_says_where_it_is_as_those_of_torchgeo_do(
    collection: Collection, archive: Archive
) -> None:
    ours, theirs = collection.to_torchgeo_dataset(list(BANDS)), Scenes(archive)
    for query in random_chips(ours, size=50, length=5):
        made, expected = ours[query], theirs[query]
        assert made.keys() == expected.keys()
        assert all(same(made[key], expected[key]) for key in made)


def same(one: object, other: object) -> bool:
    return one.equal(other) if isinstance(one, torch.Tensor) else one == other


def test_a_batch_is_its_samples_one_by_one(collection: Collection) -> None:
    dataset = collection.to_torchgeo_dataset(mask_band="classes", label_column="kind")
    queries = list(random_chips(dataset, size=40, length=12))
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


@INTERSECTION
def test_intersections_put_the_classes_of_another_dataset_beside_the_image(
    collection: Collection, archive: Archive
) -> None:
    images = collection.to_torchgeo_dataset(list(BANDS))
    for dataset in (
        images & Classes([str(archive.path(0, "classes"))]),
        Classes([str(archive.path(0, "classes"))]) & images,
    ):
        assert isinstance(dataset, IntersectionDataset)
        sampler = random_chips(dataset, size=32, length=10)
        for query in sampler:
            sample = dataset[query]
            place = (query[0], query[1], slice(archive.time(0), archive.time(0)))
            expected = windows(archive, place, ("classes",))[0]
            np.testing.assert_array_equal(sample["mask"].numpy(), expected)
            assert sample["image"].shape == (2, 32, 32)


@INTERSECTION
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
        for query in random_chips(part, size=20, length=4):
            np.testing.assert_array_equal(
                part[query]["image"].numpy(), windows(archive, query, ("B04",))
            )


def test_images_of_several_crs_are_brought_onto_one(
    collection: Collection, archive: Archive
) -> None:
    dataset = collection.to_torchgeo_dataset(["B04"], crs="EPSG:32633", resolution=15)
    assert dataset.crs == "EPSG:32633"
    centres = 15 * (np.arange(70) + 0.5)
    back = Transformer.from_crs("EPSG:32633", CRS, always_xy=True)
    for query in chips_in_a_grid(dataset, size=70):
        x, y, t = query
        (number,) = [n for n in range(len(KINDS)) if archive.time(n) == t.start]
        xs, ys = back.transform(*np.meshgrid(x.start + centres, y.stop - centres))
        left, top = corner(number)
        cols, rows = (xs - left) / PIXEL_M, (top - ys) / PIXEL_M
        with rasterio.open(archive.path(number, "B04")) as file:
            framed = np.pad(file.read(1), 1)  # with zeros, for all that is outside
        at = (np.clip(np.floor(rows), -1, SIDE) + 1, np.clip(np.floor(cols), -1, SIDE) + 1)
        expected = framed[at[0].astype(int), at[1].astype(int)]
        # GDAL is 1e-4 of a pixel from where PROJ says the centres are.
        clear = (abs(rows - rows.round()) > 1e-3) & (abs(cols - cols.round()) > 1e-3)
        made = dataset[query]["image"][0].numpy()
        np.testing.assert_array_equal(made[clear], expected[clear])
        assert clear.mean() > 0.98


def test_a_query_says_the_pixel_size_and_how_many_records_to_pass_over(
    collection: Collection,
) -> None:
    dataset = collection.to_torchgeo_dataset(["B04"], mosaic=None)
    left, top = corner(0)
    x, y = slice(left, left + SIDE * PIXEL_M, 20), slice(top - 600, top, 60)
    everything = dataset[x, y]["image"]
    assert everything.shape == (2, 1, 10, 96)  # the second scene begins in the first
    assert dataset[x, y, slice(None, None, 2)]["image"].equal(everything[::2])


def test_times_that_only_touch_are_not_of_a_query_unless_all_do(
    collection: Collection, archive: Archive
) -> None:
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
    of_the_last = slice(corner(3)[0] + 900, corner(3)[0] + 1100), query[1]
    after = slice(times[4], times[4] + timedelta(days=1))
    assert dataset[(*of_the_last, after)]["image"].shape[0] == 1
    with pytest.raises(IndexError):
        dataset[(*of_the_last, slice(times[4] + timedelta(days=1), after.stop))]


def test_a_place_that_records_only_touch_is_a_chip_of_nothing(
    collection: Collection, archive: Archive
) -> None:
    ours = collection.to_torchgeo_dataset(["B04"], label_column="kind", valid_mask=True)
    (left, top), moment = corner(0), pd.Timestamp(archive.time(0))
    beside = (
        slice(left - 300, left),
        slice(top - 300, top),
        slice(moment, moment + pd.Timedelta(1, "us")),
    )
    sample = ours[beside]
    assert sample["image"].equal(torch.zeros(1, 30, 30))
    assert sample["image"].equal(Scenes(archive)[beside]["image"][:1])
    assert not sample["mask_valid"].any()
    assert ours.classes[int(sample["label"])] == KINDS[0]
    each = collection.to_torchgeo_dataset(["B04"], mosaic=None)[beside]["image"]
    assert not each.any()
    with pytest.raises(IndexError):
        ours[slice(left - 300, left - 10), beside[1]]


def test_what_is_too_large_to_read_at_once_is_refused(collection: Collection) -> None:
    dataset = collection.to_torchgeo_dataset(["B04"])
    left, top = corner(0)
    with pytest.raises(ReadError, match="smaller chips"):
        dataset[slice(left, left + 1e4, 0.1), slice(top - 1e4, top, 0.1)]
