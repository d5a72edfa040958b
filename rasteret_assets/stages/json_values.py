"""JSON values as Arrow arrays."""

from collections.abc import Sequence
from typing import TypeAlias

import pyarrow as pa

from rasteret_assets.contract.conform import json_text

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


def arrow_array(values: Sequence[Json]) -> pa.Array:
    """Return `values` as an array of the narrowest Arrow type that holds them all.

    Objects become structs with the members of all of them. Members whose values have no type
    in common, and they alone, become JSON text.
    """
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        if all(value is None or isinstance(value, dict) for value in values):
            return _struct([value if isinstance(value, dict) else None for value in values])
        return pa.array([json_text(value) for value in values], pa.string())


def _struct(values: Sequence[dict[str, Json] | None]) -> pa.StructArray:
    keys = dict.fromkeys(key for value in values if value for key in value)
    members = [arrow_array([(value or {}).get(key) for value in values]) for key in keys]
    return pa.StructArray.from_arrays(
        members,
        fields=[pa.field(key, found.type) for key, found in zip(keys, members, strict=True)],
        mask=pa.array([value is None for value in values]),
    )
