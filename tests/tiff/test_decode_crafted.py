"""Decoding what GDAL does not write: bombs, reversed bits, rare sample types, absent tiles."""

import zlib
from pathlib import Path
from typing import Any, Literal

import imagecodecs
import numpy as np
import pytest
import rasterio
import tifffile

from rasteret_assets.errors import ProblemCode, TiffError
from rasteret_assets.tiff.decode import decode_mask, decode_tile
from rasteret_assets.tiff.decode_format import TileFormat, sparse_fill
from tests.tiff.stored_image import decoded_image, main_page

pytestmark = [
    pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),  # rasterio's use of affine
]


def form(**changes: Any) -> TileFormat:  # noqa: ANN401  # fields of several types
    plain: dict[str, Any] = {
        "image_width": 16,
        "image_height": 16,
        "tile_width": 16,
        "tile_height": 16,
        "tiled": True,
        "samples": 1,
        "bits_per_sample": 8,
    }
    return TileFormat(**{**plain, **changes})


BOMB = bytes(50_000_000)


@pytest.mark.parametrize(
    ("compression", "data"),
    [
        (8, zlib.compress(BOMB)),
        (32946, zlib.compress(BOMB)),
        (50000, imagecodecs.zstd_encode(BOMB)),
        (5, imagecodecs.lzw_encode(BOMB)),
        (32773, b"\x81\x00" * 4000),  # 128 zeros, 4000 times
        (34925, imagecodecs.lzma_encode(BOMB)),
        (7, imagecodecs.jpeg8_encode(np.zeros((4000, 4000), np.uint8))),
        (34887, imagecodecs.lerc_encode(np.zeros((4000, 4000), np.uint8))),
        (34712, imagecodecs.jpeg2k_encode(np.zeros((4000, 4000), np.uint8))),
    ],
    ids=["deflate", "old deflate", "zstd", "lzw", "packbits", "lzma", "jpeg", "lerc", "jpeg 2000"],
)
def test_data_that_unpacks_to_more_than_a_tile_is_corrupt(compression: int, data: bytes) -> None:
    with pytest.raises(TiffError) as caught:
        decode_tile(data, form(compression=compression))
    assert caught.value.code is ProblemCode.CORRUPT


def test_a_bomb_in_a_lerc_wrapping_is_corrupt() -> None:
    with pytest.raises(TiffError) as caught:
        decode_tile(zlib.compress(BOMB), form(compression=34887, lerc_codec=8))
    assert caught.value.code is ProblemCode.CORRUPT


def test_reversed_bits_read_as_gdal_reads_them(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 65536, (40, 30), dtype=np.uint16)
    path = tmp_path / "reversed.tif"
    tifffile.imwrite(path, pixels, extratags=[(267, "H", 1, 2, True)], metadata=None)
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        start, size = main_page(file).dataoffsets[0], main_page(file).databytecounts[0]
        tag = main_page(file).tags[267].offset
    content[tag : tag + 2] = (266).to_bytes(2, "little")  # FillOrder, which tifffile never writes
    content[start : start + size] = imagecodecs.bitorder_decode(
        bytes(content[start : start + size])
    )
    path.write_bytes(content)
    with rasterio.open(path) as dataset, tifffile.TiffFile(path) as file:
        assert np.array_equal(decoded_image(path, main_page(file)), dataset.read())
    assert np.array_equal(dataset_pixels(path), pixels[None])


def dataset_pixels(path: Path) -> np.ndarray[Any, Any]:
    with rasterio.open(path) as dataset:
        return dataset.read()


def test_one_sample_of_a_chunky_tile_is_a_plane_of_it() -> None:
    pixels = np.random.default_rng(2).integers(0, 255, (16, 16, 3), dtype=np.uint8)
    rgb = form(samples=3, compression=8)
    data = zlib.compress(pixels.tobytes())
    assert np.array_equal(decode_tile(data, rgb, sample=2), pixels[..., 2])
    assert np.array_equal(decode_tile(data, rgb), np.moveaxis(pixels, -1, 0))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [32, 64])
def test_complex_integers_become_complex_floats(order: Literal["<", ">"], bits: int) -> None:
    parts = np.random.default_rng(3).integers(-32768, 32767, (16, 16, 2))
    stored = parts.astype(f"{order}i{bits // 16}").tobytes()
    tile = decode_tile(stored, form(bits_per_sample=bits, sample_format=5, byte_order=order))
    assert tile.dtype == f"c{bits // 4}"
    assert np.array_equal(tile[0], parts[..., 0] + 1j * parts[..., 1])


