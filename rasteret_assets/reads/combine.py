"""Several records made one image: which belong together, and how."""

import warnings

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


def combine(layers: Layers, slots: NDArray[np.int64], count: int, how: Mosaic) -> None:
    """Reduce the times of `layers` to `count`, those of one slot together.

    Raises
    ------
    ReadError
        If a caller's own function gives another shape.
    """
    if layers.valid is None:
        raise AssertionError  # options ask for validity wherever they ask for a mosaic
    images, valid = [], []
    for slot in range(count):
        members = slots == slot
        there = layers.valid[members]
        values = layers.values[members]
        any_valid = there.any(axis=0)
        made = _median(values) if isinstance(how, str) else np.asarray(how(values, there))
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


def _median(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the median of what is a number; nan where nothing is."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)
        return np.nanmedian(values, axis=0)
