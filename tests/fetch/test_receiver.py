"""Bodies in pieces, over every kind of connection: short ones by aiohttp, long ones in place."""

import asyncio
import random
import weakref
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp
import pytest
import uvloop

from tests.fetch.recorder import Recorder, read, wired

HEAD = b"HTTP/1.1 206 Partial Content\r\nContent-Length: 9\r\n\r\n"
LONG = 1 << 16
"""What is asked for where the answer is to be received in place, however long it turns out."""


class Dripper(Recorder):
    """Sends what stands between bars of an answer at different times."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while self.answers:
                await reader.readuntil(b"\r\n\r\n")
                for piece in (self.answers.pop(0) or b"").split(b"|"):
                    writer.write(piece)
                    await asyncio.sleep(0.01)
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # the other end had enough
        finally:
            writer.close()


Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    def run(coroutine: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(coroutine)

    return run


@pytest.fixture(params=["http", "https"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("asked", [9, LONG])
@pytest.mark.parametrize(
    ("answer", "connections"),
    [
        (HEAD + b"abcdefghi", 1),
        (HEAD + b"|abcdefghi", 1),
        (HEAD + b"abc|de|fghi", 1),
        (HEAD[:20] + b"|" + HEAD[20:] + b"|abc|def|ghi", 1),
        (HEAD[:-2] + b"|" + HEAD[-2:] + b"abc|defghi", 1),
        (HEAD.replace(b"\r\n\r\n", b"\r\nX: " + b"x" * 5000 + b"\r\n\r\n") + b"abc|defghi", 1),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" + HEAD + b"|abcdefghi", 1),
        (HEAD + b"|abcdef|ghi and more", 2),
        (HEAD + b"|abcdefghi|and more", 2),
        (b"HTTP/1.1 206 P\r\nTransfer-Encoding: chunked\r\n\r\n|9\r\nabcdefghi|\r\n0\r\n\r\n", 1),
    ],
)
def test_bodies_come_whole_however_they_arrive(
    answer: bytes, connections: int, asked: int, scheme: str, run: Run
) -> None:
    dripper = Dripper(answer, answer)

    async def ask() -> None:
        async with wired(dripper, scheme) as (wire, root):
            for _ in range(2):
                assert await read(wire, f"{root}/a.tif", asked) == (206, b"abcdefghi")
                await asyncio.sleep(0.03)  # for what comes behind

    run(ask())
    assert dripper.connections == connections


def test_what_looks_like_the_end_of_a_head_may_be_in_a_body(scheme: str, run: Run) -> None:
    body = b"ab\r\n\r\nghi"
    dripper = Dripper(HEAD[:-2] + b"|" + HEAD[-2:] + body, HEAD + b"|" + body)

    async def ask() -> None:
        async with wired(dripper, scheme) as (wire, root):
            for _ in range(2):
                asked = read(wire, f"{root}/a.tif", LONG)
                assert await asyncio.wait_for(asked, 5) == (206, body)

    run(ask())


def test_an_answer_that_is_not_http_is_named(scheme: str, run: Run) -> None:
    async def ask() -> None:
        async with wired(Dripper(b"SSH-2.0-OpenSSH_9.2\r\n\r\nmore"), scheme) as (wire, root):
            with pytest.raises(aiohttp.ClientResponseError):
                await read(wire, f"{root}/a.tif", LONG)

    run(ask())


def test_long_bodies_and_short_ones_take_turns_on_a_connection(scheme: str, run: Run) -> None:
    rng = random.Random(7)
    bodies = [rng.randbytes(size).replace(b"|", b"-") for size in (3_000_000, 20, 70_000, 5_000)]
    answers = []
    for body in bodies:
        cuts = sorted(rng.sample(range(len(body)), 6))
        head = HEAD.replace(b"9", b"%d" % len(body))
        pieces = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
        answers.append(head + b"|".join(pieces))
    dripper = Dripper(*answers)

    async def ask() -> None:
        async with wired(dripper, scheme) as (wire, root):
            for body in bodies:
                assert await read(wire, f"{root}/a.tif", len(body)) == (206, body)

    run(ask())
    assert dripper.connections == 1


def test_what_was_read_is_not_held(scheme: str, run: Run) -> None:
    size = 3_000_000
    head = HEAD.replace(b"9", b"%d" % size)

    async def ask() -> None:
        dripper = Dripper(head + b"|" + b"x" * size, b"which keeps the connection")
        async with wired(dripper, scheme) as (wire, root):
            _, body = await read(wire, f"{root}/a.tif", size)
            array = weakref.ref(body.obj)  # type: ignore[union-attr]  # of a memoryview
            del body
            await asyncio.sleep(0.01)  # for the loop to be done with the step that gave it
            assert array() is None

    run(ask())


def test_a_body_longer_than_asked_for_is_not_made_room_for(scheme: str, run: Run) -> None:
    said = HEAD.replace(b"9", b"%d" % (LONG << 40))

    async def ask() -> None:
        async with wired(Dripper(said + b"|abc|" + b"|" * 40), scheme) as (wire, root):
            with pytest.raises(TimeoutError):  # not MemoryError
                await asyncio.wait_for(read(wire, f"{root}/a.tif", LONG), 0.1)

    run(ask())


@pytest.mark.parametrize("asked", [9, LONG])
@pytest.mark.parametrize("answer", [HEAD + b"abc", HEAD + b"|abc|d", HEAD + b"|"])
def test_a_body_that_ends_early_is_an_error(
    answer: bytes, asked: int, scheme: str, run: Run
) -> None:
    async def ask() -> None:
        async with wired(Dripper(answer), scheme) as (wire, root):
            with pytest.raises(aiohttp.ClientPayloadError):
                await read(wire, f"{root}/a.tif", asked)

    run(ask())


@pytest.mark.parametrize("asked", [9, LONG])
def test_a_connection_whose_body_was_given_up_is_not_used_again(
    asked: int, scheme: str, run: Run
) -> None:
    dripper = Dripper(HEAD + b"|abc|" + b"|" * 40 + b"defghi", HEAD + b"|abcdefghi")

    async def ask() -> None:
        async with wired(dripper, scheme) as (wire, root):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(read(wire, f"{root}/a.tif", asked), 0.15)
            assert await read(wire, f"{root}/a.tif", asked) == (206, b"abcdefghi")

    run(ask())
    assert dripper.connections == 2
