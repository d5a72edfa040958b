import asyncio
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from rasteret_assets.contract.settings import FetchSettings
from rasteret_assets.errors import FetchError, ProblemCode
from rasteret_assets.fetch import Body, RangeReader
from tests.rig.http_server import Fault, RangeServer, free_port

DATA = bytes(range(256)) * 1000
SETTINGS = FetchSettings(retry_budget_s=3.0, request_timeout_s=2.0, connect_timeout_s=1.0)


def read(href: str, start: int, stop: int, settings: FetchSettings = SETTINGS) -> Body:
    async def once() -> Body:
        async with RangeReader(settings) as reader:
            return await reader.read(href, start, stop)

    return asyncio.run(once())


def failure(href: str, settings: FetchSettings = SETTINGS, start: int = 0) -> FetchError:
    with pytest.raises(FetchError) as caught:
        read(href, start, start + 10, settings)
    return caught.value


@pytest.mark.parametrize(
    ("start", "stop"),
    [(0, 1), (0, len(DATA)), (5, 70_000), (len(DATA) - 3, len(DATA)), (len(DATA) - 3, 10**9)],
)
def test_a_range_is_what_a_slice_is(server: RangeServer, start: int, stop: int) -> None:
    body = read(server.put("a.bin", DATA), start, stop)
    assert body.data == DATA[start:stop]
    assert body.size == len(DATA)


def test_what_the_client_says_of_itself(server: RangeServer) -> None:
    read(server.put("a.bin", DATA), 3, 9)
    (seen,) = server.seen()
    assert seen.range == "bytes=3-8"
    assert seen.headers["accept-encoding"] == "identity"
    assert seen.headers["user-agent"].startswith("rasteret-assets/")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, ProblemCode.UNUSABLE_RESPONSE),
        (401, ProblemCode.FORBIDDEN),
        (403, ProblemCode.FORBIDDEN),
        (404, ProblemCode.NOT_FOUND),
        (410, ProblemCode.NOT_FOUND),
        (416, ProblemCode.TRUNCATED),
        (204, ProblemCode.UNUSABLE_RESPONSE),
        (304, ProblemCode.UNUSABLE_RESPONSE),
        (405, ProblemCode.UNUSABLE_RESPONSE),
    ],
)
def test_final_answers_are_not_asked_twice(
    server: RangeServer, status: int, code: ProblemCode
) -> None:
    server.always("a", Fault(status=status))
    assert failure(server.url("a")).code is code
    assert len(server.seen()) == 1
    assert not code.can_heal


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault(status=408), ProblemCode.TIMEOUT),
        (Fault(status=429), ProblemCode.THROTTLED),
        (Fault(status=500), ProblemCode.SERVER_ERROR),
        (Fault(status=502), ProblemCode.SERVER_ERROR),
        (Fault(status=503), ProblemCode.THROTTLED),
        (Fault(status=599), ProblemCode.SERVER_ERROR),
        (Fault(reset=True), ProblemCode.UNREACHABLE),
        (Fault(cut_after=3), ProblemCode.BAD_RESPONSE),
        (Fault(headers={"Content-Range": ""}), ProblemCode.BAD_RESPONSE),
        (Fault(headers={"Content-Range": "bytes 7-16/256000"}), ProblemCode.BAD_RESPONSE),
        (Fault(headers={"Content-Length": "abc"}), ProblemCode.BAD_RESPONSE),
        (Fault(delay_s=5), ProblemCode.TIMEOUT),
    ],
)
def test_passing_troubles_are_asked_again_and_lasting_ones_named(
    server: RangeServer, fault: Fault, code: ProblemCode
) -> None:
    settings = FetchSettings(retry_budget_s=3.0, request_timeout_s=0.3, max_attempts=2)
    href = server.put("a", DATA)
    server.plan("a", fault)
    assert read(href, 0, 10, settings).data == DATA[:10]
    server.always("a", fault)
    server.forget()
    error = failure(href, settings)
    assert error.code is code
    assert error.code.can_heal
    # the client itself asks once more where a kept connection turns out closed
    assert 2 <= len(server.seen()) <= 4


def test_a_range_that_came_back_short_is_completed(server: RangeServer) -> None:
    href = server.put("a", DATA)
    server.plan("a", Fault(stop_after=4), Fault(stop_after=3))
    assert read(href, 0, 10).data == DATA[:10]
    assert [one.range for one in server.seen()] == ["bytes=0-9", "bytes=4-9", "bytes=7-9"]


def test_a_range_that_always_comes_back_short_is_given_up(server: RangeServer) -> None:
    href = server.put("a", DATA)
    server.always("a", Fault(stop_after=1))
    assert failure(href).code is ProblemCode.BAD_RESPONSE
    assert len(server.seen()) == 1 + SETTINGS.max_attempts


