"""Where a Collection's records come from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import pyarrow as pa
import pyarrow.dataset as ds

from rasteret_assets.contract.bands import BAND_SUFFIX
from rasteret_assets.contract.columns import BBOX
from rasteret_assets.contract.kinds import is_binary, is_text
from rasteret_assets.contract.problems import PROBLEMS
from rasteret_assets.errors import TableError, WorkspaceError
from rasteret_assets.geo.geoparquet import storage_of

T = TypeVar("T")


class Origin(Protocol):
    """What a Collection is opened from, and again when its files were replaced.

    A `CollectionStore` is one.
    """

    @property
    def url(self) -> str:
        """The folder or URL; empty for what is in memory."""
        ...

    def open(self) -> ds.Dataset:
        """Return the records as they are now."""
        ...

    def read(self, use: Callable[[ds.Dataset], T]) -> T:
        """Return what `use` makes of the records as they are now."""
        ...

    def known_rows(self, opened: ds.Dataset) -> int | None:
        """Return the number of records `open` gave; None where that takes reading them."""
        ...

    def problems(self, ids: pa.Array | None = None) -> pa.Table:
        """Return what was set aside while they were gathered, or what is about `ids`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A dataset that a caller has opened, or holds in memory."""

    dataset: ds.Dataset

    @property
    def url(self) -> str:
        """Nothing: it is not known where it lies, if anywhere."""
        return ""

    def open(self) -> ds.Dataset:
        """Return the dataset."""
        return self.dataset

    def read(self, use: Callable[[ds.Dataset], T]) -> T:
        """Return what `use` makes of the dataset.

        Raises
        ------
        WorkspaceError
            If its files are gone; only the caller knows how to open it again.
        """
        try:
            return use(self.dataset)
        except FileNotFoundError as error:
            msg = f"files of the dataset are gone ({error}); open it again"
            raise WorkspaceError(msg) from error

    def known_rows(self, opened: ds.Dataset) -> int | None:  # noqa: ARG002  # of the protocol
        """Return None: nothing but the rows tells how many they are."""
        return None

    def problems(self, ids: pa.Array | None = None) -> pa.Table:  # noqa: ARG002  # of the protocol
        """Return an empty table."""
        return PROBLEMS.empty_table()


def check_ready(schema: pa.Schema) -> None:
    """Check that rows of `schema` can be read as those of a Collection.

    Raises
    ------
    TableError
        If a column is missing or of another type; the message names all such.
    """
    faults = [
        f"{name} {'is missing' if said is None else f'is {said}'}, not {wanted}"
        for name, said, wanted in (
            ("id", *_fits(schema, "id", is_text, "text")),
            ("datetime", *_fits(schema, "datetime", pa.types.is_timestamp, "a timestamp")),
            ("geometry", *_fits(schema, "geometry", is_binary, "WKB")),
            ("bbox", *_fits(schema, "bbox", _is_box, "a struct of xmin, ymin, xmax, ymax")),
        )
        if wanted
    ]
    faults += [
        f"{field.name} is {field.type}, not a struct of headers"
        for field in schema
        if field.name.endswith(BAND_SUFFIX) and not pa.types.is_struct(field.type)
    ]
    if faults:
        msg = (
            f"these are no rows of a Collection: {'; '.join(faults)}. The columns are "
            f"{schema.names}; build_from_table makes a Collection of a record table"
        )
        raise TableError(msg)


def _fits(
    schema: pa.Schema, name: str, fits: Callable[[pa.DataType], bool], wanted: str
) -> tuple[pa.DataType | None, str]:
    """Return the column's type and, unless it fits, what it should be."""
    at = schema.get_field_index(name)
    kind = None if at < 0 else storage_of(schema.field(at))
    return kind, "" if kind is not None and fits(kind) else wanted


def _is_box(kind: pa.DataType) -> bool:
    return pa.types.is_struct(kind) and {f.name for f in BBOX} <= {f.name for f in kind}
