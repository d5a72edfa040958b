"""Requests as bytes on a socket, judged by a server that does nothing but record them."""

import asyncio

import aiohttp
import pytest
from yarl import URL

from tests.fetch.recorder import OK, Recorder, read, wired


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
            (await wire.get(URL(f"{root}/a.tif"), {}, 3)).close()
            assert await read(wire, f"{root}/a.tif") == (206, b"abc")

    asyncio.run(ask())
    assert recorder.connections == 2


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
                await wire.get(URL(f"{root}/{path}", encoded=True), headers, 3)

    asyncio.run(ask())
    assert recorder.requests == []


def test_an_answer_that_is_not_http_is_named() -> None:
    recorder = Recorder(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")

    async def ask() -> None:
        async with wired(recorder) as (wire, root):
            with pytest.raises(aiohttp.ClientResponseError):
                await read(wire, f"{root}/a.tif")

    asyncio.run(ask())
