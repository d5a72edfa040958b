"""What was written a moment ago, held while it is little: zipped without being read again."""

import threading
from collections.abc import Iterable, Iterator

import pyarrow as pa

from rasteret_assets.contract.tables import StageBatch
from rasteret_assets.storage import Fragment

_Key = tuple[str, str]


class RecentRecords:
    """The rows of fragments made in this process, up to so many decoded bytes in all."""

    def __init__(self, most_bytes: int) -> None:
        self._left = most_bytes
        self._held: dict[_Key, list[pa.Table]] = {}

    def watch(
        self, source: str, identity: str, batches: Iterable[StageBatch]
    ) -> Iterator[StageBatch]:
        """Yield `batches`, and hold their rows unless they are too many."""
        key = (source, identity)
        rows: list[pa.Table] = []
        size = 0
        self._held.pop(key, None)
        for batch in batches:
            size += batch.rows.nbytes
            if size <= self._left:
                rows.append(batch.rows)
            else:
                rows.clear()
            yield batch
        if size <= self._left:
            self._left -= size
            self._held[key] = rows

    def rows(self, fragment: Fragment, schema: pa.Schema) -> pa.Table | None:
        """Return the rows of `fragment` if they are held, all with the columns of `schema`."""
        held = self._held.get((fragment.source, fragment.identity))
        if not held or any(one.schema.names != schema.names for one in held):
            return None
        return pa.concat_tables(held, promote_options="permissive")


class RecentHeaders:
    """Headers written by this process, all of them or, if they are too many, none."""

    def __init__(self, most_bytes: int) -> None:
        self._left = most_bytes
        self._held: dict[_Key, pa.ChunkedArray] = {}
        self._lock = threading.Lock()

    def add(self, band: str, file: str, headers: pa.ChunkedArray) -> None:
        """Hold what was written to a file of a band, unless it is too much by now."""
        with self._lock:
            self._left -= headers.nbytes
            if self._left >= 0:
                self._held[band, file] = headers
            else:
                self._held.clear()

    def rows(self, band: str, fragment: Fragment) -> pa.ChunkedArray | None:
        """Return the headers of `band` that `fragment` consists of, if they are held."""
        held = [self._held.get((band, file)) for file in fragment.files]
        if not held or any(one is None for one in held):
            return None
        return pa.chunked_array([chunk for one in held if one for chunk in one.chunks])


class Recent:
    """What a build may hold of its own work, about so many decoded bytes of each kind."""

    def __init__(self, most_bytes: int) -> None:
        self.records = RecentRecords(most_bytes)
        self.headers = RecentHeaders(most_bytes)
