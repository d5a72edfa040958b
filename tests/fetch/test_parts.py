"""The small parts of the room, each by itself."""

import asyncio
import time
from collections.abc import Sequence
from itertools import pairwise
from unittest.mock import AsyncMock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from rasteret_assets.errors import FetchError, ProblemCode
from rasteret_assets.fetch import Body, coalesce
from rasteret_assets.fetch.first_read import FirstReads
from rasteret_assets.fetch.outcomes import retry_after_s
from rasteret_assets.fetch.proxies import Proxies
from rasteret_assets.fetch.renewing import Loaded, Renewing
from rasteret_assets.fetch.time_limit import TimeLimit

RANGES = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 9)).map(lambda at: (at[0], at[0] + at[1]))
)


@settings(deadline=None)
@given(ranges=RANGES, gap=st.integers(0, 5))
def test_coalesced_ranges_cover_all_and_lie_further_apart_than_the_gap(
    ranges: list[tuple[int, int]], gap: int
) -> None:
    found = coalesce(ranges, gap)
    asked = {byte for start, stop in ranges for byte in range(start, stop)}
    covered = {byte for start, stop in found for byte in range(start, stop)}
    edges = {edge for span in ranges for edge in span}
    assert asked <= covered
    assert {edge for span in found for edge in span} <= edges
    assert all(later[0] - earlier[1] > gap for earlier, later in pairwise(found))
    # nothing is read in vain but gaps within reach
    assert all(any(byte + step in asked for step in range(-gap, gap + 1)) for byte in covered)


# --- first reads -------------------------------------------------------------------------


async def nothing() -> None:
    """Done meanwhile."""


def first_sizes(needs: Sequence[int]) -> list[int]:
    async def sizes() -> list[int]:
        reads = FirstReads(16 << 10, 256 << 10)
        found: list[int] = []
        for need in needs:
            found.append(await reads.size("B04", nothing))
            reads.learn("B04", need)
        return found

    return asyncio.run(sizes())


def test_first_reads_grow_at_once_and_cover_what_was_needed() -> None:
    first, second, *_ = first_sizes([40_000, 1])
    assert first == 16 << 10
    assert 40_000 <= second <= 56 << 10
    assert second % 4096 == 0


def test_first_reads_shrink_when_large_needs_stay_away() -> None:
    sizes = first_sizes([100_000] + [5_000] * 600)
    assert sizes[1] == sizes[100] > 100_000
    assert sizes[-1] == 16 << 10


def test_first_reads_stay_in_bounds_and_pass_over_what_no_first_read_can_meet() -> None:
    assert max(first_sizes([250_000] * 5)) == 256 << 10
    assert first_sizes([10**9, 10**9])[1] == 16 << 10


def test_while_nothing_is_known_only_a_few_go_ahead() -> None:
    async def sizes() -> tuple[int, list[int]]:
        reads = FirstReads(16 << 10, 256 << 10)
        meanwhile = AsyncMock()
        tasks = [asyncio.create_task(reads.size("B04", meanwhile)) for _ in range(50)]
        await asyncio.sleep(0.05)
        ahead = sum(task.done() for task in tasks)
        assert meanwhile.await_count == 50 - ahead
        reads.learn("B04", 60_000)
        return ahead, list(await asyncio.gather(*tasks))

    ahead, found = asyncio.run(sizes())
    assert ahead <= 4
    assert min(found[ahead:]) >= 60_000


@pytest.mark.parametrize(("outcome", "most_s"), [("all fail", 0.3), ("none comes back", 2.0)])
def test_the_others_do_not_wait_for_scouts_for_ever(outcome: str, most_s: float) -> None:
    async def sizes() -> list[int]:
        reads = FirstReads(16 << 10, 256 << 10)
        tasks = [asyncio.create_task(reads.size("B04", nothing)) for _ in range(50)]
        await asyncio.sleep(0.01)
        for task in tasks:
            if outcome == "all fail" and task.done():
                reads.failed("B04")
        return list(await asyncio.wait_for(asyncio.gather(*tasks), most_s))

    assert set(asyncio.run(sizes())) == {16 << 10}


# --- time limits -------------------------------------------------------------------------


def test_what_takes_too_long_is_ended_and_what_does_not_is_let_be() -> None:
    async def both() -> tuple[str, str]:
        limit = TimeLimit(0.2)

        async def take(seconds: float) -> str:
            try:
                with limit.span():
                    await asyncio.sleep(seconds)
            except TimeoutError:
                await asyncio.sleep(0)  # not cancelled any more
                return "timeout"
            return "done"

        slow, quick = await asyncio.gather(take(5), take(0.05))
        return slow, quick

    began = time.monotonic()
    assert asyncio.run(both()) == ("timeout", "done")
    assert 0.2 <= time.monotonic() - began < 1


def test_a_cancellation_from_elsewhere_stays_one() -> None:
    async def cancelled() -> None:
        limit = TimeLimit(10)

        async def wait() -> None:
            with limit.span():
                await asyncio.sleep(30)

        task = asyncio.create_task(wait())
        await asyncio.sleep(0.01)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())


# --- shared credentials ------------------------------------------------------------------


def test_a_value_is_loaded_once_for_all_and_again_when_it_runs_out() -> None:
    loads: list[int] = []

    def load() -> Loaded[int]:
        time.sleep(0.05)
        loads.append(1)
        return Loaded(value=len(loads), good_for_s=0.3)

    async def use() -> tuple[set[int], int]:
        value = Renewing(load)
        at_first = set(await asyncio.gather(*(value.get() for _ in range(20))))
        await asyncio.sleep(0.35)
        assert value.current() is None
        return at_first, await value.get()

    assert asyncio.run(use()) == ({1}, 2)


def test_a_failed_load_is_not_tried_for_everyone() -> None:
    loads: list[int] = []

    def load() -> Loaded[int]:
        loads.append(1)
        raise FetchError(ProblemCode.FORBIDDEN, "no")

    async def use() -> list[object]:
        value = Renewing(load)
        return list(await asyncio.gather(*(value.get() for _ in range(20)), return_exceptions=True))

    found = asyncio.run(use())
    assert len(loads) == 1
    assert all(isinstance(one, FetchError) for one in found)


# --- answers -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (Body(data=b"", etag='"a"'), Body(data=b"", etag='"a"'), True),
        (Body(data=b"", etag='"a"'), Body(data=b"", etag='W/"a"'), True),
        (Body(data=b"", etag='"a"'), Body(data=b"", etag='"b"'), False),
        (Body(data=b"", etag='"a"', size=1), Body(data=b"", etag='"a"', size=2), False),
        (Body(data=b"", last_modified="x"), Body(data=b"", last_modified="y"), False),
        (Body(data=b"", etag='"a"', last_modified="x"), Body(data=b"", last_modified="x"), True),
        (Body(data=b"", size=1), Body(data=b""), True),
    ],
)
def test_whether_two_answers_are_of_the_same_file(one: Body, other: Body, same: bool) -> None:  # noqa: FBT001 - a case
    assert one.is_of_same_file(other) is same
    assert other.is_of_same_file(one) is same


@settings(deadline=None)
@given(text=st.text())
def test_any_retry_after_is_seconds_or_nothing(text: str) -> None:
    found = retry_after_s(text)
    assert found is None or found >= 0


def test_proxies_are_those_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", "localhost,.inside")
    proxies = Proxies()
    assert proxies.of(URL("http://example.com/a")) == "http://proxy:3128"
    assert proxies.of(URL("http://localhost/a")) is None
    assert proxies.of(URL("http://store.inside/a")) is None
    assert proxies.of(URL("https://example.com/a")) is None
