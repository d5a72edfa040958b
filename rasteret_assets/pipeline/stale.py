"""Headers known to be of an older version of their file, until they are fetched again.

They are remembered by what they say of the file: its href, entity tag and size. Once a header
was fetched again it says something else, so that nothing has to be struck off the list.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rasteret_assets.contract.spec import digest
from rasteret_assets.storage import Manifest, StageStore, StageUpdate, Workspace

STALE_STAGE: Final = "stale_headers"
_SEPARATOR: Final = "\x1f"


@dataclass(frozen=True, slots=True, kw_only=True)
class StaleHeader:
    """A header whose file has changed since."""

    band: str
    range_file: str
    """The file of the band's headers that it lies in."""
    href: str
    etag: str | None
    """As the header has it."""
    size: int | None

    @property
    def key(self) -> str:
        """What tells it from the header that takes its place."""
        size = "" if self.size is None else str(self.size)
        return _SEPARATOR.join((self.href, self.etag or "", size))


@dataclass(frozen=True, slots=True, kw_only=True)
class StaleHeaders:
    """All of a collection's, and how far looking for them has come."""

    headers: tuple[StaleHeader, ...] = ()
    at: int = 0
    """Ranges of headers looked at so far: where the next look goes on."""

    @classmethod
    def read(cls, workspace: Workspace, name: str) -> "StaleHeaders":
        """Return what is known of the collection `name`."""
        return _of(_store(workspace, name).latest())

    def write(self, workspace: Workspace, name: str) -> None:
        """Make this what is known from now on.

        Raises
        ------
        CommitConflictError
            If somebody else has written at the same moment.
        """
        store = _store(workspace, name)
        base = store.latest()
        metadata = {"at": self.at, "headers": [asdict(one) for one in self.headers]}
        generation = 0 if base is None else base.generation
        store.commit(
            StageUpdate(
                keep=(),
                write=(),
                schema=pa.schema([]),
                metadata=metadata,
                base_generation=generation,
            )
        )
        store.sweep()

    def by_range(self) -> dict[tuple[str, str], str]:
        """Return the band and file of ranges that hold one, with a digest of which."""
        found: dict[tuple[str, str], list[str]] = {}
        for one in self.headers:
            found.setdefault((one.band, one.range_file), []).append(one.key)
        return {place: digest(sorted(keys)) for place, keys in found.items()}

    def within(self, current: Mapping[str, Collection[str]]) -> tuple[StaleHeader, ...]:
        """Return those in ranges that a band still has: `current`, band to range files."""
        return tuple(one for one in self.headers if one.range_file in current.get(one.band, ()))

    def among(self, headers: pa.Table) -> NDArray[np.bool_]:
        """Return which rows of a table of the `HEADERS` schema are stale."""
        if not self.headers or not headers.num_rows:
            return np.zeros(headers.num_rows, np.bool_)
        keys = header_keys(
            headers["href"],
            pc.struct_field(headers["header"], "etag"),
            pc.struct_field(headers["header"], "file_size"),
        )
        stale = pa.array(sorted({one.key for one in self.headers}))
        return np.asarray(pc.is_in(keys, value_set=stale).to_numpy())


def header_keys(href: pa.Array, etag: pa.Array, size: pa.Array) -> pa.Array:
    """Return `StaleHeader.key` of many headers, null where there is no href."""
    return pc.binary_join_element_wise(
        href, pc.fill_null(etag, ""), pc.fill_null(size.cast(pa.string()), ""), _SEPARATOR
    )


def _store(workspace: Workspace, name: str) -> StageStore:
    return workspace.stage(name, STALE_STAGE)


def _of(manifest: Manifest | None) -> StaleHeaders:
    if manifest is None:
        return StaleHeaders()
    headers = tuple(StaleHeader(**one) for one in manifest.metadata["headers"])
    return StaleHeaders(headers=headers, at=manifest.metadata["at"])
