"""Real files, damaged at random: a header, a typed problem, or a modest need; nothing else.

`RASTERET_ASSETS_FUZZ_SECONDS` makes it last longer, `RASTERET_ASSETS_FUZZ_SEED` repeats a run.
"""

import os
import random
import tracemalloc
from collections import Counter
from itertools import cycle
from pathlib import Path
from struct import calcsize, unpack_from
from time import perf_counter, thread_time
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rasteret_assets.errors import ProblemCode, TiffError
from rasteret_assets.tiff import Header, HeaderBytes, parse_header
from tests.rig.headers import BUDGET, parse, struct_of
from tests.rig.tiff_builder import LONG, SHORT, Entry, build, changed, image, without

SECONDS = float(os.environ.get("RASTERET_ASSETS_FUZZ_SECONDS", "10"))
SEED = int(os.environ.get("RASTERET_ASSETS_FUZZ_SEED", random.SystemRandom().getrandbits(32)))
CASE_SECONDS = 5.0
"""Processor time of one case, at most. The longest of 100,000 took 0.3 s, PROJ's search for a CRS
that is written out; on a busy machine that came to 1.2 s."""
PEAK_BYTES = 32 << 20
STRUCTS = 0.2
"""Share of headers that structs are made of, which takes longer than reading them."""
SETTINGS = 1, 2, 3, 4, 7, 8, 255, 256, 32767, 65535, 1 << 16, (1 << 31) - 1, 1 << 31, (1 << 32) - 1


class Sample(NamedTuple):
    name: str
    data: bytes
    order: str
    entries: list[tuple[int, str]]
    """Where each entry lies, and its format."""
    near: list[int]
    """Bytes worth damaging: of tables and near them."""


def sample_of(path: Path) -> Sample:
    """Find the entries of a file's directories, with no help of the parser."""
    data = path.read_bytes()
    order = "<" if data[:2] == b"II" else ">"
    big = unpack_from(order + "H", data, 2)[0] == 43
    pointer, count, entry = ("Q", "Q", "HHQQ") if big else ("I", "H", "HHII")
    (at,) = unpack_from(order + pointer, data, 8 if big else 4)
    entries: list[tuple[int, str]] = []
    near: set[int] = set(range(16))
    while 0 < at < len(data) - 8 and len(entries) < 400:
        (number,) = unpack_from(order + count, data, at)
        first = at + calcsize(order + count)
        tables = [first + each * calcsize(order + entry) for each in range(number)]
        after = first + number * calcsize(order + entry)
        if after + 8 > len(data):
            break
        entries += [(table, entry) for table in tables]
        near |= set(range(at, min(after + 300, len(data))))
        (at,) = unpack_from(order + pointer, data, after)
    return Sample(path.name, data, order, entries, sorted(near))


def damage(sample: Sample, chance: random.Random) -> bytes:
    """Return the file with one to four things wrong."""
    data = bytearray(sample.data)
    for _ in range(chance.randint(1, 4)):
        kind = chance.randrange(6)
        if kind == 0:
            data[chance.choice(sample.near)] ^= 1 << chance.randrange(8)
        elif kind == 1:
            data[chance.choice(sample.near)] = chance.randrange(256)
        elif kind == 2 and chance.random() < 0.3:
            del data[chance.randrange(len(data)) :]
            data += bytes(max(0, 16 - len(data)))
            return bytes(data)
        elif kind >= 3 and sample.entries:
            _edit_entry(sample, data, chance)
    return bytes(data)


def _edit_entry(sample: Sample, data: bytearray, chance: random.Random) -> None:
    """Change the tag, type, count or value of one entry to something of interest."""
    at, entry = chance.choice(sample.entries)
    part = chance.randrange(4)
    start = at + calcsize(sample.order + entry[:part])
    size = calcsize(sample.order + entry[part])
    value = chance.choice([*SETTINGS, len(data), len(data) - 1, at, chance.getrandbits(8 * size)])
    order = "little" if sample.order == "<" else "big"
    data[start : start + size] = (value % (1 << 8 * size)).to_bytes(size, order)  # type: ignore[arg-type]  # a literal, not seen as one


def outcome(data: bytes, first: int) -> Header | ProblemCode:
    """Read a file as from a server; whatever else is raised than a TiffError is a bug."""
    held = HeaderBytes(len(data))
    held.add(0, data[:first])
    try:
        for _ in range(BUDGET.requests + 1):
            answer = parse_header(held, BUDGET)
            if isinstance(answer, Header):
                return answer
            flat = [edge for part in answer.ranges for edge in part]
            assert flat, "a need of nothing"
            assert flat == sorted(set(flat))
            assert 0 <= flat[0] < flat[-1] <= len(data)
            for start, stop in answer.ranges:
                held.add(start, data[start:stop])
    except TiffError as error:
        return error.code
    pytest.fail(f"still needs bytes after {held.reads} reads")


def check(answer: Header | ProblemCode, data: bytes) -> str:
    if isinstance(answer, ProblemCode):
        return answer.value
    assert len(answer.offsets) == len(answer.byte_counts) <= 8 * len(data)
    assert int((answer.offsets + answer.byte_counts).max()) <= len(data)
    assert answer.prefix_bytes <= len(data)
    return "header"


