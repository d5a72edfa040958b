"""The least there is to do: fetch the tiles that are needed, inflate them with libdeflate.

No pixels come of it: predictors stay as they are, nothing is put together.
"""

import asyncio
import json
from collections.abc import Callable, Sized
from concurrent.futures import ThreadPoolExecutor

import aiohttp
import imagecodecs
import numpy as np

from benchmarks.contenders.clock import Given, timed

Request = tuple[str, list[tuple[int, int]]]
"""A file, and the bytes of neighbouring tiles in it."""

try:  # what ours runs on, too
    import uvloop
except ImportError:
    LOOP = asyncio.new_event_loop()
else:
    LOOP = uvloop.new_event_loop()
INFLATE: Callable[..., Sized] = imagecodecs.deflate_decode  # takes arrays, too
THREADS = ThreadPoolExecutor(2)


def inflate(data: bytes, room: int) -> int:
    """Return the number of bytes a tile unpacks to."""
    return len(INFLATE(data, out=np.empty(room, np.uint8)))


async def fetch(requests: list[Request], room: int, sessions: list[aiohttp.ClientSession]) -> int:
    """Fetch all requests at once; return how many bytes were unpacked."""
    if not sessions:
        sessions.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))

    async def one(href: str, tiles: list[tuple[int, int]]) -> int:
        first = tiles[0][0]
        asked = {"Range": f"bytes={first}-{tiles[-1][1] - 1}"}
        async with sessions[0].get(href, headers=asked) as answer:
            answer.raise_for_status()
            data = await answer.read()
        found = [
            LOOP.run_in_executor(THREADS, inflate, data[start - first : stop - first], room)
            for start, stop in tiles
        ]
        return sum(await asyncio.gather(*found))

    return sum(await asyncio.gather(*(one(*request) for request in requests)))


SESSIONS: list[aiohttp.ClientSession] = []


def read(given: Given) -> int:
    """Fetch and inflate."""
    return LOOP.run_until_complete(
        fetch(json.loads(given["requests"]), int(given["room"]), SESSIONS)
    )


async def close() -> None:
    """Close the connections."""
    for session in SESSIONS:
        await session.close()


if __name__ == "__main__":
    timed(read)
    LOOP.run_until_complete(close())