def test_a_file_that_changed_while_being_completed_is_not_pieced_together(
    server: RangeServer,
) -> None:
    href = server.put("a", DATA)
    server.plan("a", Fault(stop_after=4), Fault(headers={"ETag": '"new"'}))
    assert failure(href).code is ProblemCode.FILE_CHANGED


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_honoured(server: RangeServer, form: str) -> None:
    href = server.put("a", DATA)
    # dates have whole seconds
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    server.plan(
        "a", Fault(status=503, headers={"Retry-After": "1" if form == "seconds" else later})
    )
    assert read(href, 0, 10).data == DATA[:10]
    first, second = server.seen()
    assert 0.9 <= second.at - first.at <= 2.5


def test_a_server_that_asks_for_more_time_than_there_is_is_left(server: RangeServer) -> None:
    server.always("a", Fault(status=429, headers={"Retry-After": "3600"}))
    began = time.monotonic()
    assert failure(server.url("a")).code is ProblemCode.THROTTLED
    assert time.monotonic() - began < 1
    assert len(server.seen()) == 1


def test_the_time_budget_ends_retries(server: RangeServer) -> None:
    server.always("a", Fault(status=500))
    settings = FetchSettings(retry_budget_s=0.0, max_attempts=10)
    assert failure(server.url("a"), settings).code is ProblemCode.SERVER_ERROR
    assert len(server.seen()) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed_and_remembered(server: RangeServer, status: int) -> None:
    server.put("deep/target", DATA)
    server.always("a", Fault(status=status, headers={"Location": "/deep/target"}))

    async def twice() -> tuple[Body, Body]:
        async with RangeReader(SETTINGS) as reader:
            target = reader.target(server.url("a"))
            return await reader.read_range(target, 0, 5), await reader.read_range(target, 5, 9)

    first, second = asyncio.run(twice())
    assert b"".join((first.data, second.data)) == DATA[:9]
    assert [one.path for one in server.seen()] == ["a", "deep/target", "deep/target"]


def test_a_redirect_to_what_has_expired_is_asked_for_anew(server: RangeServer) -> None:
    server.put("target", DATA)
    server.always("a", Fault(status=302, headers={"Location": "/target"}))
    server.plan("target", Fault(), Fault(status=403))

    async def twice() -> Body:
        async with RangeReader(SETTINGS) as reader:
            target = reader.target(server.url("a"))
            await reader.read_range(target, 0, 5)
            return await reader.read_range(target, 5, 9)

    assert asyncio.run(twice()).data == DATA[5:9]
    assert [one.path for one in server.seen()] == ["a", "target", "target", "a", "target"]


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("http://169.254.169.254/latest/meta-data/", ProblemCode.ADDRESS_BLOCKED),
        ("http://0xA9FEA9FE/", ProblemCode.ADDRESS_BLOCKED),
        ("file:///etc/passwd", ProblemCode.ADDRESS_BLOCKED),
        ("s3://bucket/key", ProblemCode.ADDRESS_BLOCKED),
        ("ftp://example.com/x", ProblemCode.ADDRESS_BLOCKED),
        ("http://[bad/", ProblemCode.UNUSABLE_RESPONSE),
        ("", ProblemCode.UNUSABLE_RESPONSE),
    ],
)
def test_redirects_never_lead_where_hrefs_may_not(
    server: RangeServer, location: str, code: ProblemCode
) -> None:
    server.always("a", Fault(status=302, headers={"Location": location}))
    assert failure(server.url("a")).code is code
    assert len(server.seen()) == 1


def test_redirects_that_go_in_circles_end(server: RangeServer) -> None:
    server.always("a", Fault(status=302, headers={"Location": "/a"}))
    assert failure(server.url("a")).code is ProblemCode.UNUSABLE_RESPONSE
    assert len(server.seen()) == 6


def test_an_empty_file_and_a_range_beyond_the_end(server: RangeServer) -> None:
    assert "empty" in failure(server.put("empty", b"")).detail
    beyond = failure(server.put("a", DATA), start=len(DATA))
    assert (beyond.code, str(len(DATA)) in beyond.detail) == (ProblemCode.TRUNCATED, True)


def test_a_server_that_ignores_ranges_is_read_up_to_the_range(server: RangeServer) -> None:
    href = server.put("a", DATA + bytes(30 << 20))
    server.always("a", Fault(ignore_range=True))
    body = read(href, 100_000, 100_010)
    assert body.data == DATA[100_000:100_010]
    assert body.size == len(DATA) + (30 << 20)
    assert server.body_bytes() < 15 << 20
    error = failure(href, start=1 << 30)
    assert error.code is ProblemCode.UNUSABLE_RESPONSE


def test_a_compressed_answer_is_refused(server: RangeServer) -> None:
    server.put("a", DATA)
    server.always("a", Fault(headers={"Content-Encoding": "gzip"}))
    error = failure(server.url("a"))
    assert (error.code, "gzip" in error.detail) == (ProblemCode.UNUSABLE_RESPONSE, True)


def test_an_answer_longer_than_asked_is_cut(server: RangeServer) -> None:
    server.put("a", DATA)
    server.always(
        "a",
        Fault(status=206, body=DATA[:50], headers={"Content-Range": "bytes 0-9/256000"}),
    )
    assert read(server.url("a"), 0, 10).data == DATA[:10]


