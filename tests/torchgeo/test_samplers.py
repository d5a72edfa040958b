"""Samplers of places and times, each on their own, as TorchGeo has them from 0.10 on."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from torchgeo import samplers

from rasteret_assets import Collection
from tests.torchgeo.chips import PLACE_AND_TIME, windows
from tests.torchgeo.conftest import BANDS, KINDS, SIDE, Archive, corner
from tests.torchgeo.test_dataset import Scenes

pytestmark = pytest.mark.skipif(not PLACE_AND_TIME, reason="TorchGeo is older than 0.10")

LONG = pd.Timedelta(45, "D")
"""Two or three scenes are of as many days."""


@pytest.mark.parametrize("places", ["random", "grid"])
@pytest.mark.parametrize(
    ("times", "arguments"),
    [
        ("RandomPeriodSampler", {"freq": "Q", "length": 1, "generator": 3}),
        ("SequentialPeriodSampler", {"freq": "Q"}),
        ("SequentialTimedeltaSampler", {"delta": LONG}),
        ("SequentialTimestampSampler", {}),
        ("RandomTimestampSampler", {"generator": 3}),
    ],
)
@pytest.mark.filterwarnings("ignore:random_sampler @ sequential_sampler:UserWarning")
def test_chips_of_every_period_are_those_of_torchgeo(
    collection: Collection, archive: Archive, places: str, times: str, arguments: dict[str, Any]
) -> None:
    ours, theirs = collection.to_torchgeo_dataset(list(BANDS)), Scenes(archive)
    where = {
        "random": samplers.RandomPatchSampler(ours, size=50, length=6, generator=1),
        "grid": samplers.GriddedPatchSampler(ours, size=48),
    }[places]
    queries = list(where @ getattr(samplers, times)(ours, **arguments))
    for query in queries:
        np.testing.assert_array_equal(ours[query]["image"].numpy(), theirs[query]["image"].numpy())
    assert len(queries) >= 6


def test_records_kept_each_are_a_time_series_of_torchgeo(
    collection: Collection, archive: Archive
) -> None:
    ours = collection.to_torchgeo_dataset(list(BANDS), mosaic=None)
    theirs = Scenes(archive, time_series=True)
    lengths = set()
    for x, y in samplers.RandomPatchSampler(ours, size=40, length=12, generator=1):
        image, expected = ours[x, y]["image"], theirs[x, y]["image"]
        shown = expected.any(dim=(1, 2, 3))  # it has records that only touch, too
        np.testing.assert_array_equal(image.numpy(), expected[shown].numpy())
        lengths.add(len(image))
    assert lengths == {1, 2}


def test_a_time_alone_is_of_the_whole_extent(collection: Collection, archive: Archive) -> None:
    ours, theirs = collection.to_torchgeo_dataset(list(BANDS)), Scenes(archive)
    for query in samplers.RandomTimedeltaSampler(ours, delta=LONG, length=3, generator=1):
        image = ours[query]["image"]
        np.testing.assert_array_equal(image.numpy(), theirs[query]["image"].numpy())
        assert image.shape == (2, SIDE, SIDE + (len(KINDS) - 1) * SIDE * 3 // 4)


def test_a_region_and_a_time_of_interest_leave_out_the_rest(
    collection: Collection, archive: Archive
) -> None:
    dataset = collection.to_torchgeo_dataset(list(BANDS))
    shared = dataset.index.geometry.iloc[0] & dataset.index.geometry.iloc[1]
    moment = pd.Timestamp(archive.time(1))
    places = samplers.GriddedPatchSampler(dataset, size=20, roi=shared)
    times = samplers.SequentialTimestampSampler(dataset, toi=pd.Interval(moment, moment + LONG))
    queries = list(places @ times)
    for query in queries:
        assert (query[0].stop > corner(1)[0], query[2].start >= moment) == (True, True)
        np.testing.assert_array_equal(dataset[query]["image"].numpy(), windows(archive, query))
    assert len(queries) >= 3 * 10
