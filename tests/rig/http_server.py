"""A real HTTP/1.1 range server on a free loopback port, with faults on demand.

>>> with RangeServer(folder) as server:                        # doctest: +SKIP
...     server.put("made.tif", b"II*...")                       # or files of `folder`
...     server.plan("made.tif", Fault(status=503), Fault(reset=True))  # next two requests
...     fetch(server.url("made.tif"))
...     assert len(server.seen("made.tif")) == 3
"""

import asyncio
import secrets
import socket
import struct
import threading
import time
from collections import defaultdict, deque
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import parse_qs, quote, unquote, urlsplit

from tests.rig.http_answers import Answer, Fault, Request, compose

__all__ = ["Fault", "RangeServer", "Seen", "free_port"]

T = TypeVar("T")
_PIECE = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request as it arrived, and how much was sent for it."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    """Names in lower case."""
    status: int
    body_bytes: int
    """Of the body, as far as it was sent before the client went away."""
    at: float
    """`time.monotonic()` when the request had been read."""

    @property
    def range(self) -> str:
        """The Range header, e.g. `bytes=0-16383`; empty without one."""
        return self.headers.get("range", "")


@dataclass(slots=True, kw_only=True)
class _Record:
    """What becomes of one request; in the books from its arrival on."""

    request: Request
    at: float
    status: int = 0
    body_bytes: int = 0


class RangeServer:
    """Serves a folder and bytes put into it, by ranges; counts, and misbehaves as planned."""

    def __init__(self, folder: Path | None = None, *, latency_s: float = 0.0) -> None:
        self.latency_s = latency_s
        """Added to every answer."""
        self.peak_in_flight = 0
        """Most requests being answered at the same time."""
        self.connections = 0
        """Connections opened."""
        self._folder = folder
        self._made: dict[str, bytes] = {}
        self._plans: dict[str, deque[Fault]] = defaultdict(deque)
        self._always: dict[str, Fault] = {}
        self._records: list[_Record] = []
        self._in_flight = 0
        self._token_ends: dict[str, float] | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()

    # --- for tests -----------------------------------------------------------------------

    def url(self, path: str = "") -> str:
        """The address of `path`, percent-encoded."""
        return f"http://127.0.0.1:{self.port}/{quote(path)}"

    def put(self, path: str, body: bytes) -> str:
        """Serve `body` at `path` from now on; return its address."""
        self._made[path] = body
        return self.url(path)

    def plan(self, path: str, *faults: Fault) -> None:
        """Let the next requests for `path` meet `faults`, one each, in this order."""
        self._plans[path].extend(faults)

    def always(self, path: str, fault: Fault | None) -> None:
        """Let every request for `path` (those planned aside) meet `fault`; None ends it."""
        if fault is None:
            self._always.pop(path, None)
        else:
            self._always[path] = fault

    def seen(self, path: str | None = None) -> list[Seen]:
        """The requests so far, of `path` or all, in the order they came."""
        return [
            Seen(
                method=record.request.method,
                path=record.request.path,
                query=record.request.query,
                headers=record.request.headers,
                status=record.status,
                body_bytes=record.body_bytes,
                at=record.at,
            )
            for record in list(self._records)
            if path is None or record.request.path == path
        ]

    def body_bytes(self, path: str | None = None) -> int:
        """Bytes of bodies sent so far, of `path` or all."""
        return sum(one.body_bytes for one in self.seen(path))

    def forget(self) -> None:
        """Start counting again."""
        self._records.clear()
        self.peak_in_flight = self._in_flight
        self.connections = 0

    def demand_tokens(self) -> None:
        """From now on answer 403 unless the query has `sig=` with a token that still holds."""
        self._token_ends = {} if self._token_ends is None else self._token_ends

    def issue_token(self, ttl_s: float = 3600.0) -> str:
        """Return a new value for `sig=`, good for `ttl_s` seconds."""
        self.demand_tokens()
        token = secrets.token_hex(8)
        assert self._token_ends is not None
        self._token_ends[token] = time.monotonic() + ttl_s
        return token

    def expire_tokens(self) -> None:
        """Make every token issued so far worthless."""
        self._token_ends = {}

    # --- life ----------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._call(self._listen())
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=1024)

    async def _stop(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    # --- one connection ------------------------------------------------------------------

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.get_running_loop().create_task(self._converse(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await self._read(reader)) is not None:
                record = _Record(request=request, at=time.monotonic())
                self._records.append(record)
                self._in_flight += 1
                self.peak_in_flight = max(self.peak_in_flight, self._in_flight)
                try:
                    keep = await self._answer(record, writer)
                finally:
                    self._in_flight -= 1
                if not keep:
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away, as clients may
        finally:
            writer.transport.abort()

    async def _read(self, reader: asyncio.StreamReader) -> Request | None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        first, *rest = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        method, target, _ = first.split(" ")
        parts = urlsplit(target)
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in rest)
        }
        await reader.readexactly(int(headers.get("content-length", "0")))
        path = unquote(parts.path.removeprefix("/"))
        return Request(method=method, path=path, query=parts.query, headers=headers)

    async def _answer(self, record: _Record, writer: asyncio.StreamWriter) -> bool:
        """Answer; return whether the connection is kept."""
        request = record.request
        planned = self._plans.get(request.path)
        fault = planned.popleft() if planned else self._always.get(request.path, Fault())
        if wait := self.latency_s + fault.delay_s:
            await asyncio.sleep(wait)
        if fault.reset:
            _reset(writer)
            return False
        answer = self._compose(request, fault)
        record.status = answer.status
        lines = [f"HTTP/1.1 {answer.status} {answer.phrase}"]
        lines += [f"{name}: {value}" for name, value in answer.headers.items() if value]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        body = answer.body if request.method != "HEAD" else b""
        await self._send(record, writer, body[: fault.cut_after])
        return fault.cut_after is None

    async def _send(self, record: _Record, writer: asyncio.StreamWriter, body: bytes) -> None:
        """Write `body` piece by piece, as fast as the client takes it."""
        for start in range(0, len(body), _PIECE):
            piece = body[start : start + _PIECE]
            record.body_bytes += len(piece)
            writer.write(piece)
            await writer.drain()
        await writer.drain()

    # --- one answer ----------------------------------------------------------------------

    def _compose(self, request: Request, fault: Fault) -> Answer:
        if fault.status is None and not self._token_holds(request.query):
            fault = Fault(status=403, body=b"token missing or expired")
        return compose(request, fault, self._content(request.path))

    def _content(self, path: str) -> bytes | None:
        if path in self._made:
            return self._made[path]
        if self._folder is None:
            return None
        file = self._folder / path
        return file.read_bytes() if file.is_file() else None

    def _token_holds(self, query: str) -> bool:
        if self._token_ends is None:
            return True
        (token, *_) = parse_qs(query).get("sig", [""])
        return self._token_ends.get(token, 0.0) > time.monotonic()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with a TCP reset: SO_LINGER of zero seconds."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def free_port() -> int:
    """A loopback TCP port that nothing listens on just now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
