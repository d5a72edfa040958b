"""Small record tables, as sources have them."""

from collections.abc import Callable
from datetime import UTC, datetime

import pyarrow as pa
import pytest
import shapely

from rasteret_assets.contract.columns import SOURCE_ROW
from rasteret_assets.contract.spec import CollectionSpec

MakeRecords = Callable[..., pa.Table]
MakeSpec = Callable[..., CollectionSpec]


@pytest.fixture
def make_spec() -> MakeSpec:
    """Return a maker of specs that takes what differs from the plainest."""

    def make(**given: object) -> CollectionSpec:
        settings: dict[str, object] = {"name": "demo", "sources": ("records.parquet",), **given}
        return CollectionSpec(**settings)  # type: ignore[arg-type]  # each test gives the right ones

    return make


@pytest.fixture
def make_records() -> MakeRecords:
    """Return a maker of sound tables of `count` rows, whose columns can be replaced or dropped."""

    def make(count: int = 3, **given: pa.Array | list[object] | None) -> pa.Table:
        boxes = [shapely.box(row, 0, row + 1, 1) for row in range(count)]
        columns: dict[str, object] = {
            "id": [f"scene-{row}" for row in range(count)],
            "datetime": pa.array(
                [datetime(2024, 1, 1 + row % 28, tzinfo=UTC) for row in range(count)],
                pa.timestamp("us", "UTC"),
            ),
            "geometry": pa.array(shapely.to_wkb(boxes), pa.binary()),
            "assets": pa.array([{"B04": {"href": f"{row}.tif"}} for row in range(count)]),
            SOURCE_ROW: pa.array(range(count), pa.int64()),
        }
        columns.update(given)
        return pa.table({name: values for name, values in columns.items() if values is not None})

    return make
