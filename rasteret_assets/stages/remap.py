"""Rows under canonical names and types, in the order they are stored in."""

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rasteret_assets.contract.columns import SOURCE_ROW
from rasteret_assets.contract.spec import CollectionSpec
from rasteret_assets.contract.tables import StageBatch
from rasteret_assets.geo.antimeridian import cut_crossing, is_wide
from rasteret_assets.geo.bounds import Bounds, bbox_column, centres, lonlat_bounds
from rasteret_assets.geo.footprints import footprints, wkb
from rasteret_assets.geo.geoparquet import (
    EXTENSION_METADATA,
    EXTENSION_NAME,
    GeometryForm,
    extension_of,
    geometry_form,
    parse_geo,
    storage_of,
)
from rasteret_assets.geo.hilbert import hilbert
from rasteret_assets.geo.plain import plain_bounds
from rasteret_assets.stages.assets import normalise_assets
from rasteret_assets.stages.columns import passing, source_columns, values_of
from rasteret_assets.stages.ids import id_text
from rasteret_assets.stages.times import record_times

_HALF_WORLD: Final = 180.0
_BOX_SIZES: Final = (4, 6)
"""Members of a bounding box without and with heights; west comes first, east half way on."""


def remap(
    rows: pa.Table,
    spec: CollectionSpec,
    geo: str | None,
    source: str,
    *,
    geometries: NDArray[np.object_] | None = None,
    bounds: Bounds | None = None,
) -> StageBatch:
    """Return `rows` with the canonical columns first and all else as it is.

    Parameters
    ----------
    rows
        What `validate` left of a batch.
    geo
        The `geo` key of the file's footer, None if it has none.
    geometries, bounds
        What `validate` found of these rows' footprints; None if it has to be found here.

    Returns
    -------
    StageBatch
        `id, datetime, geometry, assets, bbox`, then the other columns in the source's order
        under the names of `kept_name`, then `SOURCE_ROW`; sorted by month, then along the
        Hilbert curve, then by source row. `datetime` is the start of the record's range where
        it has no datetime; `geometry` is ISO WKB in OGC:CRS84; `bbox` is made from it. No
        problems.

    Raises
    ------
    TableError
        If `geo` is broken, or its CRS is not understood.

    Notes
    -----
    A geometry that runs around the world, but whose source `bbox` says it crosses the
    antimeridian (xmin > xmax: RFC 7946, section 5.2), is cut there (section 3.1.9).
    """
    columns = source_columns(rows.schema.names, spec)
    form = geometry_form(rows.schema.field(columns.geometry), parse_geo(geo, source))
    boxes = values_of(rows, columns.bbox)
    column = values_of(rows, columns.geometry)
    if geometries is None and bounds is None:
        bounds = plain_bounds(column, form)
    geometry, box = _placed(column, form, boxes, geometries, bounds)
    times = record_times(values_of(rows, columns.datetime), values_of(rows, columns.start_datetime))
    canonical = {
        "id": id_text(values_of(rows, columns.id)),
        "datetime": times.values,
        "geometry": geometry,
        "assets": normalise_assets(values_of(rows, columns.assets)),
        "bbox": bbox_column(box),
    }
    fields = [pa.field(name, values.type) for name, values in canonical.items()]
    arrays: list[pa.Array | pa.ChunkedArray] = list(canonical.values())
    for name, kept in passing(rows.drop_columns([SOURCE_ROW]).schema, spec).items():
        field = _plain(rows.schema.field(name), kept)
        fields.append(field)
        arrays.append(_storage(rows[name]))
    fields.append(pa.field(SOURCE_ROW, pa.int64()))
    arrays.append(rows[SOURCE_ROW])
    table = pa.table(arrays, schema=pa.schema(fields))
    months, places = order_keys(table)
    order = np.lexsort((table[SOURCE_ROW].to_numpy(), places, months))
    return StageBatch(rows=table.take(pa.array(order)))


def _placed(
    column: pa.Array,
    form: GeometryForm,
    boxes: pa.Array | None,
    geometries: NDArray[np.object_] | None,
    plain: Bounds | None,
) -> tuple[pa.Array, Bounds]:
    """Return the geometries as WKB in OGC:CRS84, and their bounds."""
    crossing = None if boxes is None or form.crs is not None else _crosses(boxes)
    if plain is not None and (crossing is None or not (_spans_wide(plain) & crossing).any()):
        return column.cast(pa.binary()), plain
    if geometries is None:
        geometries = footprints(column, form).geometries
    if crossing is not None:
        geometries = cut_crossing(geometries, is_wide(geometries) & crossing)
    return wkb(geometries), lonlat_bounds(geometries)


def _spans_wide(bounds: Bounds) -> NDArray[np.bool_]:
    return bounds[:, 2] - bounds[:, 0] > _HALF_WORLD


def order_keys(rows: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """Return what remapped rows are sorted by: months since year 0, and Hilbert values.

    The Hilbert value is that of the middle of the row's `bbox`.
    """
    months = rows["datetime"].to_numpy().astype("datetime64[M]").astype(np.int64) + 1970 * 12
    box = [
        pc.struct_field(rows["bbox"], name).to_numpy() for name in ("xmin", "ymin", "xmax", "ymax")
    ]
    lon, lat = centres(np.stack(box, axis=1))
    return months, hilbert(lon, lat)


def _plain(field: pa.Field, name: str) -> pa.Field:
    """Return the field as Arrow sees it where no extension type is registered."""
    said, metadata = extension_of(field)
    known = {EXTENSION_NAME: said.encode(), EXTENSION_METADATA: metadata.encode()}
    return pa.field(name, storage_of(field), metadata=known if said else None)


def _storage(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not isinstance(column.type, pa.BaseExtensionType):
        return column
    return pa.chunked_array([chunk.storage for chunk in column.chunks], column.type.storage_type)


def _crosses(boxes: pa.Array) -> NDArray[np.bool_]:
    """Return which source boxes, structs or lists, have a west beyond their east."""
    kind = boxes.type
    if pa.types.is_struct(kind) and {"xmin", "xmax"} <= {member.name for member in kind}:
        west, east = pc.struct_field(boxes, "xmin"), pc.struct_field(boxes, "xmax")
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _lists_cross(boxes)
    else:
        return np.zeros(len(boxes), np.bool_)
    return np.asarray(pc.fill_null(pc.greater(west, east), fill_value=False))


def _lists_cross(boxes: pa.Array) -> NDArray[np.bool_]:
    size = pc.fill_null(pc.list_value_length(boxes), 0).to_numpy()
    start = np.cumsum(size) - size
    numbers = boxes.flatten().to_numpy(zero_copy_only=False)
    found = np.zeros(len(boxes), np.bool_)
    for members in _BOX_SIZES:
        rows = np.flatnonzero(size == members)
        found[rows] = numbers[start[rows]] > numbers[start[rows] + members // 2]
    return found
