"""What is said of a fill that valid pixels may share."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import xarray as xr
from rasterio.transform import Affine

from rasteret_assets import reads
from tests.reads.indexing import Scene, index, noise, write
from tests.rig.http_server import RangeServer

UTM = "EPSG:32632"
INSIDE = (500_100, 5_499_500, 500_500, 5_499_900)
BEYOND = (499_900, 5_499_500, 500_500, 5_499_900)
FILES: dict[str, dict[str, Any]] = {
    "none": {},
    "zero": {"nodata": 0},
    "seven": {"nodata": 7},
    "mask": {"mask": np.indices((96, 80)).sum(axis=0) % 5 > 0, "nodata": 0},
    "float": {"nodata": -9999, "dtype": "float32"},
    "float_none": {"dtype": "float32"},
    "nan": {"nodata": float("nan"), "dtype": "float32"},
    "wide": {"nodata": -9999, "dtype": "int16"},
}


def scenes(folder: Path, server: RangeServer, *names: str) -> list[Scene]:
    found = []
    for day, name in enumerate(names):
        profile = dict(FILES[name])
        pixels = noise(day, 1, 96, 80, dtype=profile.pop("dtype", "uint8"), top=250) - 1
        path = write(folder / f"fill_{name}.tif", pixels, **profile)
        files = {"B1": (server.url(path.name), 0)}
        found.append(Scene(id=name, files=files, path=path, days=day))
    return found


def read(
    folder: Path,
    server: RangeServer,
    names: tuple[str, ...],
    box: Any,  # noqa: ANN401  # an area
    **asked: Any,  # noqa: ANN401  # a read's arguments
) -> xr.Dataset:
    table = index(scenes(folder, server, *names))
    return reads.get_xarray(table, bands=["B1"], geometries=box, geometry_crs=UTM, **asked)


@pytest.mark.parametrize(
    ("names", "box"),
    [
        (("none",), BEYOND),
        (("mask",), INSIDE),
        (("zero", "seven"), INSIDE),
        (("zero", "none"), INSIDE),
        (("float", "float_none"), INSIDE),
    ],
    ids=["beyond a file without nodata", "mask", "other nodata", "no nodata", "floats"],
)
def test_a_fill_that_valid_pixels_may_share_is_called_ambiguous(
    folder: Path,
    server: RangeServer,
    names: tuple[str, ...],
    box: Any,  # noqa: ANN401  # an area
) -> None:
    found = read(folder, server, names, box)["B1"].attrs
    assert found["fill_ambiguous"] == 1
    assert "_FillValue" in found


@pytest.mark.parametrize(
    ("names", "box", "asked"),
    [
        (("none",), INSIDE, {}),
        (("zero",), BEYOND, {}),
        (("seven", "seven"), BEYOND, {}),
        (("float",), BEYOND, {}),
        (("float_none", "nan"), BEYOND, {}),
        (("wide", "none"), BEYOND, {}),
        (("zero", "none"), BEYOND, {"masked": True}),
    ],
    ids=["nothing filled", "zero", "seven", "float", "nan", "beyond the type", "masked"],
)
def test_a_fill_that_no_valid_pixel_has_is_not(
    folder: Path,
    server: RangeServer,
    names: tuple[str, ...],
    box: Any,  # noqa: ANN401  # an area
    asked: dict[str, Any],
) -> None:
    assert "fill_ambiguous" not in read(folder, server, names, box, **asked)["B1"].attrs


def test_masks_tell_valid_pixels_that_hold_an_ambiguous_fill(
    folder: Path, server: RangeServer
) -> None:
    data = read(folder, server, ("zero", "none"), BEYOND, masks=True)
    for at, one in enumerate(scenes(folder, server, "zero", "none")):
        with rasterio.open(one.path) as dataset:
            assert dataset.transform == Affine(10, 0, 500_000, 0, -10, 5_500_000)
            valid = dataset.read_masks(1)[10:50, :50] != 0
            zeros = dataset.read(1)[10:50, :50] == 0
        expected = np.zeros((40, 60), bool)
        expected[:, 10:] = valid
        assert np.array_equal(data["B1_mask"][at], expected)
        assert zeros.any()
    shared = data["B1_mask"] & (data["B1"] == data["B1"].attrs["_FillValue"])
    assert shared.any(("y", "x")).values.tolist() == [False, True]
