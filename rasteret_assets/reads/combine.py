"""Several records made one image: which belong together, and how."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rasteret_assets.errors import ReadError
from rasteret_assets.reads.layers import Layers
from rasteret_assets.reads.options import Mosaic


def periods(
    times: NDArray[np.datetime64], unit: str | None
) -> tuple[NDArray[np.datetime64], NDArray[np.int64]]:
    """Return the first time of each period, and to which one each of `times` belongs.

    Parameters
    ----------
    times
        Ascending.
    unit
        NumPy's unit of a period, in UTC; None makes all one.
    """
    within = np.zeros(len(times), np.int64) if unit is None else times.astype(f"M8[{unit}]")
    _, first, slots = np.unique(within, return_index=True, return_inverse=True)
    return times[first], slots.astype(np.int64)


def combine(layers: Layers, groups: Sequence[NDArray[np.int64]], how: Mosaic) -> None:
    """Make one image of the layers of each group; of none, one that is invalid throughout.

    Raises
    ------
    ReadError
        If a caller's own function gives another shape.
    """
    if layers.valid is None:
        raise AssertionError  # options ask for validity wherever they ask for a mosaic
    kind = combined_type(layers.values.dtype, how)
    images, valid = [], []
    for members in groups:
        there = layers.valid[members]
        values = layers.values[members]
        any_valid = there.any(axis=0)
        made = combined(values, there, how) if len(members) else np.zeros(any_valid.shape, kind)
        if made.shape != any_valid.shape:
            msg = f"the mosaic function gives shape {made.shape}, not {any_valid.shape} (y, x)"
            raise ReadError(msg)
        images.append(made)
        valid.append(any_valid)
    values, found = np.stack(images), np.stack(valid)
    if values.dtype.kind in "fc":
        layers.fill = np.nan
    values = np.where(found, values, values.dtype.type(layers.fill))
    layers.values, layers.valid = values, found
    layers.filled = not bool(found.all())


def combined_type(dtype: np.dtype[Any], how: Mosaic) -> np.dtype[Any]:
    """Return the type of the images that are made of such values, found by making one."""
    return combined(np.ones((1, 1, 1), dtype), np.ones((1, 1, 1), bool), how).dtype


def combined(values: NDArray[Any], valid: NDArray[np.bool_], how: Mosaic) -> NDArray[Any]:
    """Return one image (y, x) of several (record, y, x)."""
    if not isinstance(how, str):
        return np.asarray(how(values, valid))
    found: NDArray[np.floating] = np.nanmedian(np.where(valid.any(axis=0), values, 0), axis=0)
    return found
