"""Jobs in threads: all are done, failures reach who asked, other calls have their turn."""

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
        jobs = Jobs(threads, 2)
        turns = [jobs.do(partial(job, number)) for number in range(500)]
        return await asyncio.gather(*turns, return_exceptions=True)

    said = asyncio.run(ask())
    assert sorted(done) == [number for number in range(500) if number % 7 != 3]
    failed = [number for number, error in enumerate(said) if error is not None]
    assert [str(said[number]) for number in failed] == [f"job {number}" for number in failed]
    assert failed == list(range(3, 500, 7))


def test_jobs_that_come_one_by_one_are_done_too(threads: ThreadPoolExecutor) -> None:
    async def ask() -> int:
        jobs, done = Jobs(threads, 2), 0
        for _ in range(200):
            await jobs.do(lambda: None)
            done += 1
        return done

    assert asyncio.run(asyncio.wait_for(ask(), 20)) == 200


def test_a_job_that_is_given_up_before_its_turn_is_not_done(threads: ThreadPoolExecutor) -> None:
    go, done = threading.Event(), []

    async def ask() -> None:
        jobs = Jobs(threads, 1)
        first = jobs.do(lambda: done.append(go.wait(20)))
        second = jobs.do(lambda: done.append(False))
        second.cancel()
        go.set()
        await first
        await jobs.do(lambda: done.append(True))

    asyncio.run(ask())
    assert done == [True, True]


def test_another_call_has_its_turn_before_all_of_the_first_is_done() -> None:
    order: list[str] = []

    async def ask() -> None:
        with ThreadPoolExecutor(1) as one:
            go = threading.Event()
            held = one.submit(go.wait)
            many, few = Jobs(one, 1), Jobs(one, 1)
            turns = [many.do(lambda: order.append("many")) for _ in range(100)]
            turns.append(few.do(lambda: order.append("few")))
            go.set()
            held.result()
            await asyncio.gather(*turns)

    asyncio.run(ask())
    assert order.index("few") < 20
