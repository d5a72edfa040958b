"""What every remapped record meets: the stages that follow build on it.

A record that does not is no matter of the source, but of a fault on the way.
"""

from typing import Final

import pyarrow as pa

from rasteret_assets.contract.columns import BBOX, DATETIME

CANONICAL_TYPES: Final = {
    "id": pa.string(),
    "datetime": DATETIME,
    "geometry": pa.binary(),
    "bbox": BBOX,
}
"""Types of the canonical columns, `assets` aside, which is a struct of the keys there are."""

NULL_FAULTS: Final = ("id_null", "datetime_null", "geometry_null", "assets_null", "bbox_null")
UNREADABLE: Final = "geometry_unreadable"
OUTSIDE: Final = "geometry_outside"
"""Beyond longitude and latitude, or not finite."""
BOX_DIFFERS: Final = "bbox_differs"
"""The box is not that of the geometry."""

RECORD_FAULTS: Final = (*NULL_FAULTS, UNREADABLE, OUTSIDE, BOX_DIFFERS)
"""What a record can be found fault with; a flag of a thin table for each, as for source rows."""
