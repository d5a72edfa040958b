"""What is still to come of a body, taken off its connection past the parser.

Where an answer's head has said how long its body is, there is nothing left to parse. aiohttp's
parser copies the body piece by piece, and its stream once more; here a piece is kept as it came,
and most bodies come in one.
"""

import asyncio
from typing import Any, Final

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import BadHttpMessage


async def rest_of_body(protocol: ResponseHandler, first: bytes, length: int) -> bytes:
    """Return a body of `length` bytes that begins with `first`.

    The connection can be used again if nothing came behind the body.

    Raises
    ------
    aiohttp.ClientPayloadError
        If the connection ends before the body does.
    """
    rest = _Rest(first, length)
    protocol.set_parser(rest, None)
    await rest.whole
    if rest.size == length:
        protocol.set_parser(None, None)
        protocol._parser = _NO_ANSWER  # noqa: SLF001  # the one there still waits for the body
    return b"".join(rest.pieces)[:length] if len(rest.pieces) > 1 else rest.pieces[0][:length]


class _Rest:
    """Gathers the pieces; a parser of payloads to aiohttp, which has such for WebSockets."""

    __slots__ = ("_length", "pieces", "size", "whole")

    def __init__(self, first: bytes, length: int) -> None:
        self.pieces = [first] if first else []
        self.size = len(first)
        self.whole: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._length = length

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Take a piece; the answer says that it was understood, to its end."""
        self.pieces.append(data)
        self.size += len(data)
        if self.size >= self._length and not self.whole.done():
            self.whole.set_result(None)
        return False, b""

    def feed_eof(self) -> None:
        """Take note that no more will come."""
        if not self.whole.done():
            self.whole.set_exception(aiohttp.ClientPayloadError("the body ended early"))


class _NoAnswer:
    """Parses what comes before the next request, as aiohttp would: the connection is closed."""

    def feed_data(self, data: bytes) -> None:
        """Refuse it."""
        msg = f"{len(data)} bytes that belong to no answer"
        raise BadHttpMessage(msg)

    def feed_eof(self) -> None:
        """Miss nothing."""


_NO_ANSWER: Final[Any] = _NoAnswer()
