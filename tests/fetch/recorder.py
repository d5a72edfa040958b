"""A server that does nothing but record requests and say what it was told to."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trustme
from yarl import URL

from rasteret_assets.contract.settings import FetchSettings
from rasteret_assets.fetch.session import open_session
from rasteret_assets.fetch.wire import Wire

OK = b"HTTP/1.1 206 Partial Content\r\nContent-Length: 3\r\n\r\nabc"


class Recorder:
    """Gives every request the next of `answers`; None closes the connection instead."""

    def __init__(self, *answers: bytes | None) -> None:
        self.answers = list(answers)
        self.requests: list[bytes] = []
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while True:
            try:
                self.requests.append(await reader.readuntil(b"\r\n\r\n"))
            except asyncio.IncompleteReadError:
                break
            if (answer := self.answers.pop(0)) is None:
                break
            writer.write(answer)
        writer.close()


@asynccontextmanager
async def wired(recorder: Recorder, scheme: str = "http") -> AsyncIterator[tuple[Wire, str]]:
    """Give what asks, and the address of the server that `recorder` is."""
    its, ours = _contexts() if scheme == "https" else (None, True)
    server = await asyncio.start_server(recorder.serve, "127.0.0.1", 0, ssl=its)
    session = open_session(FetchSettings())
    session.connector._ssl = ours  # type: ignore[union-attr]  # trusts the test's authority
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield Wire(session), f"{scheme}://127.0.0.1:{port}"
        await session.close()
        await asyncio.sleep(0.01)  # the server's side ends, too


async def read(wire: Wire, url: str, length: int = 3) -> tuple[int, bytes | memoryview]:
    """Ask for `length` bytes, and return what the server says and gives."""
    headers = {"Range": f"bytes=0-{length - 1}"}
    answer = await wire.get(URL(url, encoded=True), headers, length)
    try:
        return answer.status, await answer.read()
    finally:
        answer.close()


def _contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return what a server of this machine and its client need."""
    authority = trustme.CA()
    its = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(its)
    ours = ssl.create_default_context()
    authority.configure_trust(ours)
    return its, ours
