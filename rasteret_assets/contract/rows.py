"""What every row of a validated table meets, as a pandera schema over a thin table of flags.

Pandera's pyarrow backend refuses binary, struct and map columns, so kernels reduce those to
flags, and pandera decides over the flags.
"""

from functools import cache
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from rasteret_assets.errors import ProblemCode

if TYPE_CHECKING:
    import pandera.pyarrow as pandera

ROW: Final = "row"
"""The row's place in its batch, from 0."""

ROW_FAULTS: Final = (
    ProblemCode.ID_MISSING,
    ProblemCode.TIME_MISSING,
    ProblemCode.GEOMETRY_MISSING,
    ProblemCode.GEOMETRY_INVALID,
    ProblemCode.ASSETS_UNUSABLE,
    ProblemCode.ID_REPEATED,
)
"""What a row can be set aside for; of several faults the first in this order is given.

A repeated id comes last: the first record that is sound otherwise is the one to keep.
"""


def row_flags() -> "pandera.DataFrameSchema":
    """Return the schema of a table of the flags of `ROW_FAULTS`.

    Validating lazily drops the rows with a fault.
    """
    return flags_schema(tuple(code.value for code in ROW_FAULTS), drop=True)


@cache
def flags_schema(faults: tuple[str, ...], *, drop: bool) -> "pandera.DataFrameSchema":
    """Return the schema of a table of flags, one per fault, true where the row has it.

    Parameters
    ----------
    drop
        Whether validating lazily drops the rows with a fault, or tells of them.
    """
    import pandera.pyarrow as pandera  # noqa: PLC0415  # half a second, of use only where rows have faults

    columns = {fault: pandera.Column(pa.bool_(), pandera.Check.eq(False)) for fault in faults}  # noqa: FBT003  # the value to equal
    columns[ROW] = pandera.Column(pa.int64(), pandera.Check.ge(0))
    schema = pandera.DataFrameSchema(columns, strict=True, drop_invalid_rows=drop)
    schema.register_default_backends(pa.Table)
    return schema
