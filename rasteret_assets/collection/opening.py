"""Where Collections come from: a store, or rows that a caller has."""

import pyarrow as pa
import pyarrow.dataset as ds

from rasteret_assets.collection.handle import Collection
from rasteret_assets.collection.origin import Given, check_ready
from rasteret_assets.contract.columns import NAME_KEY
from rasteret_assets.contract.conform import conform
from rasteret_assets.fetch import HrefSigner, signer_of
from rasteret_assets.reads import ArrowStream
from rasteret_assets.storage import CollectionStore


def open_collection(
    store: CollectionStore, keeps: object = None, signs: tuple[HrefSigner | str, ...] = ()
) -> Collection:
    """Return the Collection that lies in `store`.

    Parameters
    ----------
    keeps
        Lives as long as the Collection does: the temporary folder of one without a name.
    signs
        Signers of hrefs that need it, or their names; by default what the files say.

    Raises
    ------
    WorkspaceError
        If there is none.
    """
    return Collection(origin=store, whole=store.open(), keeps=keeps, signs=signs)


def as_collection(
    rows: ds.Dataset | ArrowStream,
    *,
    name: str | None = None,
    sign: HrefSigner | str | None = None,
) -> Collection:
    """Return rows that came from a Collection, and were changed since, as a Collection.

    Nothing is fetched or written.

    Parameters
    ----------
    rows
        A `pyarrow.dataset.Dataset`, which stays lazy, or a table of any Arrow library, with
        `id`, `datetime`, `geometry` (WKB), `bbox` (a struct) and, to read pixels,
        `{band}_metadata` columns.
    name
        What to call it; by default what the metadata of the schema says.
    sign
        Signs hrefs that cannot be read as they are: a signer, or its name; by default the one
        that the metadata of the schema names.

    Raises
    ------
    TableError
        If a column is missing, or of another type.
    ConfigError
        If `sign` is no signer.
    """
    signs = () if sign is None else (sign,)
    signer_of(signs)
    whole = rows if isinstance(rows, ds.Dataset) else ds.dataset(_filterable(pa.table(rows)))
    check_ready(whole.schema)
    if name is not None:
        metadata = {**(whole.schema.metadata or {}), NAME_KEY: name.encode()}
        whole = whole.replace_schema(whole.schema.with_metadata(metadata))
    return Collection(origin=Given(dataset=whole), whole=whole, signs=signs)


def _filterable(table: pa.Table) -> pa.Table:
    """Return the table without views of text and bytes, which Arrow cannot filter (Polars)."""
    fields = [field.with_type(_plain(field.type)) for field in table.schema]
    return conform(table, pa.schema(fields, metadata=table.schema.metadata))


def _plain(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_binary_view(kind):
        return pa.binary()
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_plain(field.type)) for field in kind])
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_plain(kind.value_type)))
    if pa.types.is_large_list(kind):
        return pa.large_list(kind.value_field.with_type(_plain(kind.value_type)))
    return kind
