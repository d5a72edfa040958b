"""Byte ranges of files wherever they are: limits, retries, redirects, typed failures."""

import asyncio
import random
import time
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

import aiohttp

from rasteret_assets.contract.settings import FetchSettings
from rasteret_assets.errors import FetchError, ProblemCode, ProblemError
from rasteret_assets.fetch.body import Body, TransientError
from rasteret_assets.fetch.exchange import exchange, identify
from rasteret_assets.fetch.hosts import Gate, Host, Patience
from rasteret_assets.fetch.local import identify_local, read_local
from rasteret_assets.fetch.origins import Origins
from rasteret_assets.fetch.outcomes import Refusal, broken
from rasteret_assets.fetch.proxies import Proxies
from rasteret_assets.fetch.redirects import moved_to
from rasteret_assets.fetch.session import open_session
from rasteret_assets.fetch.signing import HrefSigner
from rasteret_assets.fetch.target import Address, Target
from rasteret_assets.fetch.time_limit import TimeLimit
from rasteret_assets.fetch.wire import Wire
from rasteret_assets.locations import locate

_REDIRECTS: Final = 5
_CURES: Final = 2
_FIRST_WAIT_S: Final = 0.5
_LONGEST_WAIT_S: Final = 10.0
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_REFUSED: Final = (401, 403)
_NO_HEADERS: Final[dict[str, str]] = {}
_Span = tuple[int, int] | None
"""Start and stop of a range; None asks what the file is, without its bytes (HEAD)."""


