"""Codecs that hardly anyone writes any more: faxes, and LZW of the old style."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import tifffile
from numpy.typing import NDArray
from PIL import Image

from rasteret_assets.errors import ProblemCode, TiffError
from rasteret_assets.tiff.decode import decode_tile
from tests.tiff.stored_image import decoded_image, form_of, main_page

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


def drawing() -> NDArray[np.bool_]:
    y, x = np.indices((70, 93))
    return ((x // 9 + y // 7) % 3 == 0) ^ (x == y)


def old_lzw(data: bytes) -> bytes:
    """Return LZW as it was before 1990: each code is nine bits, lowest bit first."""
    codes: list[int] = []
    for start in range(0, len(data), 200):
        codes += [256, *data[start : start + 200]]  # cleared before codes would take ten bits
    codes.append(257)
    bits = "".join(format(code, "09b")[::-1] for code in codes)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[at : at + 8][::-1], 2) for at in range(0, len(bits), 8))


@pytest.mark.parametrize("two_dimensions", [False, True])
def test_faxes_of_group_3_are_coded_in_one_dimension_or_two(
    tmp_path: Path, *, two_dimensions: bool
) -> None:
    path = tmp_path / "fax.tif"
    options: dict[int, Any] = {292: 1} if two_dimensions else {}
    Image.fromarray(drawing()).save(path, compression="group3", tiffinfo=options)
    with rasterio.open(path) as dataset:
        expected = dataset.read()
    with tifffile.TiffFile(path) as file:
        page = main_page(file)
        assert (page.tags.valueof(292, 0) & 1) == two_dimensions
        found = decoded_image(path, page)
    assert np.array_equal(found, expected)
    assert np.array_equal(found[0] == found[0].max(), drawing())


def old_style(path: Path, pixels: NDArray[np.uint8], predictor: int) -> Path:
    """Write `pixels` as one strip of old LZW."""
    stored = pixels
    if predictor == 2:
        stored = np.diff(pixels, axis=1, prepend=np.zeros((len(pixels), 1), np.uint8))
    packed = old_lzw(stored.tobytes())
    with tifffile.TiffWriter(path) as writer:
        writer.write(
            iter([packed]),
            shape=pixels.shape,
            dtype="uint8",
            compression="lzw",
            predictor=predictor == 2,
            rowsperstrip=len(pixels),
            photometric="minisblack",
        )
    return path


@pytest.mark.parametrize("predictor", [1, 2])
def test_lzw_of_the_old_style_is_what_gdal_reads(tmp_path: Path, predictor: int) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (40, 50), dtype=np.uint8)
    path = old_style(tmp_path / "old.tif", pixels, predictor)
    with rasterio.open(path) as dataset:
        assert np.array_equal(dataset.read(1), pixels)
    with tifffile.TiffFile(path) as file:
        assert np.array_equal(decoded_image(path, main_page(file))[0], pixels)


def test_damage_is_corrupt(tmp_path: Path) -> None:
    path = old_style(tmp_path / "old.tif", np.full((40, 50), 9, np.uint8), 1)
    with tifffile.TiffFile(path) as file:
        form = form_of(main_page(file))
    with pytest.raises(TiffError) as caught:
        decode_tile(old_lzw(bytes(100)), form)
    assert caught.value.code is ProblemCode.CORRUPT
