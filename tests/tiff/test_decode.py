"""Decoded pixels and masks against GDAL's, for real files and for the flavour matrix."""

import hashlib
import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import rasterio
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rasteret_assets.errors import ProblemCode, TiffError
from rasteret_assets.tiff.decode import decode_tile
from rasteret_assets.tiff.decode_format import TileFormat
from tests.rig.flavours import FLAVOURS, Flavour, write_flavour
from tests.tiff.stored_image import (
    decoded_image,
    decoded_mask,
    form_of,
    main_page,
    mask_page,
)

DAMAGED_INDEX: Final = {"node-gdal-async__truncated.tif"}
"""Ends within its tile offsets, so no tile can be asked for."""
WHOLE_PIXELS_MAX: Final = 100_000_000
JPEG_MEAN_DIFFERENCE: Final = 1.0
"""Two JPEG libraries enlarge subsampled colour differently; see the data's README."""


pytestmark = [
    pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),  # rasterio's own use
]


def truth(data_dir: Path) -> list[dict[str, Any]]:
    lines = (data_dir / "geotiff" / "truth.jsonl").read_text().splitlines()
    return [fact for fact in map(json.loads, lines) if fact["openable"]]


def is_small(fact: dict[str, Any]) -> bool:
    return fact["width"] * fact["height"] * fact["count"] < WHOLE_PIXELS_MAX


def nodata_of(fact: dict[str, Any]) -> float | None:
    return None if fact["nodata"][0] is None else float(fact["nodata"][0])


