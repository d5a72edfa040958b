"""Windows of real GeoTIFFs of every flavour, read through an index of them."""

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import rasterio
from rasterio.windows import Window

from rasteret_assets import reads
from rasteret_assets.contract.settings import FetchSettings
from rasteret_assets.errors import ProblemError
from rasteret_assets.fetch import HeaderFetcher
from rasteret_assets.tiff.band_structs import band_structs

JPEG_MEAN_DIFFERENCE = 1.5
"""Two JPEG libraries enlarge subsampled colour differently; see the data's README."""


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        yield


def truth(data_dir: Path) -> list[dict[str, Any]]:
    lines = (data_dir / "geotiff" / "truth.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def tables_of(folder: Path, names: list[str]) -> dict[str, pa.Table]:
    """Return an index of each local file that has a header."""
    with HeaderFetcher(FetchSettings()) as fetcher:
        found = fetcher.fetch([(folder / name).as_uri() for name in names])
    return {
        name: pa.table(
            {
                "id": [name],
                "datetime": pa.array([0], pa.timestamp("us", tz="UTC")),
                "geometry": pa.array([None], pa.binary()),
                "data_metadata": band_structs([one.header], [one.file], [None]),
            }
        )
        for name, one in zip(names, found, strict=True)
        if one.header is not None
    }


def places(data_dir: Path, *, readable: bool) -> list[dict[str, Any]]:
    """Return the facts of files whose pixels lie somewhere, upright."""
    return [
        fact
        for fact in truth(data_dir)
        if fact["openable"]
        and (fact["read_error"] is None) == readable
        and fact["crs"] is not None
        and not fact["transform_is_identity"]
        and fact["transform"][1] == fact["transform"][3] == 0
    ]


def test_windows_of_real_files_are_what_gdal_reads(data_dir: Path) -> None:
    compared = 0
    facts = places(data_dir, readable=True)
    tables = tables_of(data_dir / "geotiff", [fact["file"] for fact in facts])
    for fact in facts:
        path = data_dir / "geotiff" / fact["file"]
        table = tables[path.name]
        with rasterio.open(path) as dataset:
            width, height = min(dataset.width, 300), min(dataset.height, 200)
            window = Window(dataset.width // 3, dataset.height // 3, width, height)
            window = window.intersection(Window(0, 0, dataset.width, dataset.height))
            expected = dataset.read(1, window=window)
            valid = dataset.read_masks(1, window=window) != 0
            box = dataset.window_bounds(window)
            crs = dataset.crs.to_wkt()
        box = (min(box[0], box[2]), min(box[1], box[3]), max(box[0], box[2]), max(box[1], box[3]))
        data = reads.get_xarray(
            table,
            bands=["data[0]"],
            geometries=box,
            geometry_crs=table["data_metadata"][0]["crs"].as_py() or crs,
            masks=True,
        )
        found = data["data[0]"].values[0].astype(expected.dtype)
        is_valid = data["data[0]_mask"].values[0]
        if expected.dtype.kind in "fc":
            valid &= ~np.isnan(expected)
        assert found.shape == expected.shape, path.name
        assert np.array_equal(is_valid, valid), path.name
        if fact["lossy"]:
            apart = np.abs(found[valid].astype(float) - expected[valid].astype(float))
            assert not apart.size or apart.mean() < JPEG_MEAN_DIFFERENCE, path.name
        else:
            assert np.array_equal(found[valid], expected[valid]), path.name
        compared += 1
    assert compared >= 50


def test_damaged_real_files_give_no_pixels(data_dir: Path) -> None:
    names = [fact["file"] for fact in places(data_dir, readable=False)]
    for table in tables_of(data_dir / "geotiff", names).values():
        with pytest.raises(ProblemError):
            reads.get_numpy(table, bands=["data[0]"])
