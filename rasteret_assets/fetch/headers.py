"""Headers of many files at once, one outcome each."""

import asyncio
from collections import deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Final, Self

from rasteret_assets.contract.settings import FetchSettings
from rasteret_assets.contract.tables import Progress, Report
from rasteret_assets.errors import FetchError, ProblemCode, ProblemError
from rasteret_assets.fetch.first_read import FirstReads
from rasteret_assets.fetch.header import fetch_header
from rasteret_assets.fetch.hosts import Host
from rasteret_assets.fetch.loop import LoopThread
from rasteret_assets.fetch.reader import RangeReader
from rasteret_assets.fetch.signing import HrefSigner
from rasteret_assets.fetch.target import Target
from rasteret_assets.tiff import FileIdentity, Header

_LOCATED_AT_ONCE: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedHeader:
    """What came of one href."""

    href: str
    header: Header | None = None
    file: FileIdentity | None = None
    """Given with `header`."""
    code: ProblemCode | None = None
    """Why there is no header."""
    detail: str | None = None
    attempts: int = 0
    """Most tries that one of its requests took; 0 where the href was not asked for."""
    requests: int = 0
    """Sent for it, tries included."""
    bytes_fetched: int = 0
    """What its answers brought, whether or not a header came of it."""
    tried_at: datetime
    """When the outcome was known, UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchStats:
    """What was asked and had so far."""

    requests: int
    bytes_fetched: int


class _Lane:
    """The files of one server still to be asked for, and who sees to them."""

    __slots__ = ("queue", "workers")

    def __init__(self) -> None:
        self.queue: deque[tuple[int, Target, Hashable]] = deque()
        self.workers = 0


@dataclass(slots=True, kw_only=True)
class _Work:
    """One call of `fetch` under way."""

    outcomes: list[FetchedHeader | None]
    lanes: dict[Host, _Lane] = field(default_factory=dict)
    done: int = 0
    problems: int = 0
    requests: int = 0
    bytes_fetched: int = 0

    def settle(self, index: int, outcome: FetchedHeader) -> None:
        self.outcomes[index] = outcome
        self.done += 1
        self.problems += outcome.code is not None
        self.requests += outcome.requests
        self.bytes_fetched += outcome.bytes_fetched

    def progress(self) -> Progress:
        return Progress(
            done=self.done,
            total=len(self.outcomes),
            problems=self.problems,
            requests=self.requests,
            bytes_fetched=self.bytes_fetched,
        )


class HeaderFetcher:
    """Fetches headers of many files, over connections that outlast a call.

    A context manager for plain code: coroutines run on a loop in a thread of its own.

    Parameters
    ----------
    settings
        Limits and patience.
    signer
        Signs web addresses that need it.
    table_is_remote
        Whether the hrefs come from elsewhere; see `RangeReader`.

    Examples
    --------
    >>> with HeaderFetcher(FetchSettings()) as fetcher:        # doctest: +SKIP
    ...     outcomes = fetcher.fetch(hrefs, hint="B04")
    """

    def __init__(
        self,
        settings: FetchSettings,
        *,
        signer: HrefSigner | None = None,
        table_is_remote: bool = False,
    ) -> None:
        self._settings = settings
        self._reader = RangeReader(settings, signer=signer, table_is_remote=table_is_remote)
        self._first_reads = FirstReads(settings.first_read_bytes, settings.first_read_bytes_max)
        self._loop = LoopThread()
        self._is_open = False

    def __enter__(self) -> Self:
        self._loop.run(self._open())
        self._is_open = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_open = False
        self._loop.close()

    async def _open(self) -> None:
        await self._reader.__aenter__()
        self._loop.at_close(lambda: self._reader.__aexit__(None, None, None))

    @property
    def stats(self) -> FetchStats:
        """Requests and bytes since the fetcher was made."""
        return FetchStats(requests=self._reader.requests, bytes_fetched=self._reader.bytes_fetched)

    def fetch(
        self,
        hrefs: Sequence[str],
        *,
        hint: Hashable | Sequence[Hashable] = None,
        report: Report | None = None,
    ) -> list[FetchedHeader]:
        """Return the outcome of every href, in the order given.

        Several threads may call at once; they share connections and limits. Closing the
        fetcher ends their calls with `concurrent.futures.CancelledError`.

        Files of the same server and hint are taken to have headers of about the same size.

        Parameters
        ----------
        hrefs
            Absolute locations, each once.
        hint
            What the files have in common, such as their band; or a list or tuple of one such
            value per href.
        report
            Called by the calling thread about five times a second, and at the end.
        """
        if not self._is_open:
            msg = "the fetcher is closed; use it within `with`"
            raise RuntimeError(msg)
        hints = hint if isinstance(hint, list | tuple) else [hint] * len(hrefs)
        work = _Work(outcomes=[None] * len(hrefs))

        def poll() -> None:
            if report is not None:
                report(work.progress())

        self._loop.run(self._fetch_all(work, hrefs, hints), poll=poll)
        poll()
        return [outcome for outcome in work.outcomes if outcome is not None]

    async def _fetch_all(
        self, work: _Work, hrefs: Sequence[str], hints: Sequence[Hashable]
    ) -> None:
        """Hand the hrefs to workers of their servers, so that a slow one delays no other."""
        most = min(self._settings.max_per_host, self._settings.max_concurrent)
        async with asyncio.TaskGroup() as group:
            for index, (href, hint) in enumerate(zip(hrefs, hints, strict=True)):
                try:
                    target = self._reader.target(href)
                except FetchError as error:
                    work.settle(index, _failed(href, error))
                    continue
                lane = work.lanes.get(target.host)
                if lane is None:
                    lane = work.lanes[target.host] = _Lane()
                lane.queue.append((index, target, hint))
                if lane.workers < most:
                    lane.workers += 1
                    group.create_task(self._serve(work, lane))
                if index % _LOCATED_AT_ONCE == 0:
                    await asyncio.sleep(0)  # let the workers begin

    async def _serve(self, work: _Work, lane: _Lane) -> None:
        while lane.queue:
            index, target, hint = lane.queue.popleft()
            work.settle(index, await self._outcome(target, hint))
        lane.workers -= 1

    async def _outcome(self, target: Target, hint: Hashable) -> FetchedHeader:
        kind = (target.host, hint)
        first_read = await self._first_reads.size(kind, partial(self._reader.connect, target))
        target.on_failure = partial(self._first_reads.failed, kind)
        try:
            header, body = await fetch_header(
                self._reader, target, first_read, self._settings.budget
            )
        except ProblemError as error:
            target.failed()
            return _failed(target.href, error, target)
        self._first_reads.learn(kind, header.front_bytes)
        file = FileIdentity(
            href=target.href, etag=body.etag, last_modified=body.last_modified, size=body.size
        )
        return FetchedHeader(
            href=target.href,
            header=header,
            file=file,
            attempts=target.tries,
            requests=target.requests,
            bytes_fetched=target.bytes_fetched,
            tried_at=datetime.now(UTC),
        )


def _failed(href: str, error: ProblemError, target: Target | None = None) -> FetchedHeader:
    return FetchedHeader(
        href=href,
        code=error.code,
        detail=error.detail,
        attempts=target.tries if target else 0,
        requests=target.requests if target else 0,
        bytes_fetched=target.bytes_fetched if target else 0,
        tried_at=datetime.now(UTC),
    )
