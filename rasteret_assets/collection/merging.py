"""Several Collections as one."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Final, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from rasteret_assets.collection.choosing import fault_of
from rasteret_assets.collection.handle import Collection
from rasteret_assets.collection.origin import Given, Origin
from rasteret_assets.collection.temporary import TemporaryFolder
from rasteret_assets.collection.view import View
from rasteret_assets.contract.columns import DATETIME, NAME_KEY
from rasteret_assets.contract.conform import conform, unify
from rasteret_assets.contract.kinds import is_text
from rasteret_assets.contract.settings import BuildSettings
from rasteret_assets.errors import ConfigError, WorkspaceError
from rasteret_assets.storage.filesystems import filesystem_of
from rasteret_assets.storage.writing import ParquetSink

T = TypeVar("T")

MEMBER: Final = "merged_from"
"""Column of a merged Collection: the name of the one that a record comes from."""
_TRIES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """Collections that are read as one, each where it lies."""

    members: tuple[tuple[str, Origin], ...]
    """By their names, all different."""
    metadata: dict[bytes, bytes]

    @property
    def url(self) -> str:
        """Where the first member that lies somewhere does; a remote one, if there is any."""
        urls = [origin.url for _, origin in self.members if origin.url]
        return next((url for url in urls if "://" in url), urls[0] if urls else "")

    def open(self) -> ds.Dataset:
        """Return the records of all, with `merged_from`.

        Raises
        ------
        ConfigError
            If a column is nested in one and text in another.
        """
        wholes = [(label, origin.open()) for label, origin in self.members]
        schema = _union_schema([whole.schema for _, whole in wholes], self.metadata)
        files = [file for label, whole in wholes for file in _files(whole, label)]
        return ds.FileSystemDataset(files, schema, ds.ParquetFileFormat())

    def read(self, use: Callable[[ds.Dataset], T]) -> T:
        """Return what `use` makes of the records as they are now.

        Raises
        ------
        WorkspaceError
            If files keep vanishing.
        """
        for _ in range(_TRIES):
            try:
                return use(self.open())
            except FileNotFoundError as error:
                gone = error
        msg = f"files of the merged Collections vanish while they are read ({gone}); try again"
        raise WorkspaceError(msg) from gone

    def known_rows(self, opened: ds.Dataset) -> int | None:  # noqa: ARG002  # of the protocol
        """Return None: of some members a part alone is meant."""
        return None

    def problems(self, ids: pa.Array | None = None) -> pa.Table:
        """Return those of all."""
        return pa.concat_tables([origin.problems(ids) for _, origin in self.members])


def merge(*collections: Collection, name: str | None = None) -> Collection:
    """Return the records of several Collections as one, with their name as `merged_from`.

    Columns are those of all, null where a Collection lacks one. Files are read where they
    lie; only views by `head` or `bands`, and rows in memory, are written to a temporary folder.
    The same record in two of them comes twice.

    Parameters
    ----------
    name
        What to call it; the names, joined by " + ", by default.

    Raises
    ------
    ConfigError
        If there is none, or a column is nested in one and text in another.
    """
    if not collections:
        msg = "merge needs at least one Collection"
        raise ConfigError(msg)
    folder = TemporaryFolder()
    joined = name or " + ".join(one.name or "records" for one in collections)
    first = collections[0].schema.metadata or {}
    schema = _union_schema([one.schema for one in collections], first)
    members: list[tuple[str, Origin]] = []
    conditions: list[pc.Expression] = []
    for label, one in zip(_labels(collections), collections, strict=True):
        at_hand = _at_hand(one, schema)
        origin = one.origin if at_hand else _written(one, f"{folder.path}/{len(members)}.parquet")
        members.append((label, origin))
        own = pc.field(MEMBER) == label
        steps = [step for step in one.view.steps if at_hand and not isinstance(step, int)]
        conditions.append(reduce(lambda all_of, step: all_of & step, steps, own))
    merged = Merged(members=tuple(members), metadata={**first, NAME_KEY: joined.encode()})
    return Collection(
        origin=merged,
        whole=merged.open(),
        view=View(steps=(reduce(or_, conditions),)),
        keeps=(folder, *(one.keeps for one in collections)),
        signs=tuple(dict.fromkeys(sign for one in collections for sign in one.signers)),
    )


def _labels(collections: Sequence[Collection]) -> list[str]:
    """Return the names, those that come again with a number."""
    seen: Counter[str] = Counter()
    labels = []
    for one in collections:
        seen[one.name] += 1
        labels.append(one.name if seen[one.name] == 1 else f"{one.name} ({seen[one.name]})")
    return labels


def _at_hand(one: Collection, schema: pa.Schema) -> bool:
    """Whether the view is files and a condition on them, under the columns of all."""
    conditions = [step for step in one.view.steps if not isinstance(step, int)]
    return (
        isinstance(one.whole, ds.FileSystemDataset)
        and not isinstance(one.origin, Given | Merged)
        and one.view.bands is None
        and not one.view.limits
        and all(fault_of(condition, schema) is None for condition in conditions)
    )


def _written(one: Collection, path: str) -> Origin:
    """Return the rows of a view, written to one file."""
    names = [name for name in one.schema.names if name != MEMBER]
    schema = pa.schema([one.schema.field(name) for name in names], one.schema.metadata)
    fs, place = filesystem_of(path)

    def write(rows: ds.Dataset) -> None:
        with ParquetSink(fs, place, schema, BuildSettings()) as sink:
            for batch in rows.to_batches(columns=names):
                sink.write(conform(pa.Table.from_batches([batch]), schema))

    one.read(write)
    return Given(dataset=ds.dataset(path, format="parquet"))


def _files(whole: ds.Dataset, label: str) -> list[ds.Fragment]:
    """Return the files of a member, each known to be of it."""
    return [
        part.format.make_fragment(
            part.path,
            part.filesystem,
            partition_expression=part.partition_expression & (pc.field(MEMBER) == label),
        )
        for part in whole.get_fragments()
    ]


def _union_schema(schemas: Sequence[pa.Schema], metadata: dict[bytes, bytes]) -> pa.Schema:
    plain = [_in_utc(schema) for schema in schemas]
    found = unify(plain)
    for schema in plain:
        for field in schema:
            if pa.types.is_nested(field.type) and is_text(found.field(field.name).type):
                msg = f"column {field.name} is {field.type} in one, text in another; drop it in one"
                raise ConfigError(msg)
    if MEMBER not in found.names:
        found = found.append(pa.field(MEMBER, pa.string()))
    return found.with_metadata(metadata)


def _in_utc(schema: pa.Schema) -> pa.Schema:
    """Return the schema with `datetime` in UTC, which times without a zone mean."""
    at = schema.get_field_index("datetime")
    kind = schema.field(at).type
    known = pa.types.is_timestamp(kind) and kind.tz is None
    return schema.set(at, pa.field("datetime", DATETIME)) if known else schema