@pytest.mark.parametrize("order", ["<", ">"])
def test_24_bit_floats_are_widened(order: Literal["<", ">"]) -> None:
    values = np.arange(256, dtype=np.float32).reshape(16, 16) / 4 - 17
    stored = bytes(imagecodecs.float24_encode(values, byteorder=order))
    tile = decode_tile(stored, form(bits_per_sample=24, sample_format=3, byte_order=order))
    assert np.array_equal(tile[0], values)


def test_24_bit_floats_with_predictor_3_are_widened() -> None:
    values = np.arange(256, dtype=np.float32).reshape(16, 16) / 4 - 17
    big = imagecodecs.float24_encode(values, byteorder=">")
    planes = np.frombuffer(big, np.uint8).reshape(16, 16, 3).transpose(0, 2, 1).reshape(16, 48)
    differences = np.diff(planes, axis=1, prepend=np.zeros((16, 1), np.uint8))
    tile = decode_tile(
        zlib.compress(differences.tobytes()),
        form(bits_per_sample=24, sample_format=3, compression=8, predictor=3),
    )
    assert np.array_equal(tile[0], values)


def test_predictor_is_left_alone_where_the_codec_knows_none() -> None:
    pixels = np.arange(256, dtype=np.uint8)
    assert np.array_equal(decode_tile(pixels.tobytes(), form(predictor=2)).ravel(), pixels)


def test_lerc_masks_become_nan_and_alpha() -> None:
    valid = np.arange(256).reshape(16, 16) % 3 > 0
    floats = np.arange(256, dtype=np.float32).reshape(16, 16)
    blob = bytes(imagecodecs.lerc_encode(floats, masks=valid))
    tile = decode_tile(blob, form(bits_per_sample=32, sample_format=3, compression=34887))
    assert np.array_equal(tile[0], np.where(valid, floats, np.nan), equal_nan=True)
    colours = np.full((16, 16, 3), 9, np.uint8)
    blob = bytes(imagecodecs.lerc_encode(colours, masks=valid, planar=False))
    rgba = decode_tile(blob, form(samples=4, compression=34887))
    assert np.array_equal(rgba[3], np.where(valid, 255, 0))
    assert (rgba[:3, valid] == 9).all()


def test_absent_tiles_hold_nodata_and_absent_masks_nothing() -> None:
    absent = decode_tile(None, form(samples=3, fill=sparse_fill(7.0, "u1")))
    assert absent.shape == (3, 16, 16)
    assert (absent == 7).all()
    assert not decode_mask(None, form(bits_per_sample=1)).any()


def test_a_last_strip_written_whole_loses_its_extra_rows() -> None:
    pixels = np.arange(160, dtype=np.uint8)
    strips = form(tiled=False, tile_height=10, compression=8)
    tile = decode_tile(zlib.compress(pixels.tobytes()), strips, tile_row=1)
    assert np.array_equal(tile[0], pixels.reshape(10, 16)[:6])


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"compression": 6}, "old-style JPEG"),
        ({"compression": 12345}, "12345"),
        ({"bits_per_sample": 12, "sample_format": 2}, "12-bit"),
        ({"photometric": 6, "samples": 3}, "photometric 6"),
        ({"compression": 8, "predictor": 9}, "predictor 9"),
    ],
)
def test_what_cannot_be_decoded_is_named(changes: dict[str, int], named: str) -> None:
    with pytest.raises(TiffError, match=named) as caught:
        form(**changes)
    assert caught.value.code is ProblemCode.UNSUPPORTED


@pytest.mark.parametrize(
    ("nodata", "dtype", "expected"),
    [
        (None, "i2", 0),
        (1.5, "i2", 2),
        (-1.5, "i2", -2),
        (-9999.0, "u1", 0),
        (float("nan"), "u1", 0),
        (-9007199254740993, "i8", -9007199254740993),
        (-9999.0, "f4", -9999.0),
    ],
)
def test_absent_pixels_take_nodata_within_their_type(
    nodata: float | None, dtype: str, expected: float
) -> None:
    assert sparse_fill(nodata, dtype) == expected