def test_names_that_lead_to_blocked_addresses_are_blocked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # No name of this machine leads there, so its resolver is given an answer.
    def lookup(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [(2, 1, 6, "", ("169.254.169.254", 80))]

    monkeypatch.setattr("socket.getaddrinfo", lookup)
    error = failure("http://metadata.example.com/")
    assert error.code is ProblemCode.ADDRESS_BLOCKED
    assert "169.254.169.254" in error.detail


def test_a_host_that_is_down_stops_costing_time() -> None:
    settings = FetchSettings(retry_budget_s=2.0, max_concurrent=50)
    root = f"http://127.0.0.1:{free_port()}"

    async def codes(reader: RangeReader, numbers: range) -> set[ProblemCode]:
        reads = [reader.read(f"{root}/{number}", 0, 10) for number in numbers]
        found = await asyncio.gather(*reads, return_exceptions=True)
        assert all(isinstance(one, FetchError) for one in found)
        return {one.code for one in found if isinstance(one, FetchError)}

    async def many() -> None:
        async with RangeReader(settings) as reader:
            assert await codes(reader, range(500)) == {ProblemCode.UNREACHABLE}
            asked = reader.requests
            assert await codes(reader, range(500, 3_000)) == {ProblemCode.UNREACHABLE}
            assert reader.requests == asked

    began = time.monotonic()
    asyncio.run(many())
    assert time.monotonic() - began < 10


def test_a_host_that_comes_back_is_asked_again(server: RangeServer) -> None:
    settings = FetchSettings(retry_budget_s=0.4, max_attempts=1)
    href = server.put("a", DATA)
    server.always("a", Fault(status=500))

    async def down_then_up() -> tuple[str, Body]:
        async with RangeReader(settings) as reader:
            details: list[str] = []
            for _ in range(12):
                with pytest.raises(FetchError) as caught:
                    await reader.read(href, 0, 10)
                details.append(caught.value.detail)
                await asyncio.sleep(0.05)
            server.always("a", None)
            await asyncio.sleep(0.7)
            return details[-1], await reader.read(href, 0, 10)

    detail, body = asyncio.run(down_then_up())
    assert "not asked" in detail
    assert len(server.seen()) < 13
    assert body.data == DATA[:10]


def test_load_shrinks_under_throttling_and_grows_back(server: RangeServer) -> None:
    href = server.put("a", DATA)
    server.latency_s = 0.01
    server.plan("a", *[Fault(status=503)] * 60)

    async def load(reader: RangeReader, count: int) -> list[object]:
        reads = [reader.read(href, 0, 10) for _ in range(count)]
        return list(await asyncio.gather(*reads, return_exceptions=True))

    async def watched() -> tuple[float, float, list[object]]:
        async with RangeReader(FetchSettings(max_per_host=64)) as reader:
            gate = reader.target(href).host.gate
            found = await load(reader, 100)
            low = gate.limit
            found += await load(reader, 3000)
            return low, gate.limit, found

    low, high, found = asyncio.run(watched())
    assert low < 50
    assert high >= 60
    assert all(isinstance(one, Body) for one in found)


def test_no_more_requests_are_open_than_allowed(server: RangeServer) -> None:
    server.latency_s = 0.02
    href = server.put("a", DATA)

    async def load(settings: FetchSettings) -> None:
        async with RangeReader(settings) as reader:
            await asyncio.gather(*(reader.read(href, 0, 10) for _ in range(100)))

    asyncio.run(load(FetchSettings(max_concurrent=7)))
    assert server.peak_in_flight == 7
    server.forget()
    asyncio.run(load(FetchSettings(max_per_host=5)))
    assert server.peak_in_flight == 5


def test_cancelling_gives_room_to_others(server: RangeServer) -> None:
    slow, quick = server.put("slow", DATA), server.put("quick", DATA)
    server.always("slow", Fault(delay_s=30))

    async def cancelled() -> Body:
        async with RangeReader(FetchSettings(max_concurrent=2)) as reader:
            tasks = [asyncio.create_task(reader.read(slow, 0, 10)) for _ in range(5)]
            await asyncio.sleep(0.1)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            return await asyncio.wait_for(reader.read(quick, 0, 10), 2)

    assert asyncio.run(cancelled()).data == DATA[:10]


def test_a_pause_asked_for_holds_for_all_files_of_the_server(server: RangeServer) -> None:
    server.plan("a", Fault(status=429, headers={"Retry-After": "1"}))
    hrefs = [server.put("a", DATA), server.put("b", DATA)]

    async def one_after_the_other() -> None:
        async with RangeReader(SETTINGS) as reader:
            first = asyncio.create_task(reader.read(hrefs[0], 0, 10))
            await asyncio.sleep(0.2)
            await reader.read(hrefs[1], 0, 10)
            await first

    asyncio.run(one_after_the_other())
    assert server.seen("b")[0].at - server.seen("a")[0].at > 0.9
