"""GET requests written straight to connections of aiohttp's pool.

Connecting (names, TLS, keeping alive) and reading answers are aiohttp's. What its session does
for each request besides, cookies, redirects, tracing, a request and a response object, takes
more than half of the time of a small read, and nothing here uses it.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.helpers import TimerNoop
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import RawResponseMessage
from yarl import URL

from rasteret_assets.fetch.receiver import Receiver

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

_TIMER: Final = TimerNoop()
_INTERIM: Final = range(100, 200)
_READ_BUFFER_BYTES: Final = 1 << 20
_LONG_BYTES: Final = 64 << 10
"""Bodies of at least so many bytes are received where they are to lie."""


class Answer:
    """The head of an answer, and its body to be read; what `ClientResponse` is in a session."""

    __slots__ = ("_connection", "_received", "content", "headers", "status")

    def __init__(
        self,
        message: RawResponseMessage,
        body: aiohttp.StreamReader,
        connection: Connection,
        received: "asyncio.Future[memoryview] | None",
    ) -> None:
        self.status = message.code
        self.headers: CIMultiDictProxy[str] = message.headers
        self.content = body
        self._connection = connection
        self._received = received

    @property
    def content_length(self) -> int | None:
        """Bytes of the body, where the server tells."""
        said = self.headers.get("Content-Length")
        return None if said is None else int(said)  # the parser takes digits only

    async def read(self) -> bytes | memoryview:
        """Return the whole body."""
        return await (self.content.read() if self._received is None else self._received)

    def close(self) -> None:
        """Give the connection back to the pool, which closes it if any of the body is unread."""
        self._connection.release()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Server:
    """What requests to one server have in common."""

    request: aiohttp.ClientRequest
    """Tells the pool where to connect to."""
    head: str
    """Header lines of every request."""


class Wire:
    """Sends GET requests over the connections of `session`, to servers reached directly."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session
        """To be closed by whoever opened it."""
        self._servers: dict[tuple[str, str], _Server] = {}

    async def get(self, url: URL, headers: Mapping[str, str], length: int) -> Answer:
        """Send a request and return the head of its answer, whose body may be `length` bytes.

        A connection that the server has closed meanwhile is replaced, once (RFC 9112, section
        9.3.1).

        Parameters
        ----------
        url
            Encoded; its path and query are sent as they are.

        Raises
        ------
        aiohttp.InvalidURL
            If anything to be sent could be taken for a line of its own.
        aiohttp.ClientError, OSError
            Where the exchange broke.
        """
        server = self._server(url)
        data = _request(url, server.head, headers)
        try:
            return await self._exchange(server, data, length)
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            if isinstance(error, aiohttp.ClientConnectorError):
                raise
        return await self._exchange(server, data, length)

    async def connect(self, url: URL) -> None:
        """Open one more connection to a server, for a later request to use.

        Raises
        ------
        aiohttp.ClientError, OSError
            Where none can be had.
        """
        (await self._connection(self._server(url))).release()

    def _server(self, url: URL) -> _Server:
        key = (url.scheme, url.raw_authority)
        if (known := self._servers.get(key)) is None:
            request = aiohttp.ClientRequest(
                "GET", url.origin(), loop=asyncio.get_running_loop(), session=self.session
            )
            said = {"Host": url.host_port_subcomponent, "Accept": "*/*", **self.session.headers}
            head = "".join(f"{name}: {value}\r\n" for name, value in said.items())
            known = self._servers[key] = _Server(request=request, head=head)
        return known

    async def _exchange(self, server: _Server, data: bytes, length: int) -> Answer:
        connection = await self._connection(server)
        try:
            return await _answer(server, connection, data, length)
        except BaseException:
            connection.close()
            raise

    async def _connection(self, server: _Server) -> Connection:
        connector = self.session.connector
        if connector is None:
            msg = "the session is closed"
            raise RuntimeError(msg)
        try:
            return await connector.connect(server.request, [], self.session.timeout)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError from error


async def _answer(server: _Server, connection: Connection, data: bytes, length: int) -> Answer:
    protocol, transport = connection.protocol, connection.transport
    if protocol is None or transport is None:
        raise aiohttp.ServerDisconnectedError
    _expect_answer(protocol)
    receiver = None
    if length >= _LONG_BYTES:
        receiver = Receiver.of(protocol, transport)
        receiver.expect(length)
    transport.write(data)
    try:
        message, body = await protocol.read()
        while message.code in _INTERIM:
            message, body = await protocol.read()
    except HttpProcessingError as error:
        raise aiohttp.ClientResponseError(
            server.request.request_info,
            (),
            status=error.code,
            message=error.message,
            headers=error.headers,
        ) from error
    return Answer(message, body, connection, receiver.take() if receiver else None)


def _expect_answer(protocol: ResponseHandler) -> None:
    protocol.set_response_params(
        timer=_TIMER,
        read_until_eof=True,
        auto_decompress=False,
        read_bufsize=_READ_BUFFER_BYTES,
    )


def _request(url: URL, head: str, headers: Mapping[str, str]) -> bytes:
    """Return a GET request (RFC 9112, section 3)."""
    target = url.raw_path_qs
    extra = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    text = f"GET {target} HTTP/1.1\r\n{head}{extra}\r\n"
    lines = 2 + head.count("\n") + len(headers)
    if text.count("\n") != lines or text.count("\r") != lines or " " in target:
        raise aiohttp.InvalidURL(
            url.origin(), "the address or a header holds line breaks or spaces"
        )
    try:
        return text.encode("ascii")
    except UnicodeEncodeError as error:
        raise aiohttp.InvalidURL(url.origin(), "the address is not encoded") from error
