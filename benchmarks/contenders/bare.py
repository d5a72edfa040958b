"""A bare aiohttp loop: the same first bytes, as many at once, nothing parsed."""

import asyncio

import aiohttp

from benchmarks.contenders.clock import Given, timed
from benchmarks.contenders.hrefs import hrefs_of

_FIRST = {"Range": "bytes=0-16383"}


async def fetch_all(hrefs: list[str], at_once: int) -> int:
    """Fetch the first 16 KiB of each and return how many answered."""
    done = 0
    left = iter(hrefs)
    connector = aiohttp.TCPConnector(limit=0)

    async def worker(session: aiohttp.ClientSession) -> None:
        nonlocal done
        for href in left:
            async with session.get(href, headers=_FIRST) as answer:
                answer.raise_for_status()
                await answer.read()
                done += 1

    async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(worker(session))
    return done


def fetch(given: Given) -> int:
    """Fetch, on asyncio's own loop or uvloop's."""
    work = fetch_all(hrefs_of(given["table"]), int(given.get("max_concurrent", "300")))
    if given["loop"] == "uvloop":
        import uvloop  # noqa: PLC0415  # only one of the two is measured at a time

        return int(uvloop.run(work))
    return asyncio.run(work)


if __name__ == "__main__":
    timed(fetch)
