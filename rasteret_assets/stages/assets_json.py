"""Assets written as JSON text: the one form that has to be read in Python, row by row."""

import json

import pyarrow as pa

from rasteret_assets.stages.json_values import Json, arrow_array

_KEYS = ("key", "name", "band", "asset")


def parse_assets(column: pa.Array) -> pa.StructArray:
    """Return the assets of JSON text as a struct by key, null where there are none.

    Holds one batch of parsed records at a time. A member whose values have no common type
    (a number here, an object there) becomes JSON text again.
    """
    rows = [_assets_by_key(text) for text in column.to_pylist()]  # bounded by the batch
    keys = dict.fromkeys(key for row in rows if row for key in row)
    if not keys:
        return pa.nulls(len(rows), pa.struct([]))
    members = [arrow_array([(row or {}).get(key) for row in rows]) for key in keys]
    return pa.StructArray.from_arrays(
        members,
        fields=[pa.field(key, values.type) for key, values in zip(keys, members, strict=True)],
        mask=pa.array([row is None for row in rows]),
    )


def _assets_by_key(text: str | None) -> dict[str, Json] | None:
    if text is None:
        return None
    try:
        # Parquet has no empty structs, so an empty object says as much as null.
        value = json.loads(text, object_hook=lambda members: members or None)
    except (ValueError, RecursionError):  # the row is set aside for having no assets
        return None
    if isinstance(value, list):
        # Of a key given twice the first counts, but keys keep the order they come in.
        pairs = [pair for entry in value for pair in _entry(entry)]
        value = dict.fromkeys(key for key, _ in pairs) | dict(reversed(pairs))
    if not isinstance(value, dict):
        return None
    assets = {key: _asset(entry) for key, entry in value.items()}
    return {key: entry for key, entry in assets.items() if entry is not None} or None


def _entry(entry: Json) -> list[tuple[str, Json]]:
    """Return key and asset of an entry of a list, or nothing if it has no key."""
    if not isinstance(entry, dict):
        return []
    name = next((name for name in _KEYS if isinstance(entry.get(name), str)), None)
    if name is None:
        return []
    rest = {key: value for key, value in entry.items() if key != name}
    return [(str(entry[name]), rest.get("value", rest))]


def _asset(entry: Json) -> dict[str, Json] | None:
    if isinstance(entry, str):
        return {"href": entry}
    return entry if isinstance(entry, dict) else None
