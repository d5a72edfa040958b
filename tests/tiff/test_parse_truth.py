"""Real files against what GDAL and tifffile say of them (`truth.jsonl` of the test data)."""

import hashlib
import json
import os
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from pyproj import CRS

from rasteret_assets.errors import ProblemCode, TiffError
from rasteret_assets.tiff import Header
from tests.conftest import DATA_VARIABLE, ROOT
from tests.rig.headers import parse, struct_of
from tests.rig.same_crs import same_crs

Truth = dict[str, Any]

DAMAGED = {
    "gdal__byte_truncated.tif": ProblemCode.TRUNCATED,
    "gdal__tiled_bad_offset.tif": ProblemCode.TRUNCATED,
    "gdal__toomanyblocks.tif": ProblemCode.OVER_BUDGET,
    "node-gdal-async__truncated.tif": ProblemCode.TRUNCATED,
    "rasterio__corrupt.tif": ProblemCode.TRUNCATED,
}
"""Files whose index, or the tiles it names, cannot be; GDAL cannot read their pixels."""

COMPRESSIONS = {
    "NONE": {1},
    "LZW": {5},
    "JPEG": {7},
    "YCbCr JPEG": {7},
    "DEFLATE": {8, 32946},
    "PACKBITS": {32773},
    "LERC": {34887},
    "LERC_ZSTD": {34887},
    "ZSTD": {50000},
    "WEBP": {50001},
}


def _truths() -> dict[str, Truth]:
    folder = Path(os.environ.get(DATA_VARIABLE, ROOT.parent / "shared" / "data")) / "geotiff"
    if not (folder / "truth.jsonl").is_file():
        return {"no test data": {}}  # the fixture `data_dir` then skips or fails
    lines = (folder / "truth.jsonl").read_text().splitlines()
    return {truth["file"]: truth for truth in map(json.loads, lines)}


TRUTHS = _truths()
SOUND = [name for name in TRUTHS if name not in DAMAGED]


class File(NamedTuple):
    """A real file: its header, and what others say of it."""

    header: Header
    struct: dict[str, Any]
    """The struct of the file as a whole."""
    bands: list[dict[str, Any]]
    """The structs of its first bands."""
    truth: Truth


@cache
def load(path: Path) -> File:
    header, truth = parse(path.read_bytes()), TRUTHS[path.name]
    bands = [struct_of(header, band) for band in range(min(truth["count"], 8))]
    return File(header, struct_of(header), bands, truth)


@pytest.fixture(params=SOUND)
def file(request: pytest.FixtureRequest, data_dir: Path) -> File:
    return load(data_dir / "geotiff" / request.param)


def test_size_and_blocks_are_those_of_gdal(file: File) -> None:
    struct, truth = file.struct, file.truth
    assert (struct["image_width"], struct["image_height"]) == (truth["width"], truth["height"])
    chopped = len(struct["tile_offsets"]) == 1 and struct["compression"] == 1
    if not (chopped and not struct["tiled"]):  # libtiff pretends that a lone strip is several
        assert [struct["tile_height"], struct["tile_width"]] == truth["block_shapes"][0]
    assert struct["tiled"] == truth["is_tiled"]


def test_samples_are_those_of_gdal(file: File) -> None:
    struct, truth = file.struct, file.truth
    dtype = np.dtype(struct["dtype"])
    # GDAL has neither complex integers nor, at this version, half floats in memory
    own = {"complex_int16": "complex64", "complex_int32": "complex128"}
    expected = own.get(truth["dtypes"][0], truth["dtypes"][0])
    half = struct["bits_per_sample"] == 16 and struct["sample_format"] == 3
    assert ("float32" if half else dtype.name) == expected
    assert struct["samples_per_pixel"] == truth["count"]
    nbits = truth["nbits"][0] or struct["bits_per_sample"]
    assert struct["bits_per_sample"] == nbits
    if truth["count"] > 1:
        assert struct["planar_configuration"] == (2 if truth["interleave"] == "band" else 1)


def test_compression_and_predictor_are_those_of_gdal(file: File) -> None:
    struct, truth = file.struct, file.truth
    assert struct["compression"] in COMPRESSIONS[truth["compression"]]
    assert struct["predictor"] == truth["predictor"]


def test_transform_is_that_of_gdal(file: File) -> None:
    transform = file.struct["transform"]
    if transform is None:
        assert file.truth["transform_is_identity"]
        return
    if len(transform) == 4:
        scale_x, origin_x, scale_y, origin_y = transform
        transform = [scale_x, 0.0, origin_x, 0.0, scale_y, origin_y]
    assert transform == pytest.approx(file.truth["transform"], rel=1e-12, abs=1e-12)


