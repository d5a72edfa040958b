"""What counts as valid, value by value."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine

from rasteret_assets.reads.validity import valid_pixels


@pytest.mark.parametrize(
    ("values", "nodata", "expected"),
    [
        (np.array([1, 7], "u1"), 7.0, [True, False]),
        (np.array([1, 7], "u1"), 7.5, None),
        (np.array([1, 7], "u1"), -9999.0, None),
        (np.array([1, 7], "u1"), float("nan"), None),
        (np.array([2**53, 2**53 + 1]), 2**53 + 1, [True, False]),
        (np.array([1.5, np.nan], "f4"), None, [True, False]),
        (np.array([1.5, np.nan], "f4"), float("nan"), [True, False]),
        (np.array([1.5, -3.4028234663852886e38], "f4"), -3.4028234663852886e38, [True, False]),
        (np.array([1.5, np.inf], "f8"), float("inf"), [True, False]),
        (np.array([1.5, np.nan], "c8"), None, [True, False]),
    ],
)
def test_nodata_and_nan_are_invalid_where_the_type_has_them(
    values: np.ndarray, nodata: float | None, expected: list[bool] | None
) -> None:
    found = valid_pixels(values, mask=None, nodata=nodata, alpha=None)
    assert (None if found is None else found.tolist()) == expected


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("nodata", [-9999.0, 0.0, -1.2676506e30, -3.4028234663852886e38, 1e-40])
def test_floats_near_nodata_are_as_invalid_as_for_gdal(
    tmp_path: Path, dtype: str, nodata: float
) -> None:
    factors = [1 + sign * 10.0**-apart for sign in (1, -1) for apart in (0, 1, 5, 6, 7, 8, 12)]
    factors += [1 + 4.6e-7, 1 + 4.9e-7, 0.3]
    with np.errstate(over="ignore"):
        values = np.array([[0.0, 1.0, 1e-45, *(nodata * factor for factor in factors)]], dtype)
    if values.dtype.kind == "c":
        values += 1j
    path, transform = tmp_path / "near.tif", Affine(2, 0, 9, 0, -2, 9)
    profile = {"count": 1, "height": 1, "width": values.shape[1], "transform": transform}
    with rasterio.open(path, "w", dtype=dtype, nodata=nodata, **profile) as file:
        file.write(values, 1)
    with rasterio.open(path) as file:
        expected = file.read_masks(1) != 0
        found = valid_pixels(values, mask=None, nodata=file.nodata, alpha=None)
    assert found is not None
    assert np.array_equal(found, expected)


def test_a_mask_decides_before_nodata_and_nodata_before_alpha() -> None:
    values = np.array([7, 7, 1], "u1")
    mask, alpha = np.array([True, False, True]), np.array([0, 9, 0], "u1")
    by_mask = valid_pixels(values, mask=mask, nodata=7, alpha=None)
    by_nodata = valid_pixels(values, mask=None, nodata=7, alpha=alpha)
    by_alpha = valid_pixels(values, mask=None, nodata=None, alpha=alpha)
    assert by_mask is not None
    assert by_mask.tolist() == [True, False, True]
    assert by_nodata is not None
    assert by_nodata.tolist() == [False, False, True]
    assert by_alpha is not None
    assert by_alpha.tolist() == [False, True, False]