class RangeReader:
    """Reads byte ranges over one pool of connections.

    An async context manager; its coroutines belong to the loop it was entered on. Failures
    that can heal are retried within the limits of `settings`; every failure of a file is a
    `FetchError`.

    Parameters
    ----------
    settings
        Limits and patience.
    signer
        Signs web addresses that need it.
    table_is_remote
        Whether the hrefs come from elsewhere; those of local files are then refused unless
        the settings allow them.
    """

    def __init__(
        self,
        settings: FetchSettings,
        *,
        signer: HrefSigner | None = None,
        table_is_remote: bool = False,
    ) -> None:
        self.settings = settings
        self.requests = 0
        """Requests sent so far, tries included; reads of local files as well."""
        self.bytes_fetched = 0
        self._origins = Origins(settings, signer)
        self._local_allowed = settings.allow_local_files or not table_is_remote
        self._patience = Patience.of(settings)
        self._hosts: dict[str, Host] = {}
        self._gate = Gate(settings.max_concurrent)
        self._time_limit = TimeLimit(settings.request_timeout_s)
        self._proxies = Proxies()
        self._wire: Wire | None = None

    async def __aenter__(self) -> Self:
        self._wire = Wire(open_session(self.settings))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._wire is not None:
            await self._wire.session.close()
            self._wire = None

    async def read(self, href: str, start: int, stop: int) -> Body:
        """Return the bytes from `start` to `stop` of the file at `href`.

        Fewer come back only where the file ends.

        Raises
        ------
        FetchError
            With the code and detail of what went wrong, once retries are used up.
        """
        return await self.read_range(self.target(href), start, stop)

    async def identify(self, href: str) -> Body:
        """Return which version the file at `href` is now, without its bytes: `data` is empty.

        Raises
        ------
        FetchError
            As `read` does; UNUSABLE_RESPONSE, too, where the server does not answer HEAD requests.
        """
        return await self._try(self.target(href), None)

    def target(self, href: str) -> Target:
        """Return a file whose ranges `read_range` takes; its retries share one time budget.

        Raises
        ------
        FetchError
            HREF_INVALID or ADDRESS_BLOCKED.
        """
        try:
            location = locate(href)
        except ProblemError as error:
            raise FetchError(error.code, error.detail) from None
        if location.scheme == "file" and not self._local_allowed:
            detail = "a table from elsewhere names a file of this machine"
            raise FetchError(ProblemCode.ADDRESS_BLOCKED, detail)
        key = self._origins.limits_key(location)
        if (host := self._hosts.get(key)) is None:
            host = Host(self.settings.max_per_host, self._patience)
            self._hosts[key] = host
        return Target(href, location, self._origins.of(location), host)

    async def connect(self, target: Target) -> None:
        """Open a connection to the server of `target` ahead of time, if that can be done.

        What stands in the way will meet the request itself, and is told of then.
        """
        wire = self._wire
        if wire is None or target.location.scheme == "file":
            return
        with suppress(FetchError, aiohttp.ClientError, OSError):
            sent = await self._address(target, "GET")
            if self._proxies.of(sent.url) is None:
                await wire.connect(sent.url)

    async def read_range(self, target: Target, start: int, stop: int) -> Body:
        """Return the bytes from `start` to `stop` of `target`, as `read` does."""
        body = await self._try(target, (start, stop))
        got = start + len(body.data)
        wanted = stop if body.size is None else min(stop, body.size)
        if got >= wanted or body.size is None:
            return body
        return await self._complete(target, body, start, wanted)

    async def _complete(self, target: Target, body: Body, start: int, stop: int) -> Body:
        """Ask for what is missing of a body that came back short, as often as it grows."""
        data = body.data
        for _ in range(self.settings.max_attempts):
            rest = await self._try(target, (start + len(data), stop))
            if not rest.is_of_same_file(body):
                raise FetchError(ProblemCode.FILE_CHANGED, "the file changed while it was read")
            data = b"".join((data, rest.data))
            if start + len(data) >= stop:
                return Body(
                    data=data, etag=body.etag, last_modified=body.last_modified, size=body.size
                )
        raise FetchError(ProblemCode.BAD_RESPONSE, "the answers came back short again and again")

    async def _try(self, target: Target, span: _Span) -> Body:
        """Ask until an answer is had, or patience is out."""
        tries = 0
        while True:
            sent_at = await self._enter(target)
            tries += 1
            target.tries = max(target.tries, tries)
            try:
                with self._time_limit.span():
                    body = await self._ask(target, span)
            except FetchError as error:
                failure = error
            except (aiohttp.ClientError, OSError) as error:
                failure = broken(error)
            else:
                target.host.answered()
                self.bytes_fetched += len(body.data)
                target.bytes_fetched += len(body.data)
                return body
            finally:
                target.host.gate.leave()
                self._gate.leave()
            await self._after(failure, target, tries, sent_at)

    async def _enter(self, target: Target) -> float:
        """Wait for the server's leave and for room; return the time."""
        host = target.host
        if not host.gate.try_enter():
            await host.gate.enter()
        try:
            if not host.is_well:
                host.check()
                await self._pause(target)
            if not self._gate.try_enter():
                await self._gate.enter()
        except BaseException:
            host.gate.leave()
            raise
        now = time.monotonic()
        if target.deadline is None:
            target.deadline = now + self.settings.retry_budget_s
        return now

    async def _pause(self, target: Target) -> None:
        """Wait as long as the server asked for, unless that is longer than the file's time."""
        now = time.monotonic()
        ends = target.deadline or now + self.settings.retry_budget_s
        while (wait := target.host.paused_until - now) > 0:
            if now + wait > ends:
                detail = f"the server asks to wait another {wait:.0f} s"
                raise FetchError(ProblemCode.THROTTLED, detail)
            await asyncio.sleep(wait)
            now = time.monotonic()
        target.host.paused_until = 0.0

    async def _after(self, failure: FetchError, target: Target, tries: int, sent_at: float) -> None:
        """Return once it is time to try again.

        Raises
        ------
        FetchError
            `failure`, if it is final or patience is out.
        """
        target.failed()
        if not isinstance(failure, TransientError):
            target.host.answered()
            raise failure
        target.host.failed(failure, sent_at)
        wait = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** (tries - 1))
        wait *= random.uniform(0.5, 1.0)  # noqa: S311 - so that tries do not come all at once
        wait = max(wait, failure.retry_after_s or 0.0)
        ends = target.deadline or 0.0
        if tries >= self.settings.max_attempts or time.monotonic() + wait > ends:
            raise failure
        await asyncio.sleep(wait)

    async def _ask(self, target: Target, span: _Span) -> Body:
        """Ask once; refusals that can be cured, and redirects, are asked again at once."""
        if target.location.scheme == "file":
            self._count(target)
            path = target.location.path
            if span is None:
                return await asyncio.to_thread(identify_local, path)
            return await asyncio.to_thread(read_local, path, *span)
        wire = self._wire
        if wire is None:
            msg = "the reader is closed; use it within `async with`"
            raise RuntimeError(msg)
        cures = hops = 0
        while True:
            sent = await self._address(target, "HEAD" if span is None else "GET")
            self._count(target)
            proxy = self._proxies.of(sent.url)
            if span is None:
                answer = await identify(wire.session, sent.url, sent.headers, proxy=proxy)
            else:
                answer = await exchange(wire, sent.url, sent.headers, *span, proxy=proxy)
            if isinstance(answer, Body):
                return answer
            if cures < _CURES and _cure(target, sent, answer):
                cures += 1
                continue
            if answer.status not in _MOVED or hops >= _REDIRECTS:
                raise answer.as_error()
            target.redirected = moved_to(sent, answer)
            hops += 1

    def _count(self, target: Target) -> None:
        self.requests += 1
        target.requests += 1

    async def _address(self, target: Target, method: str) -> Address:
        if target.redirected is not None:
            return Address(target.redirected, _NO_HEADERS)
        return await target.origin.address(target.location, method)


def _cure(target: Target, sent: Address, refusal: Refusal) -> bool:
    """Whether the refusal taught something, so that asking again may go better."""
    if target.redirected is None:
        return target.origin.cure(target.location, sent, refusal)
    if refusal.status in _REFUSED:
        target.redirected = None  # where it led was signed for a while only
        return True
    return False
