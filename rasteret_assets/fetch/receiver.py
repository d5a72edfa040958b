"""What comes over a connection, put where it is to lie.

aiohttp's protocol is given each piece as an object of its own: copied out of the loop's buffer,
again by the parser, and once more when the pieces are joined. Of a long body, whose length the head
has told, all but the beginning is received right into its place.
"""

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import numpy as np
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import BadHttpMessage

if TYPE_CHECKING:
    from aiohttp.http_parser import RawResponseMessage

_HEAD_BYTES: Final = 4096
"""Enough for most heads, with little of the body behind them."""
_END_OF_HEAD: Final = b"\r\n\r\n"
_NOTHING: Final = memoryview(b"")


class Receiver(asyncio.BufferedProtocol):
    """Stands between a connection and aiohttp's protocol, which sees all but long bodies."""

    def __init__(self, protocol: ResponseHandler) -> None:
        self._protocol = protocol
        self._head = memoryview(bytearray(_HEAD_BYTES))
        self._most = 0
        """How long a body is taken, while one is expected."""
        self._whole = self._left = _NOTHING
        """A body that is being received, and what is still to be filled of it."""
        self._done: asyncio.Future[memoryview] | None = None
        """Done when it is whole."""
        self._taken: asyncio.Future[memoryview] | None = None
        """The same, for whoever asked for it."""

    @classmethod
    def of(cls, protocol: ResponseHandler, transport: asyncio.Transport) -> "Receiver":
        """Return what stands before `protocol`, put there if need be."""
        if isinstance(there := transport.get_protocol(), cls):
            return there
        receiver = cls(protocol)
        transport.pause_reading()  # uvloop takes note of the change when reading begins
        transport.set_protocol(receiver)
        transport.resume_reading()
        return receiver

    def expect(self, most: int) -> None:
        """Take the body of the next answer if it is said to be part of a file, and not longer."""
        self._most, self._taken = most, None

    def take(self) -> "asyncio.Future[memoryview] | None":
        """Return the body of the answer whose head has come, to be awaited; None if aiohttp has it.

        Nothing of it is kept here. The connection can be used again if nothing came behind it.

        Raises
        ------
        aiohttp.ClientPayloadError
            When awaited, if the connection ends before the body does.
        """
        taken, self._taken = self._taken, None
        return taken

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  # of the protocol
        """Return where the next bytes go."""
        return self._left or self._head

    def buffer_updated(self, nbytes: int) -> None:
        """Take note of bytes that have come."""
        if self._left:
            self._left = self._left[nbytes:]
            if not self._left:
                self._finish()
            return
        data = bytes(self._head[:nbytes])
        if not self._most or (end := data.find(_END_OF_HEAD)) < 0:
            self._protocol.data_received(data)
            return
        first = end + len(_END_OF_HEAD)
        self._protocol.data_received(data[:first])
        if not self._begins(data[first:]) and first < nbytes:
            self._protocol.data_received(data[first:])

    def _begins(self, first: bytes) -> bool:
        """Whether there is room now for the body of the answer whose head has come."""
        most, self._most = self._most, 0
        if not (heads := self._protocol._buffer):  # noqa: SLF001  # where answers wait to be read
            return False
        message: RawResponseMessage
        content: aiohttp.StreamReader
        message, content = heads[0][0]
        length = int(message.headers.get("Content-Length", 0))  # the parser takes digits only
        is_part = message.code == HTTPStatus.PARTIAL_CONTENT and not message.chunked
        if not is_part or not len(first) < length <= most:
            return False
        if content.total_bytes:  # the head ended in two pieces, and what was found is in the body
            return False
        self._whole = np.empty(length, np.uint8).data
        self._whole[: len(first)] = first
        self._left = self._whole[len(first) :]
        self._done = self._taken = asyncio.get_running_loop().create_future()
        return True

    def _finish(self) -> None:
        self._protocol.set_parser(None, None)
        self._protocol._parser = _NO_ANSWER  # noqa: SLF001  # the one there still waits for the body
        whole, self._whole, self._left = self._whole, _NOTHING, _NOTHING
        done, self._done = self._done, None
        if done is not None and not done.done():
            done.set_result(whole)

    def eof_received(self) -> None:
        """Tell the protocol; the connection is lost next."""
        self._protocol.eof_received()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Tell who waits."""
        if self._done is not None and not self._done.done():
            self._done.set_exception(aiohttp.ClientPayloadError("the body ended early"))
            self._done.exception()  # or asyncio would complain where the body was given up
        self._protocol.connection_lost(exc)

    def pause_writing(self) -> None:
        """Tell the protocol."""
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """Tell the protocol."""
        self._protocol.resume_writing()


class _NoAnswer:
    """Parses what comes before the next request, as aiohttp would: the connection is closed."""

    def feed_data(self, data: bytes) -> None:
        """Refuse it."""
        msg = f"{len(data)} bytes that belong to no answer"
        raise BadHttpMessage(msg)

    def feed_eof(self) -> None:
        """Miss nothing."""


_NO_ANSWER: Final[Any] = _NoAnswer()
