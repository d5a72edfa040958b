"""What a header may cost: each limit holds to its last unit, before the cost is paid."""

import tracemalloc
from collections.abc import Callable
from struct import pack
from time import perf_counter
from typing import Any

import pytest

from rasteret_assets.contract.settings import HeaderBudget
from rasteret_assets.errors import ProblemCode, TiffError
from rasteret_assets.tiff import HeaderBytes, Need, parse_header
from tests.rig.headers import BUDGET, code_of, parse, parse_in_pieces, struct_of
from tests.rig.tiff_builder import (
    ASCII,
    DOUBLE,
    LONG,
    SHORT,
    Entry,
    build,
    changed,
    image,
    text,
    without,
)

HUGE: dict[str, Callable[[], bytes]] = {
    "offsets_of_2_to_31": lambda: build(
        changed(image(1 << 20, 1 << 19, 16), 324, count=1 << 31, offset=8)
    ),
    "sixteen_exabytes": lambda: build(image((1 << 31) - 1, (1 << 31) - 1, 1 << 30, tiles=4)),
    "tile_of_2_to_60": lambda: build(image(64, 64, 1 << 30, tiles=1)),
    "entries_of_2_to_60": lambda: pack("<2sHHHQQ", b"II", 43, 8, 0, 16, 1 << 60) + bytes(100),
    "a_sample_count_for_16_gb": lambda: build(
        changed(image(4096, 4096, 4096, tiles=1), 277, values=[65535])
    ),
    "a_strip_of_everything": lambda: build(
        [
            *without(image(100_000, 100_000), 322, 323, 324, 325),
            Entry(tag=273, kind=LONG, values=[8]),
            Entry(tag=279, kind=LONG, values=[8]),
        ]
    ),
}


@pytest.mark.parametrize("name", HUGE)
def test_what_would_take_the_world_is_over_budget(name: str) -> None:
    data = HUGE[name]()
    tracemalloc.start()
    begin = perf_counter()
    assert code_of(data) is ProblemCode.OVER_BUDGET
    assert perf_counter() - begin < 0.5
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()


BUDGETS: dict[str, tuple[int, int, Callable[[], bytes]]] = {
    "ifds": (2, 3, lambda: build(image(), image(subfile_type=1), image(subfile_type=1))),
    "entries": (10, 11, lambda: build(image())),
    "tag_bytes": (99, 100, lambda: build([*image(), text(42112, "x" * 99)])),
    "tiles": (3, 4, lambda: build(image())),
    "image_bytes": (4095, 4096, lambda: build(image())),
    "tile_pixels": (1023, 1024, lambda: build(image())),
    "tile_bytes": (3071, 3072, lambda: build(changed(image(), 277, values=[3]))),
}


@pytest.mark.parametrize("name", BUDGETS)
def test_a_budget_holds_to_the_last_unit(name: str) -> None:
    short, enough, data = BUDGETS[name]
    limits: dict[str, Any] = {name: short}
    assert code_of(data(), HeaderBudget(**limits)) is ProblemCode.OVER_BUDGET
    parse(data(), HeaderBudget(**{name: enough}))


@pytest.mark.parametrize("sub_ifds", [129, 1 << 20, (1 << 32) - 1])
def test_sub_ifds_count_against_the_budget_of_directories(sub_ifds: int) -> None:
    entries = [*image(), Entry(tag=330, kind=LONG, count=sub_ifds, offset=8)]
    assert code_of(build(entries)) is ProblemCode.OVER_BUDGET


def test_bytes_over_the_budget_are_not_asked_for() -> None:
    data = build(image(4096, 4096, 16, tiles=1 << 16), gap=50_000)
    parse_in_pieces(data, 1000, HeaderBudget(total_bytes=1 << 20))
    with pytest.raises(TiffError) as caught:
        parse_in_pieces(data, 1000, HeaderBudget(total_bytes=1 << 18))
    assert caught.value.code is ProblemCode.OVER_BUDGET


def test_byte_counts_are_computed_only_once_the_offsets_are_there() -> None:
    entries = without(image(1 << 16, 1 << 16, 16), 325)
    entries = changed(entries, 324, count=1 << 24, offset=1 << 20)
    held = HeaderBytes()
    held.add(0, build(entries))
    tracemalloc.start()
    assert isinstance(parse_header(held, HeaderBudget(total_bytes=1 << 30)), Need)
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()


def test_tiles_are_counted_before_their_arrays_are_asked_for() -> None:
    entries = image(1 << 20, 1 << 20, 16)
    for tag in (324, 325):
        entries = changed(entries, tag, count=1 << 32 - 1, offset=1000)
    held = HeaderBytes(1 << 40)
    held.add(0, build(entries))
    with pytest.raises(TiffError) as caught:
        parse_header(held, BUDGET)
    assert caught.value.code is ProblemCode.OVER_BUDGET


@pytest.mark.parametrize("tag", [347, 42113, 33922, 34737, 42112])
def test_large_tags_are_not_remembered(tag: int) -> None:
    kind = {347: 7, 33922: DOUBLE}.get(tag, ASCII)
    keys = Entry(tag=34735, kind=SHORT, values=[1, 1, 0, 1, 1026, 34737, 9, 0])
    struct_of(parse(build(image())))  # whatever is loaded at first use
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(12):
        values = [number] * (60_000 if kind == DOUBLE else 500_000)
        entries = {entry.tag: entry for entry in (*image(), keys)}
        entries[tag] = Entry(tag=tag, kind=kind, values=values)
        struct_of(parse(build(sorted(entries.values(), key=lambda entry: entry.tag))))
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 4 << 20
