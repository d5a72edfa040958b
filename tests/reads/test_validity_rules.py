"""What counts as valid, value by value."""

import numpy as np
import pytest

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
