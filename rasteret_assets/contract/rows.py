"""What every row of a validated table meets, as a pandera schema over a thin table of flags.

Pandera's pyarrow backend refuses binary, struct and map columns, so kernels reduce those to
flags, and pandera decides over the flags.
"""

from typing import Final

import pandera.pyarrow as pandera
import pyarrow as pa

from rasteret_assets.errors import ProblemCode

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

ROW_FLAGS: Final = pandera.DataFrameSchema(
    {
        ROW: pandera.Column(pa.int64(), pandera.Check.ge(0)),
        **{code.value: pandera.Column(pa.bool_(), pandera.Check.eq(False)) for code in ROW_FAULTS},  # noqa: FBT003  # the value to equal
    },
    strict=True,
    drop_invalid_rows=True,
)
"""One flag per fault, true where the row has it. Validating lazily drops rows with a fault."""
ROW_FLAGS.register_default_backends(pa.Table)  # some 0.1 s, once: when imported, not in a build