def test_crs_is_that_of_gdal(file: File) -> None:
    said = file.truth["crs"] or file.truth["gcps"]["crs"]
    crs = file.struct["crs"]
    made_up = "unretrievable" in str(said)  # GDAL assumes WGS 84 where the keys name no datum
    assert (crs is None) == (said is None or made_up)
    if crs is not None:
        assert same_crs(CRS(crs), CRS(said))


def test_ground_control_points_are_those_of_gdal(file: File) -> None:
    points = np.reshape(file.struct["gcps"] or [], (-1, 6))
    assert len(points) == file.truth["gcps"]["count"]
    rows = points[:50, [1, 0, 3, 4, 5]]  # row, col, x, y, z
    assert rows.ravel().tolist() == pytest.approx(np.ravel(file.truth["gcps"]["points"]).tolist())


def test_nodata_is_that_of_gdal(file: File) -> None:
    nodata, said = file.struct["nodata"], file.truth["nodata"][0]
    if nodata is None or said is None:
        assert nodata is said
    else:
        assert nodata == pytest.approx(float(said), nan_ok=True)
    assert file.struct["nodata_text"] == file.truth["tifffile"]["nodata_tag"]


def test_overviews_are_those_of_gdal(file: File) -> None:
    struct = file.struct
    width = struct["image_width"]
    factors = [round(width / overview["image_width"]) for overview in struct["overviews"]]
    assert factors == file.truth["overviews"][0]


def test_an_internal_mask_is_there_where_gdal_has_one(file: File) -> None:
    flags = file.truth["mask_flags"][0]
    assert (file.struct["mask"] is not None) == ("per_dataset" in flags and "alpha" not in flags)


def test_band_facts_are_those_of_gdal(file: File) -> None:
    truth = file.truth
    for band, struct in enumerate(file.bands):
        assert (1.0 if struct["scale"] is None else struct["scale"]) == truth["scales"][band]
        assert (struct["offset"] or 0.0) == truth["offsets"][band]
        assert (struct["unit"] or "") == (truth["units"][band] or "")
        assert struct["description"] == truth["descriptions"][band]
        if struct["bits_per_sample"] > 1:  # GDAL makes up a palette for two-coloured images
            assert struct["color_interpretation"] == truth["colorinterp"][band].lower()


def test_the_palette_is_that_of_gdal(file: File) -> None:
    said = file.truth["colormap_sha256"]
    palette = file.struct["palette"]
    if file.struct["bits_per_sample"] > 1:  # GDAL makes one up for two-coloured images
        assert (palette is None) == (said is None)
    if palette is not None:
        colors = np.array(palette).reshape(3, -1).T // 257
        clear = file.struct["nodata"]
        table = {
            str(key): [*color, 0 if key == clear else 255]
            for key, color in enumerate(colors.tolist())
        }
        text = json.dumps(dict(sorted(table.items())), sort_keys=True)
        assert hashlib.sha256(text.encode()).hexdigest() == said


def test_offsets_and_byte_counts_are_those_of_tifffile(file: File) -> None:
    for field, said in (("tile_offsets", "offsets"), ("tile_byte_counts", "bytecounts")):
        ours = np.array(file.struct[field], "<i8")
        assert (
            hashlib.sha256(ours.tobytes()).hexdigest()
            == (file.truth["tifffile"][said]["sha256_int64_le"])
        )


def test_tags_are_those_of_tifffile(file: File) -> None:
    struct, said = file.struct, file.truth["tifffile"]
    assert file.header.byte_order == said["byteorder"]
    assert struct["big_tiff"] == said["is_bigtiff"]
    assert struct["photometric"] == said["photometric_tag"]
    assert struct["fill_order"] == (said["fill_order_tag"] or 1)
    assert (struct["jpeg_tables"] is not None) == said["has_jpeg_tables"]
    extra = said["extra_samples"]
    ours = struct["extra_samples"] and struct["extra_samples"][:32]
    assert ours == ([extra] if isinstance(extra, int) else extra)
    formats = said["sample_format"]
    expected = formats[0] if isinstance(formats, list) else formats or 1
    assert struct["sample_format"] == expected


def test_structural_metadata_is_there_where_gdal_wrote_it(file: File) -> None:
    text = file.struct["structural_metadata"]
    assert (text is not None) == file.truth["ghost_area"]
    assert ("LAYOUT=IFDS_BEFORE_DATA" in (text or "")) >= file.truth["layout_cog"]


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_a_typed_problem(name: str, data_dir: Path) -> None:
    data = (data_dir / "geotiff" / name).read_bytes()
    with pytest.raises(TiffError) as caught:
        parse(data)
    assert caught.value.code is DAMAGED[name]
    assert not TRUTHS[name]["openable"] or TRUTHS[name]["read_error"]