@pytest.mark.timeout(SECONDS + 120)
def test_damaged_files_give_headers_or_typed_problems(data_dir: Path) -> None:
    print(f"RASTERET_ASSETS_FUZZ_SEED={SEED}")  # noqa: T201  # shown when the test fails
    chance = random.Random(SEED)
    samples = [sample_of(path) for path in sorted((data_dir / "geotiff").glob("*.tif"))]
    for sample in samples:  # what is worked out once, such as the codes of CRSs, is no case's
        outcome(sample.data, 16384)
    seen: Counter[str] = Counter()
    rounds = 0
    end = perf_counter() + SECONDS
    for sample in cycle(samples):
        if perf_counter() > end:
            break
        rounds += sample is samples[-1]
        data = damage(sample, chance)
        begin = thread_time()
        answer = outcome(data, chance.choice((64, 1024, 16384)))
        assert thread_time() - begin < CASE_SECONDS, sample.name
        seen[check(answer, data)] += 1
        if isinstance(answer, Header) and chance.random() < STRUCTS:
            struct_of(answer)
    print(f"{len(samples)} files, each damaged {rounds} times: {dict(seen)}")  # noqa: T201  # likewise
    assert rounds
    assert seen["header"] > seen.total() / 20
    assert {"corrupt", "truncated", "over_budget", "not_tiff"} <= set(seen)


def test_damaged_files_take_little_memory(data_dir: Path) -> None:
    chance = random.Random(SEED)
    samples = [sample_of(path) for path in sorted((data_dir / "geotiff").glob("*.tif"))]
    samples = [sample for sample in samples if len(sample.data) < 1 << 20]
    cases = [damage(chance.choice(samples), chance) for _ in range(200)]
    tracemalloc.start()
    try:
        for data in cases:
            tracemalloc.reset_peak()
            outcome(data, 1024)
            assert tracemalloc.get_traced_memory()[1] < PEAK_BYTES
    finally:
        tracemalloc.stop()


@settings(max_examples=150, deadline=None)
@given(
    sides=st.tuples(st.integers(1, 3000), st.integers(1, 3000)),
    block=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    samples=st.integers(1, 5),
    planar_strips=st.tuples(st.booleans(), st.booleans()),
    order=st.sampled_from("<>"),
    big_tiff=st.booleans(),
    kind=st.sampled_from([SHORT, LONG]),
    data=st.data(),
)
def test_a_plain_image_is_read_as_it_was_written(
    sides: tuple[int, int],
    block: tuple[int, int],
    samples: int,
    planar_strips: tuple[bool, bool],
    order: str,
    big_tiff: bool,  # noqa: FBT001  # drawn
    kind: int,
    data: st.DataObject,
) -> None:
    (width, height), (planar, strips) = sides, planar_strips
    tile_width, tile_height = (width, block[1] * 16) if strips else (block[0] * 16, block[1] * 16)
    per_plane = -(-width // tile_width) * -(-height // tile_height)
    tiles = per_plane * (samples if planar else 1)
    chance = data.draw(st.randoms(use_true_random=False))
    offsets = [chance.randrange(8, 60_000) for _ in range(tiles)]
    counts = [chance.randrange(0, 5000) for _ in range(tiles)]
    entries = without(image(width, height), 322, 323, 324, 325)
    entries = changed(entries, 277, values=[samples])
    entries += [Entry(tag=273 if strips else 324, kind=kind, values=offsets)]
    entries += [Entry(tag=279 if strips else 325, kind=kind, values=counts)]
    entries += [Entry(tag=284, kind=SHORT, values=[2 if planar else 1])]
    if strips:
        entries += [Entry(tag=278, kind=LONG, values=[tile_height])]
    else:
        entries += [Entry(tag=322, kind=LONG, values=[tile_width])]
        entries += [Entry(tag=323, kind=LONG, values=[tile_height])]
    entries.sort(key=lambda entry: entry.tag)
    file = build(entries, order=order, big_tiff=big_tiff).ljust(70_000, b"\0")
    header = parse(file)
    band = data.draw(st.integers(0, samples - 1))
    struct = struct_of(header, band)
    assert (struct["image_width"], struct["image_height"]) == sides
    expected = min(tile_height, height) if strips else tile_height
    assert (struct["tile_width"], struct["tile_height"]) == (tile_width, expected)
    own = slice(band * per_plane, (band + 1) * per_plane) if planar else slice(None)
    assert struct["tile_offsets"] == offsets[own]
    assert struct["tile_byte_counts"] == counts[own]
    assert header.offsets.tolist() == offsets


_entries = st.builds(
    Entry,
    tag=st.one_of(st.sampled_from([entry.tag for entry in image()]), st.integers(0, 65535)),
    kind=st.integers(0, 19),
    values=st.lists(st.integers(0, 127), max_size=8).map(lambda some: some * 2),
    count=st.none() | st.integers(0, (1 << 32) - 1),
    offset=st.none() | st.integers(0, 2000),
)


@settings(max_examples=300, deadline=None)
@given(
    directories=st.lists(st.lists(_entries, max_size=6), min_size=1, max_size=3),
    order=st.sampled_from("<>"),
    big_tiff=st.booleans(),
    plain=st.booleans(),
)
def test_any_directory_gives_a_header_or_a_typed_problem(
    directories: list[list[Entry]],
    order: str,
    big_tiff: bool,  # noqa: FBT001  # drawn
    plain: bool,  # noqa: FBT001  # drawn
) -> None:
    if plain:  # a sound image, with odd entries among its own
        directories[0] += image()
    data = build(*directories, order=order, big_tiff=big_tiff).ljust(2500, b"\0")
    check(outcome(data, 200), data)
