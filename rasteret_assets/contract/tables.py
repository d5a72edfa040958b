"""What passes between stages: batches of rows with what was set aside from them."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rasteret_assets.contract.problems import PROBLEMS


def no_problems() -> pa.Table:
    """Return an empty problems table."""
    return PROBLEMS.empty_table()


@dataclass(frozen=True, slots=True, kw_only=True)
class StageBatch:
    """Some rows of one fragment after a stage, and the rows set aside on the way to them."""

    rows: pa.Table
    problems: pa.Table = field(default_factory=no_problems)
    geometries: NDArray[np.object_] | None = None
    """The rows' geometries in OGC:CRS84, where a stage has decoded them anyhow: the next one
    in the same process need not do so again."""
    bounds: NDArray[np.float64] | None = None
    """Left, bottom, right, top of each row, where it was seen that none needs decoding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far long work has come. Counts only ever grow within one piece of work."""

    done: int
    total: int
    problems: int = 0
    requests: int = 0
    bytes_fetched: int = 0


Report = Callable[[Progress], None]
"""Called now and then (not per row) while work goes on."""
