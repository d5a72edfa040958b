"""Requests as bytes on a socket, judged by a server that does nothing but record them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
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
async def wired(recorder: Recorder) -> AsyncIterator[tuple[Wire, str]]:
    server = await asyncio.start_server(recorder.serve, "127.0.0.1", 0)
    session = open_session(FetchSettings())
    async with server:
        yield Wire(session), f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await session.close()
        await asyncio.sleep(0.01)  # the server's side ends, too


async def read(wire: Wire, url: str) -> tuple[int, bytes]:
    answer = await wire.get(URL(url, encoded=True), {"Range": "bytes=0-2"})
    try:
        return answer.status, await answer.read()
    finally:
        answer.close()


def test_a_request_is_what_the_standard_asks_for() -> None:
    recorder = Recorder(OK)

    async def ask() -> str:
        async with wired(recorder) as (wire, root):
            assert await read(wire, f"{root}/a%20b/c.tif?sig=x%2F=&y") == (206, b"abc")
            return root

    host = asyncio.run(ask()).removeprefix("http://")
    first, *headers = recorder.requests[0].decode().rstrip().split("\r\n")
    assert first == "GET /a%20b/c.tif?sig=x%2F=&y HTTP/1.1"
    said = dict(line.split(": ", 1) for line in headers)
    agent = said.pop("User-Agent")
    assert agent.startswith("rasteret-assets/")
    assert said == {
        "Host": host,
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Range": "bytes=0-2",
    }


def test_connections_are_used_again_and_replaced_once_when_the_server_closed_them() -> None:
    recorder = Recorder(OK, OK, None, OK)

    async def ask() -> None:
        async with wired(recorder) as (wire, root):
            for _ in range(3):
                assert await read(wire, f"{root}/a.tif") == (206, b"abc")

    asyncio.run(ask())
    assert (recorder.connections, len(recorder.requests)) == (2, 4)


def test_a_connection_opened_ahead_is_the_one_that_is_used() -> None:
    recorder = Recorder(OK)

    async def ask() -> None:
        async with wired(recorder) as (wire, root):
            await wire.connect(URL(root))
            await asyncio.sleep(0.05)
            assert (recorder.connections, recorder.requests) == (1, [])
            assert await read(wire, f"{root}/a.tif") == (206, b"abc")

    asyncio.run(ask())
    assert (recorder.connections, len(recorder.requests)) == (1, 1)


def test_a_server_that_always_closes_is_given_up_after_two_tries() -> None:
    recorder = Recorder(None, None, None)

    async def ask() -> None:
        async with wired(recorder) as (wire, root):
            with pytest.raises(aiohttp.ServerDisconnectedError):
                await read(wire, f"{root}/a.tif")

    asyncio.run(ask())
    assert len(recorder.requests) == 2


def test_interim_answers_are_passed_over() -> None:
    recorder = Recorder(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + OK)

    async def ask() -> None:
        async with wired(recorder) as (wire, root):
            assert await read(wire, f"{root}/a.tif") == (206, b"abc")

    asyncio.run(ask())


def test_a_body_left_unread_costs_its_connection() -> None:
    recorder = Recorder(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\nabc", OK)

    async def ask() -> None:
        async with wired(recorder) as (wire, root):
            (await wire.get(URL(f"{root}/a.tif"), {})).close()
            assert await read(wire, f"{root}/a.tif") == (206, b"abc")

    asyncio.run(ask())
    assert recorder.connections == 2


HEAD = b"HTTP/1.1 206 Partial Content\r\nContent-Length: 9\r\n\r\n"


class Dripper(Recorder):
    """Sends what stands between bars of an answer at different times."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while self.answers:
                await reader.readuntil(b"\r\n\r\n")
                for piece in (self.answers.pop(0) or b"").split(b"|"):
                    writer.write(piece)
                    await asyncio.sleep(0.02)
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # the other end had enough
        finally:
            writer.close()


@pytest.mark.parametrize(
    ("answer", "connections"),
    [
        (HEAD + b"abcdefghi", 1),
        (HEAD + b"|abcdefghi", 1),
        (HEAD + b"abc|de|fghi", 1),
        (HEAD + b"|abc|def|ghi", 1),
        (HEAD + b"|abcdef|ghi and more", 2),
        (HEAD + b"|abcdefghi|and more", 2),
        (b"HTTP/1.1 206 P\r\nTransfer-Encoding: chunked\r\n\r\n|9\r\nabcdefghi|\r\n0\r\n\r\n", 1),
    ],
)
def test_bodies_come_whole_however_they_arrive(answer: bytes, connections: int) -> None:
    dripper = Dripper(answer, answer)

    async def ask() -> None:
        async with wired(dripper) as (wire, root):
            for _ in range(2):
                assert await read(wire, f"{root}/a.tif") == (206, b"abcdefghi")
                await asyncio.sleep(0.05)  # for what comes behind

    asyncio.run(ask())
    assert dripper.connections == connections


@pytest.mark.parametrize("answer", [HEAD + b"abc", HEAD + b"|abc|d", HEAD + b"|"])
def test_a_body_that_ends_early_is_an_error(answer: bytes) -> None:
    async def ask() -> None:
        async with wired(Dripper(answer)) as (wire, root):
            with pytest.raises(aiohttp.ClientPayloadError):
                await read(wire, f"{root}/a.tif")

    asyncio.run(ask())


def test_a_connection_whose_body_was_given_up_is_not_used_again() -> None:
    dripper = Dripper(HEAD + b"|abc|||||||||defghi", HEAD + b"|abcdefghi")

    async def ask() -> None:
        async with wired(dripper) as (wire, root):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(read(wire, f"{root}/a.tif"), 0.06)
            assert await read(wire, f"{root}/a.tif") == (206, b"abcdefghi")

    asyncio.run(ask())
    assert dripper.connections == 2


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("a b.tif", {}),
        ("a.tif", {"X": "y\nZ:z"}),
        ("a.tif", {"X": "y\rZ:z"}),
        ("ä.tif", {}),
    ],
)
def test_nothing_is_sent_that_could_be_taken_for_another_line(
    path: str, headers: dict[str, str]
) -> None:
    recorder = Recorder(OK)

    async def ask() -> None:
        async with wired(recorder) as (wire, root):
            with pytest.raises(aiohttp.InvalidURL):
                await wire.get(URL(f"{root}/{path}", encoded=True), headers)

    asyncio.run(ask())
    assert recorder.requests == []


def test_an_answer_that_is_not_http_is_named() -> None:
    recorder = Recorder(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")

    async def ask() -> None:
        async with wired(recorder) as (wire, root):
            with pytest.raises(aiohttp.ClientResponseError):
                await read(wire, f"{root}/a.tif")

    asyncio.run(ask())
