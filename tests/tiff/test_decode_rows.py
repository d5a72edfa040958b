"""Some rows of large tiles, against GDAL's: decoding stops where they end."""

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import tifffile
from numpy.typing import NDArray

from rasteret_assets.errors import ProblemCode, TiffError
from rasteret_assets.tiff.decode import decode_tile
from rasteret_assets.tiff.decode_codecs import unpack_stream
from rasteret_assets.tiff.decode_format import DEFLATE, TileFormat
from tests.tiff.stored_image import form_of, main_page

pytestmark = [
    pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),  # rasterio's use of affine
]
SIDE = 512
CODECS = ["deflate", "lzw", "zstd", "packbits", "lzma", "jpeg", "none"]


def stored(path: Path, compress: str, **options: Any) -> tuple[TileFormat, bytes, NDArray[Any]]:  # noqa: ANN401  # GDAL's options
    """Write an image of one tile; return how it is stored, its bytes, and its pixels by GDAL."""
    dtype = "uint8" if compress == "jpeg" else "uint16"
    rng = np.random.default_rng(3)
    pixels = (np.cumsum(rng.integers(0, 9, (3, SIDE, SIDE)), axis=2) % 251).astype(dtype)
    size = {"width": SIDE, "height": SIDE, "count": 3, "dtype": dtype, "interleave": "pixel"}
    tile = {"tiled": True, "blockxsize": SIDE, "blockysize": SIDE}
    with rasterio.open(path, "w", "GTiff", **size, **tile, compress=compress, **options) as file:
        file.write(pixels)
    with rasterio.open(path) as file, tifffile.TiffFile(path) as same:
        page = main_page(same)
        data = path.read_bytes()[page.dataoffsets[0] :][: page.databytecounts[0]]
        return form_of(page), data, file.read()


@pytest.mark.parametrize("start", [0, 1, 57, 99])
@pytest.mark.parametrize("stop", [100, SIDE - 1, SIDE])
@pytest.mark.parametrize("compress", CODECS)
def test_rows_are_those_of_the_whole_tile(
    compress: str, start: int, stop: int, tmp_path: Path
) -> None:
    predictor = {"predictor": 2} if compress in ("deflate", "lzw", "zstd") else {}
    form, data, pixels = stored(tmp_path / "a.tif", compress, **predictor)
    tolerance = 3 if compress == "jpeg" else 0  # two JPEG libraries
    for given in (data, memoryview(data)):
        all_samples = decode_tile(given, form, rows=range(start, stop))
        assert all_samples.shape == (3, stop - start, SIDE)
        np.testing.assert_allclose(all_samples, pixels[:, start:stop], atol=tolerance)
        one = decode_tile(given, form, rows=range(start, stop), sample=1)
        np.testing.assert_allclose(one, pixels[1, start:stop], atol=tolerance)


@pytest.mark.parametrize("compress", ["deflate", "lzw"])
def test_data_that_ends_before_the_rows_do_is_corrupt(compress: str, tmp_path: Path) -> None:
    form, data, _ = stored(tmp_path / "a.tif", compress, predictor=2)
    with pytest.raises(TiffError) as caught:
        decode_tile(data[: len(data) // 5], form, rows=range(SIDE // 2))
    assert caught.value.code is ProblemCode.CORRUPT


def test_data_that_is_no_deflate_is_corrupt(tmp_path: Path) -> None:
    form, data, _ = stored(tmp_path / "a.tif", "deflate", predictor=2)
    with pytest.raises(TiffError) as caught:
        decode_tile(b"\xff" * len(data), form, rows=range(SIDE // 2))
    assert caught.value.code is ProblemCode.CORRUPT


def noise(size: int) -> bytes:
    return np.random.default_rng(4).integers(0, 256, size, np.uint8).tobytes()


@pytest.mark.parametrize("needed", [1, 63, 1000, 65_535, 70_001, 149_700, 149_999, 150_000])
@pytest.mark.parametrize("level", [0, 1, 9], ids=["stored as it is", "fast", "small"])
@pytest.mark.parametrize(
    "plain",
    [noise(150_000), bytes(150_000), noise(50) * 3000, (noise(7_500) + bytes(7_500)) * 10],
    ids=["noise", "zeros", "repeats", "noise and zeros"],
)
def test_the_first_bytes_are_those_of_the_whole(plain: bytes, level: int, needed: int) -> None:
    data = zlib.compress(plain, level)
    unpacked = unpack_stream(data, DEFLATE, len(plain), needed).tobytes()
    assert len(unpacked) >= needed
    assert unpacked == plain[: len(unpacked)]
