"""Records and the headers of their bands, side by side in one table."""

from collections.abc import Mapping
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from rasteret_assets.contract.bands import BAND_SUFFIX
from rasteret_assets.contract.kinds import is_text

EPSG_COLUMN: Final = "proj:epsg"
CRS_COLUMN: Final = "crs"


def zip_bands(rows: pa.Table, headers: Mapping[str, pa.Array | pa.ChunkedArray]) -> pa.Table:
    """Return `rows` with `proj:epsg`, `crs` and a `{band}_metadata` column for each band.

    Parameters
    ----------
    headers
        Band to header structs (`BAND_METADATA`), a value for each row.

    Returns
    -------
    pa.Table
        What the source says in `proj:epsg` (whole numbers) and `crs` (text) stays; nulls are
        filled from the first band, in the order given, whose header has a CRS. A column of
        the source that has another type stays as it is. Both are made where there is none:
        int32, and string. `proj:epsg` is null where the CRS has no EPSG number.

    Raises
    ------
    ValueError
        If a band has not as many headers as there are rows.
    """
    crs = pa.chunked_array([pa.nulls(rows.num_rows, pa.string())])
    for band, structs in headers.items():
        if len(structs) != rows.num_rows:
            msg = f"{len(structs)} headers of {band} for {rows.num_rows} records"
            raise ValueError(msg)
        crs = pc.coalesce(crs, pc.struct_field(structs, "crs"))
    number = pc.struct_field(pc.extract_regex(crs, r"^EPSG:(?P<code>\d{1,9})$"), "code")
    rows = _fill(rows, EPSG_COLUMN, number.cast(pa.int32()))
    rows = _fill(rows, CRS_COLUMN, crs)
    for band, structs in headers.items():
        rows = rows.append_column(band + BAND_SUFFIX, structs)
    return rows


def _fill(rows: pa.Table, name: str, found: pa.ChunkedArray) -> pa.Table:
    """Return `rows` with `found` where the column `name` says nothing."""
    place = rows.schema.get_field_index(name)
    if place < 0:
        return rows.append_column(name, found)
    column = rows[name]
    if pa.types.is_null(column.type):
        return rows.set_column(place, name, found)
    fits = pa.types.is_integer if pa.types.is_integer(found.type) else is_text
    if not fits(column.type):
        return rows
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return rows.set_column(place, name, pc.coalesce(column, found.cast(column.type)))
