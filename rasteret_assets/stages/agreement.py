"""Whether headers are what the records' `proj:` fields say (STAC's projection extension).

A field of the asset counts before the item's. Where one side says nothing there is nothing to
disagree on.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from numpy.typing import NDArray

from rasteret_assets.contract.kinds import is_list, is_text
from rasteret_assets.geo.grid import ALIGNED

EPSG: Final = "proj:epsg"
CODE: Final = "proj:code"
TRANSFORM: Final = "proj:transform"
SHAPE: Final = "proj:shape"

HEADER_FIELDS: Final = {
    name: ds.field("header", name) for name in ("crs", "transform", "image_width", "image_height")
}
"""What is compared of a table of the `HEADERS` schema."""

_WHOLE: Final = 4
"""Numbers of a transform that is not rotated: scale x, origin x, scale y, origin y."""
_SIX: Final = 6


def said_columns(records: pa.Schema, band: str) -> dict[str, pc.Expression]:
    """Return expressions for what records say of `band`, by `proj:` field.

    `asset proj:…` names a field of the asset. Fields of a type that cannot be compared are
    left out; the result is empty where nothing is said at all.
    """
    members = _members(records, band)
    found: dict[str, pc.Expression] = {}
    for name, fits in _FITS.items():
        if name in records.names and fits(records.field(name).type):
            found[name] = ds.field(name)
        if name in members and fits(members[name]):
            found[f"asset {name}"] = ds.field("assets", band, name)
    return found


def disagreements(said: pa.Table, headers: pa.Table) -> dict[str, NDArray[np.bool_]]:
    """Return for `crs`, `transform` and `shape` which rows disagree.

    Parameters
    ----------
    said
        Columns of `said_columns`.
    headers
        Columns of `HEADER_FIELDS`, of the same rows.
    """
    return {
        "crs": _crs_differs(said, headers),
        "transform": _transform_differs(said, headers),
        "shape": _shape_differs(said, headers),
    }


def compared(said: pa.Table, headers: pa.Table) -> NDArray[np.bool_]:
    """Return which rows have a header, and say anything of it."""
    told = np.zeros(headers.num_rows, np.bool_)
    for name in said.column_names:
        told |= _true(pc.is_valid(said[name]))
    return told & _true(pc.is_valid(headers["image_width"]))


def _members(records: pa.Schema, band: str) -> Mapping[str, pa.DataType]:
    kind = records.field("assets").type
    if kind.get_field_index(band) < 0:
        return {}
    return {member.name: member.type for member in kind.field(band).type}


def _is_numbers(kind: pa.DataType) -> bool:
    return is_list(kind) and _is_number(kind.value_type)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


_FITS: Final = {EPSG: _is_number, CODE: is_text, TRANSFORM: _is_numbers, SHAPE: _is_numbers}


def _crs_differs(said: pa.Table, headers: pa.Table) -> NDArray[np.bool_]:
    crs = headers["crs"]
    named = pc.starts_with(crs, "EPSG:")
    told = pa.chunked_array([pa.nulls(said.num_rows, pa.string())])
    for name in (EPSG, CODE, f"asset {EPSG}", f"asset {CODE}"):  # the last one counts
        if name not in said.column_names:
            continue
        text = said[name].cast(pa.string())
        if name.endswith(EPSG):
            number = pc.cast(said[name], pa.int64(), safe=False)
            text = pc.binary_join_element_wise("EPSG", number.cast(pa.string()), ":")
        told = pc.coalesce(pc.utf8_upper(text), told)
    # Another authority's code (IAU_2015, ESRI) may be the same CRS: nothing to compare.
    both = pc.and_(named, pc.starts_with(told, "EPSG:"))
    return _true(pc.and_(both, pc.not_equal(told, crs)))


def _transform_differs(said: pa.Table, headers: pa.Table) -> NDArray[np.bool_]:
    """Return where the grids' first or last corners are more than `ALIGNED` pixels apart."""
    a = _numbers(_nearest(said, TRANSFORM), _SIX)
    b = _affine(headers["transform"])
    width, height = (_float(headers[name]) for name in ("image_width", "image_height"))
    across = np.stack([np.zeros_like(width), width], axis=1)
    down = np.stack([np.zeros_like(height), height], axis=1)
    difference = (a - b)[:, :, None]
    x = difference[:, 0] * across + difference[:, 1] * down + difference[:, 2]
    y = difference[:, 3] * across + difference[:, 4] * down + difference[:, 5]
    pixel = np.hypot(b[:, 0], b[:, 3])
    apart = np.hypot(x, y).max(axis=1, initial=0.0)
    return np.asarray(apart > ALIGNED * pixel)  # nan, where one says nothing, is not greater


def _shape_differs(said: pa.Table, headers: pa.Table) -> NDArray[np.bool_]:
    told = _numbers(_nearest(said, SHAPE), 2)  # rows, then columns
    found = np.stack([_float(headers["image_height"]), _float(headers["image_width"])], axis=1)
    both = ~np.isnan(told).any(axis=1) & ~np.isnan(found).any(axis=1)
    return np.asarray(both & (told != found).any(axis=1))


def _nearest(said: pa.Table, name: str) -> pa.ChunkedArray:
    """Return the asset's values where it has one, else the item's."""
    given = [said[one] for one in (f"asset {name}", name) if one in said.column_names]
    numbers = [one.cast(pa.list_(pa.float64())) for one in given]
    if not numbers:
        return pa.chunked_array([pa.nulls(said.num_rows, pa.list_(pa.float64()))])
    return pc.coalesce(*numbers) if len(numbers) > 1 else numbers[0]


def _affine(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """Return a, b, c, d, e, f of header transforms, nan where there is none."""
    found = _numbers(column, _SIX)
    short = np.isnan(found[:, _WHOLE])
    plain = _numbers(column, _WHOLE)[short]
    nothing = np.zeros(len(plain)) * plain[:, 0]
    found[short] = np.stack(
        [plain[:, 0], nothing, plain[:, 1], nothing, plain[:, 2], plain[:, 3]], axis=1
    )
    return found


def _numbers(column: pa.ChunkedArray, count: int) -> NDArray[np.float64]:
    """Return the first `count` numbers of each list, nan where there are fewer."""
    lists = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    sizes = pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
    starts = np.cumsum(sizes) - sizes
    values = lists.flatten().to_numpy(zero_copy_only=False)
    found = np.full((len(lists), count), np.nan)
    rows = np.flatnonzero(sizes >= count)
    found[rows] = values[starts[rows][:, None] + np.arange(count)]
    return found


def _float(column: pa.ChunkedArray) -> NDArray[np.float64]:
    return np.asarray(column.cast(pa.float64()).to_numpy())


def _true(values: pa.ChunkedArray) -> NDArray[np.bool_]:
    return np.asarray(pc.fill_null(values, False).to_numpy())  # noqa: FBT003  # the value to fill in
