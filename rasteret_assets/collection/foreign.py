"""Headers that another program wrote, which do not say where their file is."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from rasteret_assets.contract.bands import BAND_SUFFIX
from rasteret_assets.stages import band_hrefs

_ASSETS = "assets"


def read_index(
    rows: ds.Dataset, columns: Sequence[str], headers: Sequence[str], base_uri: str
) -> pa.Table:
    """Return `columns` and `headers` of all rows, each header with its file's href.

    Parameters
    ----------
    headers
        Columns of headers. Where one says no href, that of `assets` is taken.
    base_uri
        The folder that relative ones of those are joined to.
    """
    table = rows.to_table(columns=[*columns, *headers])
    lacking = [name for name in headers if _lacks_hrefs(table[name])]
    names = rows.schema.names
    if not lacking or _ASSETS not in names:
        return table
    if not pa.types.is_struct(rows.schema.field(_ASSETS).type):
        return table
    table = rows.to_table(columns=[*columns, *headers, _ASSETS])
    for name in lacking:
        found = band_hrefs(table[_ASSETS], name.removesuffix(BAND_SUFFIX), base_uri)["href"]
        at = table.schema.get_field_index(name)
        table = table.set_column(at, name, _with_hrefs(table[name], found.combine_chunks()))
    return table


def _lacks_hrefs(headers: pa.ChunkedArray) -> bool:
    if headers.type.get_field_index("href") < 0:
        return headers.null_count < len(headers)
    return pc.struct_field(headers, "href").null_count > headers.null_count


def _with_hrefs(headers: pa.ChunkedArray, found: pa.Array) -> pa.Array:
    structs = headers.combine_chunks()
    members = {field.name: pc.struct_field(structs, [at]) for at, field in enumerate(structs.type)}
    members["href"] = pc.coalesce(members["href"], found) if "href" in members else found
    return pa.StructArray.from_arrays(
        list(members.values()), names=list(members), mask=structs.is_null()
    )
