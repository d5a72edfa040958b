"""One request over HTTP, and its answer read no further than asked."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import aiohttp
from yarl import URL

from rasteret_assets.errors import FetchError, ProblemCode
from rasteret_assets.fetch.body import Body, TransientError
from rasteret_assets.fetch.outcomes import Refusal, beyond_end
from rasteret_assets.fetch.wire import Answer, Wire

_CONTENT_RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)", re.IGNORECASE)
_REFUSAL_BYTES: Final = 2048
_SKIPPED_AT_MOST: Final = 64 << 20
"""Bytes read past where a server sends whole files, to get to the range."""
_PIECE: Final = 1 << 16


async def exchange(
    wire: Wire,
    url: URL,
    headers: Mapping[str, str],
    start: int,
    stop: int,
    *,
    proxy: str | None = None,
) -> Body | Refusal:
    """Ask for the bytes from `start` to `stop`, and return them or the server's refusal.

    The body may be shorter than asked where the file ends; where it ends for no reason it is
    short as well, and the caller's `Body.size` tells.

    Raises
    ------
    FetchError
        TRUNCATED where the file ends before `start`, BAD_RESPONSE where the answer breaks the
        rules for ranges, UNUSABLE_RESPONSE where the server keeps to others.
    aiohttp.ClientError, OSError
        Where the exchange broke.
    """
    asked = {"Range": f"bytes={start}-{stop - 1}", **headers}
    response: Answer | aiohttp.ClientResponse
    if proxy is None:
        response = await wire.get(url, asked, stop - start)
    else:
        response = await wire.session.get(url, headers=asked, allow_redirects=False, proxy=proxy)
    try:
        if response.status == HTTPStatus.PARTIAL_CONTENT:
            return await _part(response, start, stop)
        if response.status == HTTPStatus.OK:
            return await _cut_from_whole(response, start, stop)
        return await _refusal(response, start)
    finally:
        response.close()


async def identify(
    session: aiohttp.ClientSession,
    url: URL,
    headers: Mapping[str, str],
    *,
    proxy: str | None = None,
) -> Body | Refusal:
    """Ask what the file is, without its bytes (HEAD), or return the server's refusal.

    Raises
    ------
    aiohttp.ClientError, OSError
        Where the exchange broke.
    """
    response = await session.head(url, headers=headers, allow_redirects=False, proxy=proxy)
    try:
        said = response.headers
        if response.status != HTTPStatus.OK:
            return Refusal(status=response.status, headers=said, text="")
        # A server that would compress the file tells the length of something else.
        plain = said.get("Content-Encoding", "identity").lower() == "identity"
        return Body(
            data=b"",
            etag=said.get("ETag"),
            last_modified=said.get("Last-Modified"),
            size=response.content_length if plain else None,
        )
    finally:
        if not response.closed:
            response.close()


async def _part(response: Answer | aiohttp.ClientResponse, start: int, stop: int) -> Body:
    """Read a 206 (RFC 9110, section 15.3.7)."""
    headers = response.headers
    span = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", ""))
    if span is None:
        # several parts at once, too: never asked for
        raise TransientError(ProblemCode.BAD_RESPONSE, "206 without a usable Content-Range")
    first, size = int(span[1]), None if span[3] == "*" else int(span[3])
    if size is not None and start >= size:
        raise beyond_end(start, size)
    if first != start:
        detail = f"asked for bytes from {start}, got bytes from {first}"
        raise TransientError(ProblemCode.BAD_RESPONSE, detail)
    _check_encoding(headers)
    length = response.content_length
    if length is not None and length <= stop - start:
        data = await response.read()
    else:
        data = await _read_at_most(response, stop - start)
    return Body(
        data=data,
        etag=headers.get("ETag"),
        last_modified=headers.get("Last-Modified"),
        size=size,
    )


async def _cut_from_whole(response: Answer | aiohttp.ClientResponse, start: int, stop: int) -> Body:
    """Read a 200: the server ignores ranges and sends the file from its first byte."""
    headers, size = response.headers, response.content_length
    _check_encoding(headers)
    if start > _SKIPPED_AT_MOST:
        detail = f"the server ignores Range, and byte {start} lies too far into the file"
        raise FetchError(ProblemCode.UNUSABLE_RESPONSE, detail)
    if size is not None and start >= size:
        raise beyond_end(start, size)
    left = start
    while left:
        piece = await response.content.read(min(left, _PIECE))
        if not piece:
            raise beyond_end(start, start - left)
        left -= len(piece)
    return Body(
        data=await _read_at_most(response, stop - start),
        etag=headers.get("ETag"),
        last_modified=headers.get("Last-Modified"),
        size=size,
    )


async def _read_at_most(response: Answer | aiohttp.ClientResponse, length: int) -> bytes:
    pieces: list[bytes] = []
    while length and (piece := await response.content.read(min(length, _PIECE))):
        pieces.append(piece)
        length -= len(piece)
    return b"".join(pieces)


async def _refusal(response: Answer | aiohttp.ClientResponse, start: int) -> Refusal:
    text = (await _read_at_most(response, _REFUSAL_BYTES)).decode("utf-8", "replace")
    if response.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        # RFC 9110, section 14.4: "bytes */size"
        total = response.headers.get("Content-Range", "").rpartition("/")[2]
        raise beyond_end(start, int(total) if total.isdecimal() else None)
    return Refusal(status=response.status, headers=response.headers, text=text)


def _check_encoding(headers: Mapping[str, str]) -> None:
    encoding = headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        detail = f"the file is sent with Content-Encoding: {encoding}, so its bytes have no place"
        raise FetchError(ProblemCode.UNUSABLE_RESPONSE, detail)
