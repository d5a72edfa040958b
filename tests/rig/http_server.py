"""A real HTTP/1.1 range server on a free loopback port, with faults on demand.

>>> with RangeServer(folder) as server:                        # doctest: +SKIP
...     server.put("made.tif", b"II*...")                       # or files of `folder`
...     server.plan("made.tif", Fault(status=503), Fault(reset=True))  # next two requests
...     fetch(server.url("made.tif"))
...     assert len(server.seen("made.tif")) == 3
"""

import asyncio
import hashlib
import itertools
import secrets
import socket
import struct
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import parse_qs, quote, unquote, urlsplit

T = TypeVar("T")
MADE_AT = "Mon, 01 Jan 2024 00:00:00 GMT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is out of the ordinary in one answer; the fields combine."""

    status: int | None = None
    """Answer with this status and `body` instead of the file."""
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Added to the answer, or replacing a header of the same name (as written here); a
    value of "" leaves the header out: `{"ETag": ""}`."""
    delay_s: float = 0.0
    """Wait before answering; a large value is a server that hangs."""
    reset: bool = False
    """Send a TCP reset instead of an answer."""
    cut_after: int | None = None
    """Close the connection after this many bytes of the body."""
    stop_after: int | None = None
    """Say and send only this many bytes of the range, as a well-formed 206."""
    ignore_range: bool = False
    """Answer 200 with the whole file."""
    replace: bytes | None = None
    """Serve these bytes as the file."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    method: str
    path: str
    query: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    status: int
    headers: dict[str, str]
    body: bytes


def _range_of(header: str, size: int) -> tuple[int, int] | None:
    """Return the half-open range a Range header asks of a file; None if it cannot be met."""
    first, _, last = header.removeprefix("bytes=").partition("-")
    if not first:
        return max(0, size - int(last)), size
    start = int(first)
    stop = min(int(last) + 1, size) if last else size
    return (start, stop) if start < stop else None


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
        self._seen: list[Seen] = []
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
        """The requests so far, of `path` or all, in the order they were answered."""
        return [one for one in list(self._seen) if path is None or one.path == path]

    def body_bytes(self, path: str | None = None) -> int:
        """Bytes of bodies sent so far, of `path` or all."""
        return sum(one.body_bytes for one in self.seen(path))

    def forget(self) -> None:
        """Start counting again."""
        self._seen.clear()
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
                at = time.monotonic()
                self._in_flight += 1
                self.peak_in_flight = max(self.peak_in_flight, self._in_flight)
                try:
                    keep = await self._answer(request, writer, at)
                finally:
                    self._in_flight -= 1
                if not keep:
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away, as clients may
        finally:
            writer.transport.abort()

    async def _read(self, reader: asyncio.StreamReader) -> _Request | None:
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
        path = unquote(parts.path.removeprefix("/"))
        return _Request(method=method, path=path, query=parts.query, headers=headers)

    async def _answer(self, request: _Request, writer: asyncio.StreamWriter, at: float) -> bool:
        planned = self._plans.get(request.path)
        fault = planned.popleft() if planned else self._always.get(request.path, Fault())
        if wait := self.latency_s + fault.delay_s:
            await asyncio.sleep(wait)
        if fault.reset:
            self._note(request, 0, 0, at)
            _reset(writer)
            return False
        answer = self._compose(request, fault)
        lines = [f"HTTP/1.1 {answer.status} {_phrase(answer.status)}"]
        lines += [f"{name}: {value}" for name, value in answer.headers.items() if value]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        body = answer.body if request.method != "HEAD" else b""
        sent = await self._send(writer, body[: fault.cut_after])
        self._note(request, answer.status, sent, at)
        await writer.drain()
        return fault.cut_after is None and sent == len(body)

    async def _send(self, writer: asyncio.StreamWriter, body: bytes) -> int:
        """Write `body` piece by piece; return how much went out before the client closed."""
        for start in itertools.count(0, 1 << 16):
            if start >= len(body):
                return len(body)
            writer.write(body[start : start + (1 << 16)])
            try:
                await writer.drain()
            except ConnectionError:
                return start
        raise AssertionError

    def _note(self, request: _Request, status: int, sent: int, at: float) -> None:
        self._seen.append(
            Seen(
                method=request.method,
                path=request.path,
                query=request.query,
                headers=request.headers,
                status=status,
                body_bytes=sent,
                at=at,
            )
        )

    # --- one answer ----------------------------------------------------------------------

    def _compose(self, request: _Request, fault: Fault) -> _Answer:
        answer = self._plain(request, fault)
        answer.headers.update(fault.headers)
        answer.headers.setdefault("Content-Length", str(len(answer.body)))
        return answer

    def _plain(self, request: _Request, fault: Fault) -> _Answer:
        if fault.status is not None:
            return _Answer(status=fault.status, headers={}, body=fault.body)
        if not self._token_holds(request.query):
            return _Answer(status=403, headers={}, body=b"token missing or expired")
        found = fault.replace if fault.replace is not None else self._content(request.path)
        if found is None:
            return _Answer(status=404, headers={}, body=b"no such file")
        headers = {
            "ETag": f'"{hashlib.sha256(found).hexdigest()[:16]}"',
            "Last-Modified": MADE_AT,
            "Accept-Ranges": "bytes",
        }
        match = request.headers.get("if-match")
        if match is not None and match != fault.headers.get("ETag", headers["ETag"]):
            return _Answer(status=412, headers=headers, body=b"")
        return self._part(request, fault, found, headers)

    def _part(
        self, request: _Request, fault: Fault, found: bytes, headers: dict[str, str]
    ) -> _Answer:
        asked = request.headers.get("range")
        if asked is None or fault.ignore_range:
            return _Answer(status=200, headers=headers, body=found)
        span = _range_of(asked, len(found))
        if span is None:
            headers["Content-Range"] = f"bytes */{len(found)}"
            return _Answer(status=416, headers=headers, body=b"")
        body = found[span[0] : span[1]][: fault.stop_after]
        headers["Content-Range"] = f"bytes {span[0]}-{span[0] + len(body) - 1}/{len(found)}"
        return _Answer(status=206, headers=headers, body=body)

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


def _phrase(status: int) -> str:
    return next((known.phrase for known in HTTPStatus if known == status), "Unknown")


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with a TCP reset: SO_LINGER of zero seconds."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def wait_for(condition: Callable[[], bool], *, timeout_s: float = 5.0) -> None:
    """Return once `condition` holds; fail after `timeout_s`."""
    ends = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < ends, "the condition did not come true in time"
        time.sleep(0.01)


def free_port() -> int:
    """A loopback TCP port that nothing listens on just now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
