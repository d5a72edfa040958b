"""A file told by a mould has the header that parsing it gives, whatever was met before."""

import random
import struct
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from rasterio.io import MemoryFile

from rasteret_assets.errors import ProblemCode, TiffError
from rasteret_assets.tiff import Header, HeaderBytes, Need, parse_header
from rasteret_assets.tiff.moulds import Moulds
from tests.rig.flavours import FLAVOURS, write_flavour
from tests.rig.headers import BUDGET

PARSE = sys.modules["rasteret_assets.tiff.parse"]
SEED = 20240531


class Met:
    """The parser, with or without knowledge of files met before."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch
        self.moulds = Moulds()

    def known(self, data: bytes, size: int | None = None) -> object:
        return self._outcome(self.moulds, data, size)

    def afresh(self, data: bytes, size: int | None = None) -> object:
        return self._outcome(Moulds(), data, size)

    def is_told(self, data: bytes) -> bool:
        return self.moulds.cast(held(data, None), BUDGET) is not None

    def _outcome(self, moulds: Moulds, data: bytes, size: int | None) -> object:
        self._patch.setattr(PARSE, "_moulds", moulds)
        try:
            found = parse_header(held(data, size), BUDGET)
        except TiffError as error:
            return error.code, error.detail
        return found if isinstance(found, Need) else plain(found)


def held(data: bytes, size: int | None) -> HeaderBytes:
    known = HeaderBytes(len(data) if size is None else size)
    known.add(0, data)
    return known


def plain(header: Header) -> dict[str, Any]:
    """All of a header as values that compare: the objects it shares do not."""
    return {field.name: _plain(getattr(header, field.name)) for field in fields(header)}


def _plain(value: Any) -> Any:  # noqa: ANN401  # whatever a header holds
    if isinstance(value, np.ndarray):
        return value.dtype, value.tolist()
    if isinstance(value, tuple):
        return tuple(_plain(one) for one in value)
    if hasattr(value, "__dataclass_fields__"):
        return {field.name: repr(getattr(value, field.name)) for field in fields(value)}
    return value


@pytest.fixture
def met(monkeypatch: pytest.MonkeyPatch) -> Met:
    return Met(monkeypatch)


@pytest.mark.parametrize("at", range(0, len(FLAVOURS), 4))
def test_damage_anywhere_in_the_index_is_seen(at: int, met: Met, tmp_path: Path) -> None:
    chance = random.Random(SEED + at)
    for flavour in FLAVOURS[at : at + 4]:
        data = write_flavour(flavour, tmp_path).read_bytes()
        header = met.known(data)
        assert header == met.known(data) == met.afresh(data)
        index = header["prefix_bytes"] if isinstance(header, dict) else len(data)
        for _ in range(25):
            place = chance.randrange(min(index, len(data)))
            damaged = bytearray(data)
            damaged[place] ^= 1 << chance.randrange(8)
            assert met.known(bytes(damaged)) == met.afresh(bytes(damaged)), (flavour.name, place)
            met.known(data)


def cog(seed: int, **profile: Any) -> bytes:  # noqa: ANN401  # as rasterio has it
    chance = np.random.default_rng(seed)
    pixels = chance.integers(0, 4000, (1, 700, 600), np.uint16)
    pixels[:, :300] = 0
    with MemoryFile() as memory:
        with memory.open(
            driver="COG",
            width=600,
            height=700,
            count=1,
            dtype="uint16",
            crs="EPSG:32643",
            transform=Affine(10, 0, 600_000 + 10 * seed, 0, -10, 1_500_000),
            blocksize=256,
            compress="deflate",
            nodata=0,
            **profile,
        ) as file:
            file.write(pixels)
            file.update_tags(ACQUIRED=f"2024-05-{seed:02}")
        return bytes(memory.read())


@pytest.mark.parametrize("profile", [{}, {"bigtiff": "yes"}, {"sparse_ok": True}])
def test_the_next_file_of_an_archive_is_told(met: Met, profile: dict[str, Any]) -> None:
    first, second = cog(1, **profile), cog(2, **profile)
    met.known(first)
    assert met.is_told(second)
    told = met.known(second)
    assert told == met.afresh(second) != met.afresh(first)
    assert isinstance(told, dict)
    with MemoryFile(second) as memory, memory.open() as file:
        assert told["georeference"]["transform"] == repr(
            (file.transform.a, file.transform.c, file.transform.e, file.transform.f)
        )
        assert file.tags()["ACQUIRED"] in told["gdal_metadata"]


def test_every_byte_of_an_index_that_differs_gives_the_header_it_should(met: Met) -> None:
    data = cog(1)
    header = met.known(data)
    assert isinstance(header, dict)
    for place in range(header["prefix_bytes"]):
        damaged = bytearray(data)
        damaged[place] ^= 0x55
        assert met.known(bytes(damaged)) == met.afresh(bytes(damaged)), place
        met.known(data)


def test_a_file_too_short_for_its_tiles_is_refused_as_ever(met: Met) -> None:
    data = cog(1)
    met.known(data)
    told = met.known(data, size=len(data) // 2)
    assert told == met.afresh(data, size=len(data) // 2)
    assert isinstance(told, tuple)
    assert told[0] is ProblemCode.TRUNCATED


def test_a_first_read_that_ends_too_early_needs_more(met: Met) -> None:
    data = cog(1)
    header = met.known(data)
    assert isinstance(header, dict)
    short = data[: header["prefix_bytes"] - 1]
    assert isinstance(met.known(short, size=len(data)), Need)


def test_arrays_that_share_bytes_with_tables_are_never_taken_for_free(met: Met) -> None:
    # The tile offsets stand where the directory's own table is: hostile, but readable.
    def entry(tag: int, kind: int, count: int, value: int) -> bytes:
        return struct.pack("<HHII", tag, kind, count, value)

    entries = [
        entry(256, 4, 1, 32),
        entry(257, 4, 1, 16),
        entry(258, 4, 1, 8),
        entry(322, 4, 1, 16),
        entry(323, 4, 1, 16),
        entry(324, 4, 2, 8 + 2 + 8),  # the first entry's value, and the second's key
        entry(325, 3, 2, 1 | 1 << 16),
    ]
    table = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    data = struct.pack("<2sHI", b"II", 42, 8) + table + bytes(1 << 16)
    size = 1 << 40
    first = met.known(data, size)
    wider = data.replace(entry(256, 4, 1, 32), entry(256, 4, 1, 31))
    assert met.known(wider, size) == met.afresh(wider, size) != first


class Counted(Moulds):
    made = 0

    def keep(self, *arguments: Any) -> None:  # noqa: ANN401  # passed on
        self.made += 1
        super().keep(*arguments)


def test_files_with_nothing_in_common_cost_little(met: Met) -> None:
    met.moulds = counted = Counted()
    for pages in range(300):
        with MemoryFile() as memory:
            with memory.open(
                driver="GTiff",
                width=16 + pages,
                height=16,
                count=1,
                dtype="uint8",
                transform=Affine(10, 0, 0, 0, -10, 0),
            ) as file:
                file.write(np.ones((1, 16, 16 + pages), np.uint8))
            data = bytes(memory.read())
        assert met.known(data) == met.afresh(data)
    assert counted.made < 30
