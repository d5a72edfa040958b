"""The `assets` column, brought from every form met in the wild to one.

That is a struct with a field for each asset key, each of them a struct with `href` (string),
where given `band_index` (int32), and whatever else the asset says, untouched. An asset that a
record does not have is a null struct.
"""

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rasteret_assets.contract.kinds import is_list, is_text
from rasteret_assets.errors import TableError
from rasteret_assets.geo.geoparquet import storage_of
from rasteret_assets.stages.assets_json import parse_assets

MAX_KEYS: Final = 1000
"""Asset keys of one table; each becomes a field of the schema."""

_KEY_NAMES: Final = ("key", "name", "band", "asset")
"""Members of a list entry that may hold the asset's key, the likelier first."""


def is_assets(field: pa.Field) -> bool:
    """Return whether a column of this type can hold assets by key."""
    kind = storage_of(field)
    if pa.types.is_struct(kind):
        assets = [member for member in kind if _is_asset(member.type)]
        one_asset = any(member.name == "href" and is_text(member.type) for member in kind)
        return bool(assets) and not one_asset
    if pa.types.is_map(kind):
        return is_text(kind.key_type) and _is_asset(kind.item_type)
    if is_list(kind) and pa.types.is_struct(kind.value_type):
        return _key_name(kind.value_type) is not None
    return pa.types.is_null(kind) or is_text(kind)


def normalise_assets(column: pa.Array) -> pa.StructArray:
    """Return the assets of each record in the one form.

    Text that is no JSON object, or list, of assets becomes null. Where one record gives a key
    twice, the first counts. JSON text alone is read record by record in Python; the other
    forms are taken apart by Arrow kernels.

    Raises
    ------
    TableError
        If there are more than 1,000 different keys: they are then no names of bands.
    """
    kind = column.type
    if is_text(kind):
        column = parse_assets(column.cast(pa.large_string()))
    elif pa.types.is_map(kind):
        entries = column.cast(
            pa.list_(pa.struct([("key", kind.key_type), ("value", kind.item_type)]))
        )
        column = _pivot(entries)
    elif is_list(kind):
        column = _pivot(column)
    elif pa.types.is_null(kind):
        column = pa.nulls(len(column), pa.struct([]))
    _check_count(len(column.type))
    members = {
        member.name: _asset(column.field(place))
        for place, member in enumerate(column.type)
        if _is_asset(member.type)
    }
    return _struct(members, pc.is_null(column))


def usable(assets: pa.StructArray) -> NDArray[np.bool_]:
    """Return which rows of normalised `assets` have at least one href that is not blank."""
    found = np.zeros(len(assets), np.bool_)
    for member in assets.type:
        if found.all():
            break
        href = pc.struct_field(assets, [member.name, "href"])
        length = pc.binary_length(pc.utf8_trim_whitespace(href))
        found |= pc.fill_null(pc.greater(length, 0), fill_value=False).to_numpy(
            zero_copy_only=False
        )
    return found


def _is_asset(kind: pa.DataType) -> bool:
    return bool(pa.types.is_struct(kind)) or is_text(kind)


def _key_name(entry: pa.StructType) -> str | None:
    members = {member.name: member.type for member in entry}
    says_where = "value" in members or "href" in members
    names = [name for name in _KEY_NAMES if name in members and is_text(members[name])]
    return names[0] if names and says_where else None


def _check_count(keys: int) -> None:
    if keys > MAX_KEYS:
        msg = f"assets has {keys} different keys, over {MAX_KEYS}; its keys must be names of bands"
        raise TableError(msg)


def _pivot(column: pa.Array) -> pa.StructArray:
    """Return lists of assets that bear their key as a struct with a field for each key."""
    entries = column.flatten()
    rows = pc.list_parent_indices(column).to_numpy()
    name = _key_name(entries.type) or "key"
    keys = pc.struct_field(entries, name).cast(pa.string()).dictionary_encode()
    values = _values(entries, name)
    names = keys.dictionary.to_pylist()  # few: one entry a key
    _check_count(len(names))
    codes = pc.fill_null(keys.indices, -1).to_numpy()
    order = np.argsort(codes, kind="stable")
    bounds = np.searchsorted(codes[order], np.arange(len(names) + 1))
    members = {}
    for code, key in enumerate(names):
        places = order[bounds[code] : bounds[code + 1]]
        wanted = np.full(len(column), -1, np.int64)
        wanted[rows[places[::-1]]] = places[::-1]  # the first of a row's repeats is written last
        members[key] = values.take(pa.array(wanted, mask=wanted < 0))
    return _struct(members, pc.is_null(column))


def _values(entries: pa.StructArray, name: str) -> pa.Array:
    kinds = {member.name: member.type for member in entries.type}
    if "value" in kinds and _is_asset(kinds["value"]):
        return pc.struct_field(entries, "value")
    rest = {
        member.name: entries.field(place)
        for place, member in enumerate(entries.type)
        if member.name != name
    }
    return _struct(rest, pc.is_null(entries))


def _asset(values: pa.Array) -> pa.StructArray:
    """Return one key's assets with `href` as string and `band_index` as int32."""
    if is_text(values.type):
        return _struct({"href": values.cast(pa.string())}, pc.is_null(values))
    members = {member.name: values.field(place) for place, member in enumerate(values.type)}
    href = members.get("href")
    if href is None or not is_text(href.type):
        members["href"] = pa.nulls(len(values), pa.string())
    else:
        members["href"] = href.cast(pa.string())
    index = members.get("band_index")
    if index is not None:
        members["band_index"] = _whole(index)
    return _struct(members, pc.is_null(values))


def _whole(index: pa.Array) -> pa.Array:
    """Return band indexes as int32; floats with whole values are what pandas makes of them.

    What is no whole number from 0 up is -1, which no file has: the header then says so.
    """
    kind = index.type
    if pa.types.is_null(kind):
        return index.cast(pa.int32())
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return pc.if_else(pc.is_null(index), pa.scalar(None, pa.int32()), pa.scalar(-1, pa.int32()))
    number = index.cast(pa.float64(), safe=False)
    index_range = pc.and_(pc.greater_equal(number, 0), pc.less(number, 1 << 31))
    sane = pc.and_(index_range, pc.equal(number, pc.floor(number)))
    return pc.if_else(sane, number, -1.0).cast(pa.int32())


def _struct(members: dict[str, pa.Array], null: pa.Array) -> pa.StructArray:
    if not members:  # from_arrays would forget the length
        return pa.nulls(len(null), pa.struct([]))
    fields = [pa.field(name, values.type) for name, values in members.items()]
    return pa.StructArray.from_arrays(list(members.values()), fields=fields, mask=null)
