"""Records read side by side: plan, fetch and decode, finish; failures by policy."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from rasteret_assets.errors import FetchError, ProblemCode, ProblemError
from rasteret_assets.fetch import run
from rasteret_assets.fetch.collector import seldom_collected
from rasteret_assets.reads.drift import reindexed
from rasteret_assets.reads.headers import BandImage
from rasteret_assets.reads.options import ReadOptions
from rasteret_assets.reads.records import Record, Skipped
from rasteret_assets.reads.tiles import TilePlan
from rasteret_assets.reads.transfer import Access, ByteGate, Indexed, Transfer, open_transfer

_RECORDS_AT_ONCE: Final = 256
_SCRATCH_BYTES: Final = 1 << 30
"""Of arrays that are not yet part of a result."""

Images = tuple[BandImage | None, ...]
"""One per band; None where a record has none."""
Finish = Callable[[], None]


class FilePlans:
    """The tiles to read of each file of a record."""

    def __init__(self) -> None:
        self._plans: dict[Indexed, TilePlan] = {}

    def of(self, image: BandImage) -> TilePlan:
        """Return the plan of the file that `image` is in."""
        file = Indexed(
            href=image.href,
            etag=image.etag,
            last_modified=image.last_modified,
            size=image.file_size,
        )
        return self._plans.setdefault(file, TilePlan())

    def items(self) -> list[tuple[Indexed, TilePlan]]:
        """Return files and plans."""
        return list(self._plans.items())


class Work(Protocol):
    """What is done with each record."""

    def scratch_bytes(self, index: int, images: Images) -> int:
        """Return what `plan` will allocate for the time of the reading."""
        ...

    def plan(self, index: int, images: Images, files: FilePlans) -> Finish:
        """Add the tiles that are needed to `files`; return what is to be done once they are in.

        That is called in a thread, side by side with that of other records.
        """
        ...


def read_records(
    records: Sequence[Record], work: Work, options: ReadOptions, access: Access
) -> dict[int, Skipped]:
    """Do `work` for all records; return those left out, by their place in `records`.

    Raises
    ------
    FetchError, TiffError
        If a file cannot be read or has changed, unless the options say to skip its record.
    """
    with seldom_collected():
        return run(_Driver(records, work, options, access).read())


class _Driver:
    def __init__(
        self, records: Sequence[Record], work: Work, options: ReadOptions, access: Access
    ) -> None:
        self._records, self._work, self._options = records, work, options
        self._access = access
        self._scratch = ByteGate(_SCRATCH_BYTES)
        self._failed: dict[int, Skipped] = {}

    async def read(self) -> dict[int, Skipped]:
        transfer = await open_transfer(self._access)
        gate = asyncio.Semaphore(_RECORDS_AT_ONCE)

        async def one(index: int) -> None:
            async with gate:
                try:
                    await self._record(transfer, index)
                except ProblemError as error:
                    self._settle(self._records[index], index, error)

        try:
            async with asyncio.TaskGroup() as group:
                for index in range(len(self._records)):
                    group.create_task(one(index))
                    await asyncio.sleep(0)  # its requests leave before the next is planned
        except ExceptionGroup as several:
            raise _first_of(several) from None
        return self._failed

    def _settle(self, record: Record, index: int, error: ProblemError) -> None:
        drifted = error.code is ProblemCode.FILE_CHANGED
        policy = self._options.on_drift if drifted else self._options.on_error
        if policy == "skip":
            self._failed[index] = Skipped(id=record.id, code=error.code, detail=error.detail)
            return
        bands = ", ".join(repr(image.band) for image in record.there)
        way_out = "on_drift" if drifted else "on_error"
        detail = f"record {record.id!r}, bands {bands}: {error.detail}; {way_out}='skip' reads "
        raise type(error)(error.code, f"{detail}the others") from error

    async def _record(self, transfer: Transfer, index: int) -> None:
        images = self._records[index].images
        try:
            await self._images(transfer, index, images)
        except FetchError as error:
            if error.code is not ProblemCode.FILE_CHANGED or self._options.on_drift != "refresh":
                raise
            loop = asyncio.get_running_loop()
            fresh = await loop.run_in_executor(None, reindexed, images, self._access)
            await self._images(transfer, index, fresh)

    async def _images(self, transfer: Transfer, index: int, images: Images) -> None:
        async with self._scratch.room(self._work.scratch_bytes(index, images)):
            files = FilePlans()
            finish = self._work.plan(index, images, files)
            try:
                async with asyncio.TaskGroup() as group:
                    for file, plan in files.items():
                        group.create_task(transfer.read(file, plan))
            except ExceptionGroup as several:
                raise _first_of(several) from None
            await asyncio.get_running_loop().run_in_executor(transfer.threads, finish)


def _first_of(group: ExceptionGroup[Exception]) -> Exception:
    """Return the first failure of several at a time."""
    first = group.exceptions[0]
    return _first_of(first) if isinstance(first, ExceptionGroup) else first
