"""Which tiles are asked for together, and how much at a time."""

import asyncio

import numpy as np
import pytest

from rasteret_assets.geo.grid import Window
from rasteret_assets.reads.levels import Level, Sample
from rasteret_assets.reads.tiles import GAP_BYTES, REQUEST_BYTES, TilePlan
from rasteret_assets.reads.transfer import ByteGate
from rasteret_assets.tiff.decode_format import TileFormat

FORM = TileFormat(
    image_width=400,
    image_height=100,
    tile_width=100,
    tile_height=100,
    tiled=True,
    samples=1,
    bits_per_sample=8,
    fill=7,
)


def plan_of(offsets: list[int], sizes: list[int], window: Window) -> TilePlan:
    level = Level(form=FORM, offsets=np.array(offsets), byte_counts=np.array(sizes))
    plan = TilePlan()
    plan.add(level, Sample(), window, np.empty(window.shape, np.uint8))
    return plan


ALL = Window(0, 0, 400, 100)


@pytest.mark.parametrize(
    ("offsets", "sizes", "together"),
    [
        ([100, 200, 300, 400], [100] * 4, [4]),
        ([400, 300, 200, 100], [100] * 4, [4]),
        ([0, 100, 200 + GAP_BYTES, 300 + GAP_BYTES], [100] * 4, [4]),
        ([0, 100, 201 + GAP_BYTES, 301 + GAP_BYTES], [100] * 4, [2, 2]),
        ([0, 1 << 20, 2 << 20, 3 << 20], [1 << 20] * 4, [4]),
        ([0, REQUEST_BYTES, 2 * REQUEST_BYTES, 0], [REQUEST_BYTES] * 4, [1, 1, 1]),
        ([0, 0, 50, 0], [0, 0, 10, 0], [1]),
        ([0, 0, 0, 0], [0] * 4, []),
    ],
    ids=[
        "adjoining",
        "backwards",
        "across a gap",
        "gap too wide",
        "up to the limit",
        "beyond the limit, one twice",
        "sparse",
        "nothing stored",
    ],
)
def test_tiles_near_each_other_are_one_request(
    offsets: list[int], sizes: list[int], together: list[int]
) -> None:
    assert [len(tiles) for tiles in plan_of(offsets, sizes, ALL).requests()] == together


def test_only_tiles_that_a_window_touches_are_asked_for() -> None:
    plan = plan_of([0, 1000, 2000, 3000], [1000] * 4, Window(100, 5, 101, 9))
    assert [(tile.start, tile.stop) for batch in plan.requests() for tile in batch] == [
        (1000, 2000),
        (2000, 3000),
    ]


def test_tiles_that_are_not_stored_are_filled_in_at_once() -> None:
    level = Level(form=FORM, offsets=np.zeros(4, int), byte_counts=np.zeros(4, int))
    canvas, picked = np.zeros((100, 400), np.uint8), np.zeros(2, np.uint8)
    plan = TilePlan()
    plan.add(level, Sample(), ALL, canvas)
    plan.add_pixels(level, Sample(), np.array([5, 399]), np.array([0, 99]), picked)
    assert (canvas == 7).all()
    assert picked.tolist() == [7, 7]


def test_a_gate_lets_no_more_bytes_through_than_it_holds() -> None:
    async def use() -> tuple[int, list[int]]:
        gate, held, most, order = ByteGate(10), 0, 0, []

        async def one(number: int, size: int) -> None:
            nonlocal held, most
            async with gate.room(size):
                order.append(number)
                held += min(size, 10)
                most = max(most, held)
                await asyncio.sleep(0.001)
                held -= min(size, 10)

        async with asyncio.TaskGroup() as group:
            for number, size in enumerate([4, 4, 4, 99, 1, 1, 10]):
                group.create_task(one(number, size))
        return most, order

    most, order = asyncio.run(use())
    assert most == 10
    assert order == [0, 1, 2, 3, 4, 5, 6]


def test_a_gate_forgets_those_who_gave_up() -> None:
    async def use() -> None:
        gate = ByteGate(10)

        async def one(size: int) -> None:
            async with gate.room(size):
                await asyncio.sleep(0.01)

        first = asyncio.create_task(one(10))
        await asyncio.sleep(0)
        waiting = asyncio.create_task(one(10))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(first, waiting, return_exceptions=True)
        await asyncio.wait_for(one(10), 1)

    asyncio.run(use())
