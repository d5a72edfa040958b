"""geoarrow's extension types, which a process knows or does not."""

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
from geoarrow import pyarrow as geoarrow


@contextmanager
def geoarrow_types(*, known: bool) -> Iterator[None]:
    """Have pyarrow know geoarrow's types meanwhile, or not; then as before, for other tests."""
    before = _are_known()
    _set(known=known)
    try:
        yield
    finally:
        _set(known=before)


def _set(*, known: bool) -> None:
    if known:
        geoarrow.register_extension_types()
    else:
        geoarrow.unregister_extension_types()


def _are_known() -> bool:
    field = pa.field("g", pa.binary(), metadata={b"ARROW:extension:name": b"geoarrow.wkb"})
    read = pa.ipc.read_schema(pa.schema([field]).serialize())
    return isinstance(read.field("g").type, pa.BaseExtensionType)