def sha256(array: NDArray[Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def gdal_type(name: str) -> str:
    return "complex64" if name == "complex_int16" else name


def test_real_files_decode_to_the_numbers_gdal_gives(data_dir: Path) -> None:
    compared = 0
    for fact in truth(data_dir):
        if fact["lossy"] or fact["read_error"] or not is_small(fact):
            continue
        path = data_dir / "geotiff" / fact["file"]
        with tifffile.TiffFile(path) as file:
            image = decoded_image(path, main_page(file), nodata_of(fact))
        types = map(gdal_type, fact["pixels"]["dtypes_read"])
        hashes = [sha256(band.astype(name)) for band, name in zip(image, types, strict=True)]
        assert hashes == fact["pixels"]["bands"], fact["file"]
        compared += 1
    assert compared > 60


def test_real_lossy_files_decode_to_what_one_of_two_libraries_gives(data_dir: Path) -> None:
    folder = data_dir / "geotiff"
    lossy = [fact for fact in truth(data_dir) if fact["lossy"] and not fact["read_error"]]
    assert lossy
    for fact in lossy:
        window = fact["lossy_window"]
        with tifffile.TiffFile(folder / fact["file"]) as file:
            image = decoded_image(folder / fact["file"], main_page(file))
        y, x = window["row_off"], window["col_off"]
        cut = image[:, y : y + window["height"], x : x + window["width"]].astype(float)
        names = [window[key] for key in ("npy", "npy_tifffile") if key in window]
        apart = [np.abs(np.load(folder / name) - cut) for name in names]
        assert any(a.max() <= 2 or a.mean() < JPEG_MEAN_DIFFERENCE for a in apart), fact["file"]


def test_real_masks_decode_to_gdals_dataset_mask(data_dir: Path) -> None:
    compared = 0
    for fact in truth(data_dir):
        if fact["read_error"] or not is_small(fact):
            continue
        path = data_dir / "geotiff" / fact["file"]
        with tifffile.TiffFile(path) as file:
            if (page := mask_page(file)) is None:
                continue
            mask = decoded_mask(path, page)
        assert sha256(np.where(mask, np.uint8(255), np.uint8(0))) == fact["dataset_mask_sha256"]
        compared += 1
    assert compared >= 6


def test_damaged_files_fail_instead_of_giving_pixels(data_dir: Path) -> None:
    damaged = [fact for fact in truth(data_dir) if fact["read_error"]]
    names = {fact["file"] for fact in damaged} - DAMAGED_INDEX
    assert len(names) >= 4
    for name in names:
        path = data_dir / "geotiff" / name
        with tifffile.TiffFile(path) as file, pytest.raises(TiffError) as caught:
            decoded_image(path, main_page(file))
        assert caught.value.code in (ProblemCode.CORRUPT, ProblemCode.TRUNCATED)


def oracle(
    flavour: Flavour, path: Path, page: tifffile.TiffPage
) -> tuple[NDArray[Any], float | None]:
    if flavour.oracle == "gdal":
        with rasterio.open(path) as dataset:
            return dataset.read(), dataset.nodata
    pixels = page.asarray()
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    return (pixels if page.planarconfig == 2 else np.moveaxis(pixels, -1, 0)), None


@pytest.mark.parametrize("flavour", FLAVOURS, ids=lambda f: f.name)
def test_every_flavour_decodes_to_the_oracles_pixels(flavour: Flavour, tmp_path: Path) -> None:
    path = write_flavour(flavour, tmp_path)
    with tifffile.TiffFile(path) as file:
        expected, nodata = oracle(flavour, path, main_page(file))
        image = decoded_image(path, main_page(file), nodata)
    apart = np.abs(image.astype(float) - expected.astype(float)) if flavour.lossy else np.zeros(1)
    assert image.shape == expected.shape
    assert apart.mean() < JPEG_MEAN_DIFFERENCE
    if not ("jpeg" in flavour.name and "ycbcr" in str(flavour.options).lower()) and (
        flavour.name != "cog_jpeg_mask"
    ):
        same = image.astype(expected.dtype)
        assert np.array_equal(same, expected, equal_nan=expected.dtype.kind in "fc")


@pytest.mark.parametrize("flavour", [f for f in FLAVOURS if f.mask], ids=lambda f: f.name)
def test_every_mask_is_gdals_dataset_mask(flavour: Flavour, tmp_path: Path) -> None:
    path = write_flavour(flavour, tmp_path)
    with rasterio.open(path) as dataset:
        expected = dataset.dataset_mask() == 255
    with tifffile.TiffFile(path) as file:
        page = mask_page(file)
        assert page is not None
        assert np.array_equal(decoded_mask(path, page), expected)


CUT: Final = [
    f
    for f in FLAVOURS
    if f.name.startswith(
        (
            "uint16_deflate_p2_little",
            "none_tiles_pixel",
            "lzw_tiles_pixel",
            "packbits_tiles_pixel",
            "lzma_tiles_pixel",
            "zstd_tiles_pixel",
            "lerc_tiles_pixel",
            "lerc_deflate_tiles_pixel",
            "jpeg_rgb_tiles_pixel",
            "webp_3_bands_lossless",
            "tifffile_jpeg2000",
            "tifffile_jpegxl",
            "12_bits_tiles",
        )
    )
]


@pytest.mark.parametrize("flavour", CUT, ids=lambda f: f.name)
def test_every_truncation_of_a_tile_is_an_error_or_still_all_of_it(
    flavour: Flavour, tmp_path: Path
) -> None:
    path = write_flavour(flavour, tmp_path)
    with tifffile.TiffFile(path) as file:
        form, whole = first_tile(path, file)
    expected = decode_tile(whole, form)
    failures = 0
    for stop in {*range(min(len(whole), 64)), *range(0, len(whole), 37), len(whole) - 1}:
        try:
            cut = decode_tile(whole[:stop], form)
        except TiffError as error:
            assert error.code in (ProblemCode.CORRUPT, ProblemCode.TRUNCATED)  # noqa: PT017  # both outcomes are allowed
            failures += 1
        else:
            assert np.array_equal(cut, expected)
    assert failures


@pytest.mark.parametrize("flavour", CUT, ids=lambda f: f.name)
@given(data=st.data())
def test_damage_never_raises_anything_but_tiff_errors(
    flavour: Flavour, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / f"{flavour.name}.tif"
    if not path.exists():
        write_flavour(flavour, path.parent)
    with tifffile.TiffFile(path) as file:
        form, whole = first_tile(path, file)
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        tile = decode_tile(bytes(damaged), form)
    except TiffError:
        return
    assert tile.shape == (form.samples, form.rows_of(0), form.tile_width)
    assert tile.dtype == form.dtype


def first_tile(path: Path, file: tifffile.TiffFile) -> tuple[TileFormat, bytes]:
    page = main_page(file)
    start, size = page.dataoffsets[0], page.databytecounts[0]
    return form_of(page), path.read_bytes()[start : start + size]
