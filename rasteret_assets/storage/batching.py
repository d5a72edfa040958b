"""Tables cut and joined until each is neither too long nor too heavy."""

from collections.abc import Iterable, Iterator

import pyarrow as pa

from rasteret_assets.contract.settings import BuildSettings


class Batcher:
    """Takes tables of one schema and gives their rows back, in order, in even batches.

    A batch has at most `batch_rows` rows and at most `batch_bytes` decoded bytes, unless a
    single row is heavier. What was taken in but not given back is less than one batch.
    """

    def __init__(self, settings: BuildSettings) -> None:
        self._settings = settings
        self._held: list[pa.Table] = []
        self._rows = 0
        self._bytes = 0

    def add(self, table: pa.Table) -> Iterator[pa.Table]:
        """Take `table` in, and give the batches that are full by now."""
        for piece in _cut(table, self._settings):
            size = piece.nbytes
            too_long = self._rows + piece.num_rows > self._settings.batch_rows
            if too_long or self._bytes + size > self._settings.batch_bytes:
                yield from self.rest()
            self._held.append(piece)
            self._rows += piece.num_rows
            self._bytes += size

    def rest(self) -> Iterator[pa.Table]:
        """Give what has been held back, if anything."""
        held, self._held, self._rows, self._bytes = self._held, [], 0, 0
        if held:
            yield pa.concat_tables(held)


def rebatch(tables: Iterable[pa.Table], settings: BuildSettings) -> Iterator[pa.Table]:
    """Give the rows of `tables` as a `Batcher` does."""
    batcher = Batcher(settings)
    for table in tables:
        yield from batcher.add(table)
    yield from batcher.rest()


def _cut(table: pa.Table, settings: BuildSettings) -> Iterator[pa.Table]:
    """Halve `table` until its pieces fit: rows may differ in weight a thousandfold."""
    rows = table.num_rows
    if rows == 0:
        return
    if rows == 1 or (rows <= settings.batch_rows and table.nbytes <= settings.batch_bytes):
        yield table
        return
    middle = min(settings.batch_rows, rows // 2)
    yield from _cut(table.slice(0, middle), settings)
    yield from _cut(table.slice(middle), settings)
