"""What the parser asks for: exactly what it lacks, few ranges, few rounds."""

import warnings
from pathlib import Path

import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.transform import Affine

from rasteret_assets.contract.settings import HeaderBudget
from rasteret_assets.errors import ProblemCode, TiffError
from rasteret_assets.tiff import Header, HeaderBytes, Need, parse_header
from tests.rig.headers import BUDGET, parse, parse_in_pieces, struct_of
from tests.rig.tiff_builder import build, changed, image

REAL = (
    "cogeotiff__be_cog.tif",  # big-endian
    "cogeotiff__big_cog.tif",  # BigTIFF
    "gdal__test3_with_mask_1bit_and_ovr.tif",
    "rasterio__cogeo.tif",  # 14 directories
    "rio-tiler__cog_cmap.tif",
    "MapServer__nan.tif",  # overviews at the end
    "rio-tiler__cog_gcps.tif",
)


def same(one: Header, two: Header) -> bool:
    texts = [repr(struct_of(header)) for header in (one, two)]  # as text, since nan != nan
    return texts[0] == texts[1] and one.prefix_bytes == two.prefix_bytes


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("tell_size", [True, False], ids=["size_known", "size_unknown"])
def test_any_first_read_ends_with_the_same_header(
    name: str,
    tell_size: bool,  # noqa: FBT001  # a parameter of the test
    data_dir: Path,
) -> None:
    data = (data_dir / "geotiff" / name).read_bytes()
    whole = parse(data)
    generous = HeaderBudget(requests=64)
    step = max(1, whole.prefix_bytes // 40)
    for first in {*range(1, 20), *range(20, whole.prefix_bytes + step, step)}:
        header, needs = parse_in_pieces(data, first, generous, tell_size=tell_size)
        assert same(header, whole), first
        assert bool(needs) == (first < whole.prefix_bytes)


@pytest.mark.parametrize("name", REAL)
def test_what_is_asked_for_is_ascending_apart_and_inside_the_file(
    name: str, data_dir: Path
) -> None:
    data = (data_dir / "geotiff" / name).read_bytes()
    for first in (1, 8, 100, 1000):
        _, needs = parse_in_pieces(data, first, HeaderBudget(requests=64))
        for need in needs:
            flat = [edge for part in need.ranges for edge in part]
            assert flat == sorted(set(flat))
            assert first <= flat[0] < flat[-1] <= len(data)


def test_a_cog_takes_no_second_request(data_dir: Path) -> None:
    data = (data_dir / "geotiff" / "rio-tiler__cog_cmap.tif").read_bytes()
    header, needs = parse_in_pieces(data, 16 << 10)
    assert not needs
    assert header.prefix_bytes <= 16 << 10


def test_an_index_behind_the_pixels_takes_one_more_request(tmp_path: Path) -> None:
    path = tmp_path / "late.tif"
    profile = {"driver": "GTiff", "width": 1000, "height": 1000, "count": 1, "dtype": "uint8"}
    place = {"crs": "EPSG:32632", "transform": Affine(10, 0, 5e5, 0, -10, 5e6)}
    with rasterio.open(path, "w", tiled=True, blockxsize=64, blockysize=64, **profile, **place):
        pass
    with rasterio.open(path, "r+") as dataset:  # GDAL appends the directory it has changed
        dataset.update_tags(NOTE="x" * 2000)
    data = path.read_bytes()
    header, needs = parse_in_pieces(data, 16 << 10)
    assert header.prefix_bytes > 1_000_000
    assert [len(need.ranges) for need in needs] == [1]


@pytest.mark.parametrize("block", [64, 256])
def test_overviews_added_later_take_at_most_three_requests(block: int, tmp_path: Path) -> None:
    path = tmp_path / "grown.tif"
    profile = {"driver": "GTiff", "width": 2000, "height": 2000, "count": 1, "dtype": "uint16"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(path, "w", tiled=True, blockxsize=block, blockysize=block, **profile):
            pass
        with rasterio.open(path, "r+") as dataset:
            dataset.build_overviews([2, 4, 8, 16])
    data = path.read_bytes()
    header, needs = parse_in_pieces(data, 16 << 10)
    assert len(header.overviews) == 4
    assert 1 + sum(len(need.ranges) for need in needs) <= 3


@pytest.mark.parametrize("tell_size", [True, False], ids=["size_known", "size_unknown"])
def test_values_before_their_directory_come_with_it(tell_size: bool) -> None:  # noqa: FBT001  # as above
    plain = build(image(), gap=100_000)
    offsets_at = 100_008 - 200  # values in front of the directory, as some writers put them
    entries = changed(image(), 324, offset=offsets_at, count=4)
    data = bytearray(build(entries, gap=100_000))
    data[offsets_at : offsets_at + 16] = (4).to_bytes(4, "little") * 4
    header, needs = parse_in_pieces(bytes(data), 16 << 10, tell_size=tell_size)
    assert [len(need.ranges) for need in needs] == [1]
    assert header.offsets.tolist() == parse(plain).offsets.tolist()


def test_arrays_apart_are_asked_for_in_as_few_ranges_as_requests_are_left() -> None:
    """Eight directories, each with its arrays far away: sixteen places to read."""
    directories = []
    for number in range(8):
        entries = image(tiles=4, subfile_type=int(number > 0))
        for tag, at in ((324, 100_000), (325, 200_000)):
            entries = changed(entries, tag, offset=at + 300_000 * number, count=4)
        directories.append(entries)
    data = build(*directories).ljust(2_500_000, b"\0")
    held = HeaderBytes(len(data))
    held.add(0, data[:16384])
    need = parse_header(held, BUDGET)
    assert isinstance(need, Need)
    assert len(need.ranges) == 7  # eight requests, one of them made
    _, needs = parse_in_pieces(data, 16 << 10)
    assert len(needs) == 1
    _, needs = parse_in_pieces(data, 16 << 10, HeaderBudget(requests=64))
    assert [len(each.ranges) for each in needs] == [16]


def test_without_requests_left_the_problem_is_over_budget() -> None:
    data = build(image(), gap=100_000)
    with pytest.raises(TiffError) as caught:
        parse_in_pieces(data, 16 << 10, HeaderBudget(requests=1))
    assert caught.value.code is ProblemCode.OVER_BUDGET


def test_nothing_held_is_a_need_of_the_first_bytes() -> None:
    need = parse_header(HeaderBytes(), BUDGET)
    assert isinstance(need, Need)
    assert need.ranges[0][0] == 0
    assert parse_header(HeaderBytes(size=100), BUDGET) == Need(ranges=((0, 100),))


@settings(max_examples=500)
@given(
    writes=st.lists(st.tuples(st.integers(0, 16), st.integers(0, 6)), max_size=12),
    asked=st.tuples(st.integers(0, 20), st.integers(0, 12)),
)
def test_bytes_held_in_parts_are_found_wherever_they_join(
    writes: list[tuple[int, int]], asked: tuple[int, int]
) -> None:
    file = bytes(range(100))
    held, known = HeaderBytes(), set()
    for start, size in writes:
        held.add(start, file[start : start + size])
        known |= set(range(start, start + size))
    start, size = asked
    found = held.find(start, start + size)
    if found is not None:
        assert found == file[start : start + size]
    elif size:
        assert not known.issuperset(range(start, start + size))
    assert held.held == sum(size for _, size in writes)
    assert held.reads == len(writes)
