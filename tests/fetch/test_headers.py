import asyncio
import logging
import os
import signal
import socket
import threading
import time
from collections import Counter
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path

import pytest
import rasterio

from rasteret_assets.contract.settings import FetchSettings, HeaderBudget
from rasteret_assets.contract.tables import Progress
from rasteret_assets.errors import ProblemCode
from rasteret_assets.fetch import HeaderFetcher, first_read
from tests.rig.http_server import Fault, RangeServer, free_port

QUICK = FetchSettings(retry_budget_s=2.0, request_timeout_s=1.0)


def serve_many(server: RangeServer, name: str, body: bytes, count: int) -> list[str]:
    return [server.put(f"{name}/{number}.tif", body) for number in range(count)]


def test_a_thousand_small_headers_take_one_request_each(
    server: RangeServer, small_cog: bytes
) -> None:
    hrefs = serve_many(server, "s2", small_cog, 1000)
    with HeaderFetcher(FetchSettings()) as fetcher:
        found = fetcher.fetch(hrefs, hint="B04")
    assert [one.href for one in found] == hrefs
    assert Counter(one.code for one in found) == {None: 1000}
    assert len(server.seen()) == 1000
    assert server.body_bytes() == sum(one.bytes_fetched for one in found) <= 1000 * (16 << 10)


