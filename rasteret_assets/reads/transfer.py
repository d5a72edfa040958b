"""Fetching and decoding at the same time: bytes on the loop, pixels in threads."""

import asyncio
import os
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from rasteret_assets.contract.settings import FetchSettings
from rasteret_assets.errors import FetchError, ProblemCode
from rasteret_assets.fetch import Body, HrefSigner, RangeReader, shared_reader
from rasteret_assets.fetch.target import Target
from rasteret_assets.reads.jobs import Jobs
from rasteret_assets.reads.left_out import Reasons
from rasteret_assets.reads.tiles import Tile, TilePlan

IN_FLIGHT_BYTES: Final = 64 << 20
"""Bytes asked for and not yet decoded, at most: enough to keep 5 Gbit/s busy over 100 ms. Four
times as many are no faster, but memory that was never used before is slow at first."""
_DECODED_TOGETHER: Final = 512 << 10
"""Stored bytes that one thread takes at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How files are reached."""

    settings: FetchSettings = field(default_factory=FetchSettings)
    signer: HrefSigner | None = None
    table_is_remote: bool = False
    """Whether the hrefs come from elsewhere; see `fetch.RangeReader`."""
    reasons: Reasons | None = None
    """Tells why records have no header of a band."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexed:
    """Which version of which file the index is of."""

    href: str
    etag: str | None
    last_modified: str | None
    size: int | None
    _known: Body = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        known = Body(data=b"", etag=self.etag, last_modified=self.last_modified, size=self.size)
        object.__setattr__(self, "_known", known)

    def check(self, body: Body) -> None:
        """Refuse bytes of another version.

        Raises
        ------
        FetchError
            `file_changed`.
        """
        if not self._known.is_of_same_file(body):
            detail = f"the file has changed since it was indexed: {_version(self._known)} then, "
            raise FetchError(ProblemCode.FILE_CHANGED, f"{detail}{_version(body)} now")


def _version(body: Body) -> str:
    return f"{body.size} bytes, etag {body.etag}, of {body.last_modified}"


class ByteGate:
    """Lets so many bytes through at a time, in the order asked."""

    def __init__(self, capacity: int) -> None:
        self._capacity = self._left = capacity
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    def room(self, size: int) -> "_Room":
        """Return a context manager that holds `size` bytes; more than the whole goes alone."""
        return _Room(self, min(size, self._capacity))

    async def enter(self, size: int) -> None:
        """Return once `size` bytes, which the whole has, are held."""
        if not self._waiting and size <= self._left:
            self._left -= size
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            self._give_up(size, turn)
            raise

    def leave(self, size: int) -> None:
        """Give back `size` bytes."""
        self._left += size
        if self._waiting:
            self._let_in()

    def _give_up(self, size: int, turn: "asyncio.Future[None]") -> None:
        if turn.cancelled() or not turn.done():
            self._waiting = deque(one for one in self._waiting if one[1] is not turn)
        else:
            self._left += size
        self._let_in()

    def _let_in(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._left:
            size, turn = self._waiting.popleft()
            if not turn.done():
                self._left -= size
                turn.set_result(None)


class _Room:
    """Bytes of a gate, held while the block runs; a generator for each would cost more."""

    __slots__ = ("_gate", "_size")

    def __init__(self, gate: ByteGate, size: int) -> None:
        self._gate, self._size = gate, size

    async def __aenter__(self) -> None:
        await self._gate.enter(self._size)

    async def __aexit__(self, *raised: object) -> None:
        self._gate.leave(self._size)


class Transfer:
    """Reads tiles for one call."""

    def __init__(self, reader: RangeReader, threads: ThreadPoolExecutor) -> None:
        self._reader = reader
        self.threads = threads
        self._gate = ByteGate(IN_FLIGHT_BYTES)
        self._jobs = Jobs(threads)

    async def read(self, file: Indexed, plan: TilePlan) -> None:
        """Fetch the tiles of `plan` and put their pixels where they go.

        Raises
        ------
        FetchError
            If bytes cannot be had, or are of another version of the file.
        TiffError
            If a tile cannot be decoded.
        """
        if not (batches := list(plan.requests())):
            return
        target = self._reader.target(file.href)
        if len(batches) == 1:
            await self._batch(file, target, batches[0])
            return
        async with asyncio.TaskGroup() as group:
            for batch in batches:
                group.create_task(self._batch(file, target.again(), batch))

    async def _batch(self, file: Indexed, target: Target, tiles: list[Tile]) -> None:
        start, stop = tiles[0].start, max(tile.stop for tile in tiles)
        async with self._gate.room(stop - start):
            try:
                body = await self._reader.read_range(target, start, stop)
            except FetchError as error:
                if error.code is ProblemCode.TRUNCATED and stop <= (file.size or 0):
                    detail = f"the file is shorter than when it was indexed: {error.detail}"
                    raise FetchError(ProblemCode.FILE_CHANGED, detail) from error
                raise
            file.check(body)
            if len(body.data) < stop - start:
                detail = f"tiles lie up to byte {stop}, the file ends at {start + len(body.data)}"
                raise FetchError(ProblemCode.TRUNCATED, detail)
            await self._decoded(tiles, body.data, start)

    async def _decoded(self, tiles: list[Tile], data: bytes | memoryview, start: int) -> None:
        """Return once threads have decoded `tiles`, whose bytes begin at `start` of the file."""
        parts = [self._jobs.do(partial(_decode, part, data, start)) for part in _parts(tiles)]
        if len(parts) == 1:  # most often, and cheaper
            await parts[0]
        else:
            await asyncio.gather(*parts)


def _parts(tiles: Sequence[Tile]) -> list[list[Tile]]:
    """Return the tiles in parts worth a thread's while."""
    parts: list[list[Tile]] = [[]]
    size = 0
    for tile in tiles:
        if size >= _DECODED_TOGETHER:
            parts.append([])
            size = 0
        parts[-1].append(tile)
        size += tile.stop - tile.start
    return parts


def _decode(tiles: Sequence[Tile], data: bytes | memoryview, start: int) -> None:
    shared = memoryview(data)
    for tile in tiles:
        tile.decode(shared[tile.start - start : tile.stop - start])


_THREADS: Final[dict[int, ThreadPoolExecutor]] = {}


def _threads() -> ThreadPoolExecutor:
    """Return this process's threads; a fork has none of its parent's."""
    if (threads := _THREADS.get(os.getpid())) is None:
        cores = os.cpu_count() or 1
        threads = ThreadPoolExecutor(cores, thread_name_prefix="rasteret-assets-decode")
        _THREADS[os.getpid()] = threads
    return threads


async def open_transfer(access: Access) -> Transfer:
    """Return what reads tiles; connections and threads are shared by all calls."""
    reader = await shared_reader(
        access.settings, signer=access.signer, table_is_remote=access.table_is_remote
    )
    return Transfer(reader, _threads())
