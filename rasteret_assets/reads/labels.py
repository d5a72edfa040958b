"""What a column says of each record, as numbers that a model can learn."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rasteret_assets.contract.kinds import is_text
from rasteret_assets.errors import ReadError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Labels:
    """A number for each record."""

    numbers: NDArray[Any]
    """int64 or float32."""
    classes: tuple[str, ...]
    """What the numbers mean, in their order; empty where they were numbers already."""


def labels_of(column: pa.ChunkedArray, name: str) -> Labels:
    """Return the labels that a column holds.

    Text becomes the number of its class, in alphabetical order; whole numbers and truth values
    stay, as int64; other numbers become float32.

    Raises
    ------
    ReadError
        If a record has none, or the column is of another type.
    """
    if column.null_count:
        msg = (
            f"{column.null_count} of {len(column)} records have no {name!r}; leave them out: "
            f"where('\"{name}\" IS NOT NULL')"
        )
        raise ReadError(msg)
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if is_text(kind):
        texts = column.cast(pa.large_string())
        classes = pc.unique(texts).sort()
        numbers = pc.index_in(texts, value_set=classes).to_numpy().astype(np.int64)
        return Labels(numbers=numbers, classes=tuple(classes.to_pylist()))
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return Labels(numbers=column.cast(pa.int64()).to_numpy(), classes=())
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return Labels(numbers=column.cast(pa.float32()).to_numpy(), classes=())
    msg = f"column {name!r} is {column.type}; labels are text, numbers or truth values"
    raise ReadError(msg)
