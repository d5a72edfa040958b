"""Records remapped a moment ago, held while they are few: zipped without being read again."""

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
