"""Statistics of the valid pixels of an area."""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rasteret_assets.errors import ReadError

Statistic = Callable[[NDArray[Any]], float]

_PERCENTILE: Final = re.compile(r"p(\d+(?:\.\d+)?)")
_HUNDRED: Final = 100.0
_SIMPLE: Final[dict[str, Statistic]] = {
    "mean": np.mean,
    "min": np.min,
    "max": np.max,
    "std": np.std,
    "sum": np.sum,
    "median": np.median,
}


def statistic(name: str) -> Statistic:
    """Return what computes a statistic of one pixel or more; `std` is that of a population.

    Raises
    ------
    ReadError
        If there is no such statistic.

    Examples
    --------
    >>> float(statistic("p50")(np.array([1, 2, 9])))
    2.0
    """
    if name in _SIMPLE:
        return _SIMPLE[name]
    if (match := _PERCENTILE.fullmatch(name)) and float(match[1]) <= _HUNDRED:
        return lambda values: float(np.percentile(values, float(match[1])))
    msg = f"statistic {name!r} is none of count, {', '.join(_SIMPLE)}, or p0 to p100"
    raise ReadError(msg)


def statistics(values: NDArray[Any], names: Sequence[str]) -> dict[str, float]:
    """Return the statistics of `values`; nan, and a count of 0, where there are none.

    Parameters
    ----------
    values
        One-dimensional, valid pixels alone.
    """
    if values.dtype.kind == "f":
        values = values.astype(np.float64, copy=False)  # float32 sums lose digits
    return {
        name: float(values.size)
        if name == "count"
        else float(statistic(name)(values))
        if values.size
        else np.nan
        for name in names
    }