def test_a_thousand_wide_headers_take_hardly_more_from_a_cold_start(
    server: RangeServer, wide_cog: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    # so that a busy machine does not count as a server too slow to wait for
    monkeypatch.setattr(first_read, "_SCOUTS_TAKE_AT_MOST_S", 30.0)
    server.latency_s = 0.02
    hrefs = serve_many(server, "wide", wide_cog, 1000)
    with HeaderFetcher(FetchSettings()) as fetcher:
        found = fetcher.fetch(hrefs, hint="B04")
    assert Counter(one.code for one in found) == {None: 1000}
    assert len(server.seen()) <= 1020


def test_first_reads_are_learned_per_hint(
    server: RangeServer, small_cog: bytes, wide_cog: bytes
) -> None:
    small, wide = serve_many(server, "s", small_cog, 30), serve_many(server, "w", wide_cog, 30)
    hrefs = [href for pair in zip(small, wide, strict=True) for href in pair]
    with HeaderFetcher(FetchSettings()) as fetcher:
        fetcher.fetch(hrefs, hint=["small", "wide"] * 30)
        server.forget()
        fetcher.fetch(hrefs, hint=["small", "wide"] * 30)
    assert {len(server.seen(f"s/{number}.tif")) for number in range(30)} == {1}
    assert {len(server.seen(f"w/{number}.tif")) for number in range(30)} == {1}
    assert {one.range for one in server.seen() if one.path.startswith("s/")} == {"bytes=0-16383"}


def test_an_index_at_the_end_takes_at_most_three_requests(
    server: RangeServer, late_index: bytes
) -> None:
    hrefs = serve_many(server, "late", late_index, 20)
    with HeaderFetcher(FetchSettings()) as fetcher:
        found = fetcher.fetch(hrefs)
    assert {one.code for one in found} == {None}
    assert max(Counter(one.path for one in server.seen()).values()) <= 3


def test_every_real_file_takes_at_most_three_requests(data_dir: Path) -> None:
    names = [file.name for file in sorted((data_dir / "geotiff").glob("*.tif*"))]
    with RangeServer(data_dir / "geotiff") as server, HeaderFetcher(FetchSettings()) as fetcher:
        remote = fetcher.fetch([server.url(name) for name in names])
        counts = {name: len(server.seen(name)) for name in names}
        local = fetcher.fetch([str(data_dir / "geotiff" / name) for name in names])
    assert {name: count for name, count in counts.items() if count > 3} == {}
    assert [one.code for one in remote] == [one.code for one in local]
    assert all(one.header is not None for one in remote if one.code is None)
    assert sum(one.code is None for one in remote) >= 80


def test_headers_agree_with_gdal_and_carry_the_files_identity(
    server: RangeServer, small_cog: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(small_cog)
    href = server.put("a b/ü.tif", small_cog)
    with HeaderFetcher(FetchSettings()) as fetcher:
        (found,) = fetcher.fetch([href])
    assert found.header is not None
    assert found.file is not None
    with rasterio.open(path) as dataset:
        assert found.header.image.width == dataset.width
        assert len(found.header.overviews) == len(dataset.overviews(1))
    assert (found.file.href, found.file.size) == (href, len(small_cog))
    assert found.file.etag is not None
    assert found.file.last_modified == "Mon, 01 Jan 2024 00:00:00 GMT"
    assert found.attempts == 1


def test_one_bad_href_never_stops_the_others(server: RangeServer, small_cog: bytes) -> None:
    good = serve_many(server, "good", small_cog, 20)
    bad = {
        server.url("missing.tif"): ProblemCode.NOT_FOUND,
        server.put("text.tif", b"this is no TIFF, whatever its name says"): ProblemCode.NOT_TIFF,
        server.put("empty.tif", b""): ProblemCode.TRUNCATED,
        server.put("cut.tif", small_cog[:200]): ProblemCode.TRUNCATED,
        f"http://127.0.0.1:{free_port()}/x.tif": ProblemCode.UNREACHABLE,
        "http://no-such-host.invalid/x.tif": ProblemCode.UNREACHABLE,
        "http://169.254.169.254/x.tif": ProblemCode.ADDRESS_BLOCKED,
        "http://2852039166/x.tif": ProblemCode.HREF_INVALID,
        "http://0xA9FEA9FE/x.tif": ProblemCode.ADDRESS_BLOCKED,
        "ftp://example.com/x.tif": ProblemCode.ADDRESS_BLOCKED,
        "http://": ProblemCode.HREF_INVALID,
        "/no/such/file.tif": ProblemCode.NOT_FOUND,
        "/dev/zero": ProblemCode.NOT_FOUND,
        "/dev": ProblemCode.NOT_FOUND,
    }
    hrefs = [href for pair in zip(good, bad, strict=False) for href in pair]
    with HeaderFetcher(QUICK) as fetcher:
        found = {one.href: one for one in fetcher.fetch(hrefs)}
    assert [href for href in found if found[href].code is None] == good[: len(bad)]
    for href, code in bad.items():
        assert found[href].detail
        assert found[href].code is code, (href, found[href])


def test_local_files_of_remote_tables_are_refused_unless_allowed(
    tmp_path: Path, small_cog: bytes
) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(small_cog)
    with HeaderFetcher(FetchSettings(), table_is_remote=True) as fetcher:
        (refused,) = fetcher.fetch([str(path)])
    with HeaderFetcher(FetchSettings(allow_local_files=True), table_is_remote=True) as fetcher:
        (allowed,) = fetcher.fetch([f"file://{path}"])
    assert refused.code is ProblemCode.ADDRESS_BLOCKED
    assert refused.attempts == 0
    assert allowed.code is None


def test_a_file_that_changes_between_requests_is_begun_again(
    server: RangeServer, wide_cog: bytes
) -> None:
    href = server.put("a.tif", wide_cog)
    server.plan("a.tif", Fault(), Fault(headers={"ETag": '"other"'}))
    with HeaderFetcher(FetchSettings()) as fetcher:
        (found,) = fetcher.fetch([href])
    assert found.code is None
    assert len(server.seen("a.tif")) >= 3


def test_a_file_that_keeps_changing_is_said_to_change(server: RangeServer, wide_cog: bytes) -> None:
    href = server.put("a.tif", wide_cog)
    server.plan("a.tif", *(Fault(headers={"ETag": f'"{number}"'}) for number in range(50)))
    with HeaderFetcher(FetchSettings()) as fetcher:
        (found,) = fetcher.fetch([href])
    assert found.code is ProblemCode.FILE_CHANGED
    assert len(server.seen("a.tif")) <= 6


@pytest.mark.parametrize("etag", ['W/"weak"', ""], ids=["weak", "none"])
def test_weak_and_missing_entity_tags_are_no_obstacle(
    server: RangeServer, wide_cog: bytes, etag: str
) -> None:
    href = server.put("a.tif", wide_cog)
    server.always("a.tif", Fault(headers={"ETag": etag}))
    with HeaderFetcher(FetchSettings()) as fetcher:
        (found,) = fetcher.fetch([href])
    assert found.file is not None
    assert found.file.etag == (etag or None)


def test_a_server_that_ignores_ranges_is_read_no_further_than_needed(
    server: RangeServer, small_cog: bytes
) -> None:
    body = small_cog + bytes(20 << 20)
    href = server.put("a.tif", body)
    server.always("a.tif", Fault(ignore_range=True))
    with HeaderFetcher(FetchSettings()) as fetcher:
        (found,) = fetcher.fetch([href])
        stats = fetcher.stats
    assert found.file is not None
    assert found.file.size == len(body)
    assert stats.bytes_fetched == 16 << 10
    assert server.body_bytes() < len(body) / 2


@pytest.mark.parametrize(
    ("budget", "code"),
    [
        (HeaderBudget(requests=1), ProblemCode.OVER_BUDGET),
        (HeaderBudget(total_bytes=20_000), ProblemCode.OVER_BUDGET),
    ],
)
def test_headers_that_cost_too_much_are_left(
    server: RangeServer, wide_cog: bytes, budget: HeaderBudget, code: ProblemCode
) -> None:
    href = server.put("a.tif", wide_cog)
    with HeaderFetcher(FetchSettings(budget=budget)) as fetcher:
        (found,) = fetcher.fetch([href])
    assert found.code is code


def test_progress_is_reported_now_and_then_and_at_the_end(
    server: RangeServer, small_cog: bytes
) -> None:
    server.latency_s = 0.1
    hrefs = [*serve_many(server, "a", small_cog, 99), server.url("missing.tif")]
    said: list[Progress] = []
    threads: set[int] = set()

    def report(progress: Progress) -> None:
        said.append(progress)
        threads.add(threading.get_ident())

    began = time.monotonic()
    with HeaderFetcher(FetchSettings(max_concurrent=10)) as fetcher:
        fetcher.fetch(hrefs, report=report)
        took = time.monotonic() - began
        fetcher.fetch(hrefs[:1], report=report)
    assert said[-2].done == said[-2].total == said[-2].requests == 100
    assert said[-2].problems == 1
    assert 3 <= len(said) <= took * 5 + 3
    assert [one.done for one in said[:-1]] == sorted(one.done for one in said[:-1])
    assert (said[-1].done, said[-1].requests) == (1, 1)
    assert threads == {threading.get_ident()}


def test_an_interrupt_ends_all_requests_and_leaves_nothing_behind(
    server: RangeServer, small_cog: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    hrefs = serve_many(server, "a", small_cog, 500)
    for number in range(500):
        server.always(f"a/{number}.tif", Fault(delay_s=30))
    with caplog.at_level(logging.WARNING), HeaderFetcher(FetchSettings()) as fetcher:
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            fetcher.fetch(hrefs)
        assert time.monotonic() - began < 5
        loop = fetcher._loop._loop
        assert loop is not None
        assert not asyncio.all_tasks(loop)
        for number in range(500):
            server.always(f"a/{number}.tif", None)
        assert {one.code for one in fetcher.fetch(hrefs)} == {None}
    assert not caplog.records


def test_closing_ends_the_calls_of_all_threads(
    server: RangeServer, small_cog: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    hrefs = serve_many(server, "a", small_cog, 40)
    for number in range(40):
        server.always(f"a/{number}.tif", Fault(delay_s=30))
    began = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        with HeaderFetcher(FetchSettings()) as fetcher:
            calls = [pool.submit(fetcher.fetch, hrefs[start::4]) for start in range(4)]
            time.sleep(0.3)
        errors = [call.exception(5) for call in calls]
    assert time.monotonic() - began < 5
    assert {type(error) for error in errors} == {CancelledError}
    assert not caplog.records
    with pytest.raises(RuntimeError, match="closed"):
        fetcher.fetch(hrefs)


def test_threads_share_a_fetcher_and_count_for_themselves(
    server: RangeServer, small_cog: bytes
) -> None:
    hrefs = serve_many(server, "a", small_cog, 100)
    said: list[Progress] = []
    with HeaderFetcher(FetchSettings()) as fetcher, ThreadPoolExecutor(4) as pool:
        calls = [
            pool.submit(fetcher.fetch, hrefs[start::4], report=said.append) for start in range(4)
        ]
        found = [one for call in calls for one in call.result()]
    assert {one.code for one in found} == {None}
    assert {one.requests for one in said if one.done == 25} == {25}
    assert fetcher.stats.requests == 100


def test_a_failing_report_ends_the_fetch(server: RangeServer, small_cog: bytes) -> None:
    href = server.put("a.tif", small_cog)
    server.always("a.tif", Fault(delay_s=30))

    def report(_: Progress) -> None:
        raise ZeroDivisionError

    with HeaderFetcher(FetchSettings()) as fetcher, pytest.raises(ZeroDivisionError):
        fetcher.fetch([href], report=report)


def test_nothing_to_fetch_is_no_work() -> None:
    with HeaderFetcher(FetchSettings()) as fetcher:
        assert fetcher.fetch([]) == []


def test_a_host_that_takes_no_connections_costs_one_connect_timeout() -> None:
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)  # its queue filled, further connections are left unanswered
        for queued in (first, second):
            queued.setblocking(False)  # noqa: FBT003 - as sockets have it
            queued.connect_ex(full.getsockname())
        root = f"http://127.0.0.1:{full.getsockname()[1]}"
        began = time.monotonic()
        with HeaderFetcher(FetchSettings(connect_timeout_s=1.0, retry_budget_s=4.0)) as fetcher:
            found = fetcher.fetch([f"{root}/{number}.tif?sig=secret" for number in range(500)])
    assert time.monotonic() - began < 4
    assert {one.code for one in found} == {ProblemCode.UNREACHABLE}
    assert not [one for one in found if "secret" in (one.detail or "")]


def test_hosts_that_hang_do_not_hold_up_others(server: RangeServer, small_cog: bytes) -> None:
    hrefs = serve_many(server, "good", small_cog, 100)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(100)
        hung = [f"http://127.0.0.1:{silent.getsockname()[1]}/{n}.tif" for n in range(20)]
        began = time.monotonic()
        with HeaderFetcher(
            FetchSettings(request_timeout_s=1.0, max_attempts=1, retry_budget_s=2.0)
        ) as fetcher:
            found = fetcher.fetch([*hung, *hrefs])
    assert time.monotonic() - began < 4
    assert {one.code for one in found[:20]} == {ProblemCode.TIMEOUT}
    assert {one.code for one in found[20:]} == {None}


def first_arrivals(server: RangeServer) -> list[float]:
    """When each file was first asked for, in seconds since the first of all."""
    arrived: dict[str, float] = {}
    for one in server.seen():
        arrived.setdefault(one.path, one.at)
    return [at - min(arrived.values()) for at in sorted(arrived.values())]


def test_files_that_are_missing_hold_up_the_others_for_one_answer_only(
    server: RangeServer, small_cog: bytes
) -> None:
    server.latency_s = 0.05
    missing = [server.url(f"missing/{number}.tif") for number in range(40)]
    with HeaderFetcher(FetchSettings()) as fetcher:
        found = fetcher.fetch([*missing, *serve_many(server, "s2", small_cog, 5)])
    assert Counter(one.code for one in found) == {ProblemCode.NOT_FOUND: 40, None: 5}
    assert first_arrivals(server)[30] < 0.45  # the rest would wait for half a second


def test_first_files_that_have_to_be_tried_again_hold_up_none(
    server: RangeServer, small_cog: bytes
) -> None:
    hrefs = serve_many(server, "s2", small_cog, 40)
    for number in range(3):
        server.plan(f"s2/{number}.tif", Fault(status=500))
    with HeaderFetcher(FetchSettings()) as fetcher:
        found = fetcher.fetch(hrefs)
    assert {one.code for one in found} == {None}
    order = [one.path for one in server.seen()]
    repeated = [at for at, path in enumerate(order) if path in order[:at]]
    assert len(set(order[: repeated[0]])) == 40  # all were asked for before any was again


def test_a_first_file_that_hangs_holds_up_the_others_for_half_a_second(
    server: RangeServer, small_cog: bytes
) -> None:
    hrefs = serve_many(server, "s2", small_cog, 40)
    for number in range(3):
        server.plan(f"s2/{number}.tif", Fault(delay_s=2.0))
    with HeaderFetcher(FetchSettings()) as fetcher:
        found = fetcher.fetch(hrefs)
    assert {one.code for one in found} == {None}
    assert 0.4 < first_arrivals(server)[-1] < 1.5
