"""Headers of 248 written flavours against what rasterio and tifffile read from them."""

import warnings
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import rasterio
import tifffile
from pyproj import CRS

from rasteret_assets.tiff import Header
from tests.rig.flavour import HEIGHT, WIDTH
from tests.rig.flavours import FLAVOURS, Flavour, write_flavour
from tests.rig.headers import parse, struct_of
from tests.rig.same_crs import same_crs


class Written(NamedTuple):
    flavour: Flavour
    path: Path
    header: Header
    struct: dict[str, Any]


BY_GDAL = [flavour for flavour in FLAVOURS if flavour.oracle == "gdal"]
"""The others need codecs that this GDAL lacks, or are changed by it (CMYK to RGBA)."""


def _write(flavour: Flavour, folder: Path) -> Written:
    path = write_flavour(flavour, folder)
    header = parse(path.read_bytes())
    return Written(flavour, path, header, struct_of(header))


@pytest.fixture(scope="module", params=FLAVOURS, ids=lambda flavour: flavour.name)
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Written:
    return _write(request.param, tmp_path_factory.mktemp("flavour"))


@pytest.fixture(scope="module", params=BY_GDAL, ids=lambda flavour: flavour.name)
def readable(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Written, Any]]:
    """A file, and rasterio's dataset of it."""
    file = _write(request.param, tmp_path_factory.mktemp("readable"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(file.path) as opened:
            yield file, opened


def test_a_flavour_says_how_it_was_written(written: Written) -> None:
    flavour, struct = written.flavour, written.struct
    assert (struct["image_width"], struct["image_height"]) == (WIDTH, HEIGHT)
    assert struct["samples_per_pixel"] == flavour.bands
    assert struct["big_tiff"] == flavour.big_tiff
    assert struct["byte_order"] == (">" if flavour.big_endian else "<")
    assert (struct["mask"] is not None) == flavour.mask
    assert bool(struct["structural_metadata"]) == (flavour.driver == "COG")
    if flavour.overviews:
        assert [level["image_width"] for level in struct["overviews"]] == [
            -(-WIDTH // factor) for factor in flavour.overviews
        ]
    if flavour.mask:
        assert all(level["mask"] is not None for level in struct["overviews"])


def test_grid_and_samples_are_those_of_rasterio(readable: tuple[Written, Any]) -> None:
    written, dataset = readable
    struct = written.struct
    chopped = len(struct["tile_offsets"]) == 1 and struct["compression"] == 1
    if not (chopped and not struct["tiled"]):  # libtiff pretends that a lone strip is several
        assert (struct["tile_height"], struct["tile_width"]) == dataset.block_shapes[0]
    assert struct["tiled"] == written.struct["tiled"]
    nbits = dataset.tags(1, ns="IMAGE_STRUCTURE").get("NBITS", struct["bits_per_sample"])
    assert struct["bits_per_sample"] == int(nbits)
    half = struct["sample_format"] == 3 and struct["bits_per_sample"] == 16
    own = {"complex_int16": "complex64"}.get(dataset.dtypes[0], dataset.dtypes[0])
    assert ("float32" if half else np.dtype(struct["dtype"]).name) == own
    structure = dataset.tags(ns="IMAGE_STRUCTURE")
    assert struct["predictor"] == int(structure.get("PREDICTOR", struct["predictor"]))
    if struct["samples_per_pixel"] > 1:
        planar = structure["INTERLEAVE"] == "BAND"
        assert struct["planar_configuration"] == (2 if planar else 1)


def test_the_place_is_that_of_rasterio(readable: tuple[Written, Any]) -> None:
    written, dataset = readable
    struct = written.struct
    points, crs_of_points = dataset.gcps
    if struct["transform"] is None:
        assert dataset.transform.is_identity
    else:
        said = tuple(dataset.transform)[:6]
        if len(struct["transform"]) == 4:
            assert said[1] == said[3] == 0
            said = (said[0], said[2], said[4], said[5])
        assert struct["transform"] == pytest.approx(said, rel=1e-12)
    flat = [n for p in points for n in (p.col, p.row, 0, p.x, p.y, p.z)]
    assert (struct["gcps"] or []) == pytest.approx(flat)
    crs = dataset.crs or crs_of_points
    assert (struct["crs"] is None) == (not crs)
    assert struct["crs"] is None or same_crs(CRS(struct["crs"]), CRS(crs.to_wkt()))
    assert struct["pixel_is_point"] == (dataset.tags().get("AREA_OR_POINT") == "Point")


def test_band_facts_are_those_of_rasterio(readable: tuple[Written, Any]) -> None:
    written, dataset = readable
    for band in range(dataset.count):
        struct = struct_of(written.header, band)
        assert struct["band_index"] == band
        assert (1.0 if struct["scale"] is None else struct["scale"]) == dataset.scales[band]
        assert (struct["offset"] or 0.0) == dataset.offsets[band]
        assert (struct["unit"] or "") == (dataset.units[band] or "")
        assert struct["description"] == dataset.descriptions[band]
        tags = dataset.tags(band + 1)
        statistics = struct["statistics"] or {}
        for name in ("minimum", "maximum", "mean", "stddev"):
            said = tags.get(f"STATISTICS_{name.upper()}")
            assert statistics.get(name) == (None if said is None else float(said))
        if struct["bits_per_sample"] > 1:  # GDAL makes up a palette for two-coloured images
            assert struct["color_interpretation"] == dataset.colorinterp[band].name


def test_nodata_is_that_of_rasterio(readable: tuple[Written, Any]) -> None:
    written, dataset = readable
    nodata = written.struct["nodata"]
    if written.flavour.nodata_text is None:  # texts are looked at one by one below
        assert (nodata is None) == (dataset.nodata is None)
        assert nodata is None or nodata == pytest.approx(dataset.nodata, nan_ok=True)


def test_tile_arrays_of_all_images_are_those_of_tifffile(written: Written) -> None:
    struct = written.struct
    with tifffile.TiffFile(written.path) as file:
        pages = [*file.pages, *(file.pages[0].pages or ())]
        by_kind: dict[tuple[int, int, bool], Any] = {
            (page.imagewidth, page.imagelength, bool(page.subfiletype & 4)): page for page in pages
        }
    images = [(struct, False), *((level, False) for level in struct["overviews"])]
    images += [(image["mask"], True) for image, _ in images if image["mask"]]
    assert len(images) == len(by_kind)
    for image, is_mask in images:
        page = by_kind[image["image_width"], image["image_height"], is_mask]
        assert tuple(image["tile_offsets"]) == page.dataoffsets
        assert tuple(image["tile_byte_counts"]) == page.databytecounts
        assert image["compression"] == page.compression
        assert image["bits_per_sample"] == page.bitspersample
        assert image["tiled"] == page.is_tiled


def test_a_planar_band_has_the_slice_of_its_own(written: Written) -> None:
    whole = written.struct
    bands = [struct_of(written.header, band) for band in range(whole["samples_per_pixel"])]
    levels = [[band, *band["overviews"]] for band in bands]
    for at, level in enumerate([whole, *whole["overviews"]]):
        for field in ("tile_offsets", "tile_byte_counts"):
            parts = [of_band[at][field] for of_band in levels]
            if level["planar_configuration"] == 2:
                assert list(chain.from_iterable(parts)) == level[field]
            else:
                assert all(part == level[field] for part in parts)
        assert all(of_band[at]["mask"] == level["mask"] for of_band in levels)


@pytest.mark.parametrize(
    ("name", "nodata"),
    [
        ("nodata_int64", -9007199254740992.0),
        ("nodata_uint64", 18446744073709551616.0),
        ("nodata_out_of_range", -9999.0),
        ("nodata_fraction", 1.5),
        ("nodata_text", None),
        ("nodata_spaces", -32768.0),
    ],
)
def test_the_text_of_nodata_is_kept_and_its_number_is_the_nearest(
    name: str, nodata: float | None, tmp_path: Path
) -> None:
    flavour = next(flavour for flavour in FLAVOURS if flavour.name == name)
    struct = struct_of(parse(write_flavour(flavour, tmp_path).read_bytes()))
    assert struct["nodata"] == nodata
    assert struct["nodata_text"] == flavour.nodata_text
    assert bool(struct["notes"]) == (nodata is None)
