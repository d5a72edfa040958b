"""How many requests a header takes, as the server counts them, by where the index lies."""

from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
import pytest
import rasterio
import tifffile
from rasterio.transform import from_origin

from rasteret_assets.contract.settings import FetchSettings
from rasteret_assets.fetch import HeaderFetcher
from tests.rig.flavours import FLAVOURS, write_flavour
from tests.rig.http_server import RangeServer

FIRST_READ: Final = 16 << 10
NEAR: Final = (64 + 256) << 10
"""What is read around a directory, and what is read in vain rather than asking again."""


def requests_of(server: RangeServer, names: list[str]) -> dict[str, int]:
    """Fetch the headers, each file of its own kind, and count at the server."""
    with HeaderFetcher(FetchSettings()) as fetcher:
        fetcher.fetch([server.url(name) for name in names], hint=names)
    return dict(Counter(one.path for one in server.seen()))


def pyramid(side: int, *, sub_ifds: bool, big: bool = False, tile: int = 256) -> bytes:
    """An image and its overviews as tifffile writes them: each directory before its pixels."""
    sides = [side >> level for level in range(10) if side >> level >= tile // 2]
    file = BytesIO()
    with tifffile.TiffWriter(file, bigtiff=big) as tiff:
        for level, width in enumerate(sides):
            tiff.write(
                np.full((width, width), level, np.uint16),
                tile=(tile, tile),
                metadata=None,
                subfiletype=int(level > 0),
                subifds=len(sides) - 1 if sub_ifds and level == 0 else None,
            )
    return file.getvalue()


def fewest(data: bytes) -> int:
    """The first read; one for each directory far from all others; one for those at the end."""
    with tifffile.TiffFile(BytesIO(data)) as tiff:
        offsets = [page.offset for page in tiff.pages]
        for page in tiff.pages:
            offsets += page.subifds or ()
    beyond = sorted(offset for offset in offsets if offset > FIRST_READ)
    scattered = [offset for offset in beyond if len(data) - offset > NEAR]
    assert all(np.diff(beyond)[: len(scattered)] > NEAR)
    return 1 + len(scattered) + (len(beyond) > len(scattered))


@pytest.mark.parametrize("big", [False, True], ids=["classic", "big"])
@pytest.mark.parametrize("sub_ifds", [False, True], ids=["chain", "sub_ifds"])
@pytest.mark.parametrize(("side", "most"), [(512, 2), (1024, 3), (2048, 4), (4096, 5)])
def test_a_pyramid_whose_directories_lie_between_its_pixels_takes_the_fewest_requests(
    server: RangeServer,
    side: int,
    most: int,
    sub_ifds: bool,  # noqa: FBT001  # parameters of the test
    big: bool,  # noqa: FBT001
) -> None:
    data = pyramid(side, sub_ifds=sub_ifds, big=big)
    server.put("a.tif", data)
    assert requests_of(server, ["a.tif"])["a.tif"] == fewest(data) <= most


def test_sub_ifds_near_each_other_are_read_together_where_there_are_many(
    server: RangeServer,
) -> None:
    data = pyramid(1280, sub_ifds=True, tile=320) + bytes(1 << 20)
    with tifffile.TiffFile(BytesIO(data)) as tiff:
        one, two, three = tiff.pages[0].subifds or ()
    gaps = two - one, three - two
    assert gaps[0] > NEAR > gaps[1] > 3 * (64 << 10)
    server.put("a.tif", data)
    assert requests_of(server, ["a.tif"])["a.tif"] == 3


def test_every_flavour_takes_at_most_two_requests(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("flavours")
    names = [write_flavour(flavour, folder).name for flavour in FLAVOURS]
    with RangeServer(folder) as server:
        counts = requests_of(server, names)
    assert len(counts) >= 150
    assert set(counts.values()) <= {1, 2}
    assert list(counts.values()).count(1) >= 0.8 * len(counts)


def test_every_real_file_takes_at_most_two_requests(data_dir: Path) -> None:
    folder = data_dir / "geotiff"
    with RangeServer(folder) as server:
        counts = requests_of(server, [file.name for file in sorted(folder.glob("*.tif*"))])
    assert len(counts) >= 80
    assert {name: count for name, count in counts.items() if count > 2} == {}


def sparse(path: Path, side: int, block: int) -> None:
    """A large image as GDAL's GTiff driver writes it, few of its many tiles stored."""
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=side,
        height=side,
        count=1,
        dtype="uint8",
        crs="EPSG:32633",
        transform=from_origin(500_000, 5_500_000, 10, 10),
        tiled=True,
        blockxsize=block,
        blockysize=block,
        SPARSE_OK=True,
    ) as dataset:
        noise = np.random.default_rng(3).integers(0, 255, (1, 1024, 1024), np.uint8)
        dataset.write(noise, window=((0, 1024), (0, 1024)))


@pytest.mark.parametrize(
    ("side", "most"),
    [(12_000, 3), (20_000, 4)],
    ids=["tiles_within_a_first_read", "more_tiles"],
)
def test_overviews_added_to_a_large_image_take_one_request_more_than_their_first_directory(
    server: RangeServer, tmp_path: Path, side: int, most: int
) -> None:
    path = tmp_path / "a.tif"
    sparse(path, side, 64)
    with rasterio.open(path, "r+", SPARSE_OK=True) as dataset:
        dataset.build_overviews([2, 4, 8, 16, 32])
    data = path.read_bytes()
    with tifffile.TiffFile(path) as tiff:
        offsets = [page.offset for page in tiff.pages]
    assert offsets[1] > 1 << 20  # the overviews' directories: not in front,
    assert len(data) - offsets[-1] > NEAR  # nor at the end
    hrefs = [server.put(f"{number}.tif", data) for number in range(4)]
    with HeaderFetcher(FetchSettings(max_concurrent=1)) as fetcher:
        found = fetcher.fetch(hrefs)
    assert {one.code for one in found} == {None}
    counts = [len(server.seen(f"{number}.tif")) for number in range(4)]
    assert counts[0] <= 4  # its first read was too short for the image's own tiles
    assert max(counts[1:]) <= most


@pytest.mark.parametrize(("side", "block"), [(2048, 256), (12_000, 64), (20_000, 64)])
def test_an_index_moved_to_the_end_takes_at_most_three_requests(
    server: RangeServer, tmp_path: Path, side: int, block: int
) -> None:
    path = tmp_path / "a.tif"
    sparse(path, side, block)
    with rasterio.open(path, "r+") as dataset:  # GDAL appends the directory it has changed
        dataset.update_tags(NOTE="x" * 2000)
        dataset.write(np.ones((1, block, block), np.uint8), window=((0, block), (0, block)))
    data = path.read_bytes()
    with tifffile.TiffFile(path) as tiff:
        assert tiff.pages[0].offset > len(data) // 2
    server.put("a.tif", data)
    assert requests_of(server, ["a.tif"])["a.tif"] <= 3
