"""Jobs in threads: all are done, and failures reach who asked."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from rasteret_assets.reads.jobs import Jobs


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


def test_every_job_is_done_and_failures_are_those_of_their_jobs(
    threads: ThreadPoolExecutor,
) -> None:
    done: list[int] = []

    def job(number: int) -> None:
        if number % 7 == 3:
            msg = f"job {number}"
            raise ValueError(msg)
        done.append(number)

    async def ask() -> list[BaseException | None]:
        jobs = Jobs(threads)
        turns = [jobs.do(partial(job, number)) for number in range(500)]
        return await asyncio.gather(*turns, return_exceptions=True)

    said = asyncio.run(ask())
    assert sorted(done) == [number for number in range(500) if number % 7 != 3]
    failed = [number for number, error in enumerate(said) if error is not None]
    assert [str(said[number]) for number in failed] == [f"job {number}" for number in failed]
    assert failed == list(range(3, 500, 7))


def test_jobs_that_come_one_by_one_are_done_too(threads: ThreadPoolExecutor) -> None:
    async def ask() -> int:
        jobs, done = Jobs(threads), 0
        for _ in range(200):
            await jobs.do(lambda: None)
            done += 1
        return done

    assert asyncio.run(asyncio.wait_for(ask(), 20)) == 200


def test_a_job_that_is_given_up_before_its_turn_is_not_done() -> None:
    go, done = threading.Event(), []

    async def ask(one: ThreadPoolExecutor) -> None:
        jobs = Jobs(one)
        first = jobs.do(lambda: done.append(go.wait(20)))
        second = jobs.do(lambda: done.append(False))
        second.cancel()
        go.set()
        await first
        await jobs.do(lambda: done.append(True))

    with ThreadPoolExecutor(1) as one:
        asyncio.run(ask(one))
    assert done == [True, True]
