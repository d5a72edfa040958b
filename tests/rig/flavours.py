"""A matrix of small TIFF files, one per flavour, written by GDAL and by tifffile.

`write_flavour(FLAVOURS[0], folder)` gives a path; `pixels_of` what was written into it.
"""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Final

from tests.rig.flavour import Flavour, Georeference, pixels_of
from tests.rig.flavour_writers import write_with_gdal, write_with_tifffile

__all__ = ["FLAVOURS", "Flavour", "pixels_of", "write_flavour"]


def write_flavour(flavour: Flavour, folder: Path) -> Path:
    """Write `flavour` into `folder` and return the file's path."""
    path = folder / f"{flavour.name}.tif"
    write = write_with_gdal if flavour.writer == "gdal" else write_with_tifffile
    write(flavour, path)
    return path


def _tiles(side: int, **options: object) -> dict[str, object]:
    return {"tiled": True, "blockxsize": side, "blockysize": side, **options}


def _strips(**options: object) -> dict[str, object]:
    return {"tiled": False, "blockysize": 24, **options}


_INTEGERS: Final = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64")
_FLOATS: Final = ("float32", "float64")


def _dtypes_and_predictors() -> Iterator[Flavour]:
    pairs = [*product(_INTEGERS, (1, 2)), *product(_FLOATS, (1, 2, 3))]
    for (dtype, predictor), big in product(pairs, (False, True)):
        order = "big" if big else "little"
        yield Flavour(
            name=f"{dtype}_deflate_p{predictor}_{order}",
            dtype=dtype,
            bands=1 + predictor % 3,
            big_endian=big,
            options=_tiles(32, compress="DEFLATE", predictor=predictor, interleave="pixel"),
        )
    for dtype, big in product(("complex64", "complex128", "complex_int16"), (False, True)):
        yield Flavour(
            name=f"{dtype}_{'big' if big else 'little'}",
            dtype=dtype,
            big_endian=big,
            options=_tiles(48, compress="DEFLATE"),
        )


def _compressions_and_layouts() -> Iterator[Flavour]:
    codecs = ("NONE", "LZW", "PACKBITS", "LZMA", "ZSTD", "LERC", "LERC_DEFLATE", "LERC_ZSTD")
    layouts = {"tiles": _tiles(48), "strips": _strips()}
    for codec, layout, interleave in product(codecs, layouts, ("pixel", "band")):
        yield Flavour(
            name=f"{codec.lower()}_{layout}_{interleave}",
            bands=3,
            options={**layouts[layout], "compress": codec, "interleave": interleave},
        )
    for codec, predictor, layout in product(("LZW", "ZSTD"), (2, 3), layouts):
        yield Flavour(
            name=f"float32_{codec.lower()}_p{predictor}_{layout}",
            dtype="float32",
            bands=2,
            options={**layouts[layout], "compress": codec, "predictor": predictor},
        )
    for interleave, big in product(("pixel", "band"), (False, True)):
        yield Flavour(
            name=f"raw_int16_{interleave}_{'big' if big else 'little'}_bigtiff",
            dtype="int16",
            bands=4,
            big_endian=big,
            big_tiff=True,
            options=_tiles(64, interleave=interleave),
        )


def _lossy() -> Iterator[Flavour]:
    for photometric, layout, interleave in [
        ("MINISBLACK", "tiles", "pixel"),
        ("MINISBLACK", "strips", "pixel"),
        ("RGB", "tiles", "pixel"),
        ("RGB", "tiles", "band"),
        ("RGB", "strips", "pixel"),
        ("YCBCR", "tiles", "pixel"),
        ("YCBCR", "strips", "pixel"),
    ]:
        layout_options = _tiles(64) if layout == "tiles" else _strips(blockysize=16)
        yield Flavour(
            name=f"jpeg_{photometric.lower()}_{layout}_{interleave}",
            dtype="uint8",
            bands=1 if photometric == "MINISBLACK" else 3,
            options={
                **layout_options,
                "compress": "JPEG",
                "photometric": photometric,
                "interleave": interleave,
            },
            lossy=True,
        )
    for photometric in ("RGB", "YCBCR"):
        yield Flavour(
            name=f"jpeg_{photometric.lower()}_mask_overviews",
            dtype="uint8",
            bands=3,
            mask=True,
            overviews=(2, 4),
            options=_tiles(32, compress="JPEG", photometric=photometric, interleave="pixel"),
            lossy=True,
        )
    for bands, lossless in product((3, 4), (True, False)):
        yield Flavour(
            name=f"webp_{bands}_bands_{'lossless' if lossless else 'lossy'}",
            dtype="uint8",
            bands=bands,
            options=_tiles(32, compress="WEBP", webp_lossless=lossless, interleave="pixel"),
            lossy=not lossless,
        )


def _odd_bits() -> Iterator[Flavour]:
    widths = [("uint8", n) for n in (1, 2, 3, 4, 5, 6, 7)]
    widths += [("uint16", n) for n in (9, 10, 11, 12, 14, 15)]
    widths += [("uint32", n) for n in (17, 20, 24, 31)]
    for dtype, nbits in widths:
        yield Flavour(
            name=f"{nbits}_bits_tiles", dtype=dtype, options=_tiles(32, nbits=nbits, compress="LZW")
        )
    for dtype, nbits in (("uint8", 1), ("uint8", 4), ("uint16", 12), ("uint16", 9)):
        yield Flavour(
            name=f"{nbits}_bits_strips_rgb", dtype=dtype, bands=3, options=_strips(nbits=nbits)
        )
    for predictor, big in product((1, 3), (False, True)):
        yield Flavour(
            name=f"float16_p{predictor}_{'big' if big else 'little'}",
            dtype="float32",
            big_endian=big,
            options=_tiles(32, nbits=16, compress="DEFLATE", predictor=predictor),
        )
    for codec in ("CCITTFAX3", "CCITTFAX4", "CCITTRLE"):
        yield Flavour(name=codec.lower(), dtype="uint8", options=_strips(nbits=1, compress=codec))


def _masks_and_overviews() -> Iterator[Flavour]:
    for layout, interleave, levels in product(("tiles", "strips"), ("pixel", "band"), ((), (2, 4))):
        options = _tiles(32) if layout == "tiles" else _strips()
        yield Flavour(
            name=f"mask_{layout}_{interleave}_{len(levels)}_overviews",
            dtype="uint8",
            bands=3,
            mask=True,
            overviews=levels,
            options={**options, "interleave": interleave, "compress": "DEFLATE"},
        )
    for bands, big_endian, big_tiff in product((1, 3), (False, True), (False, True)):
        yield Flavour(
            name=f"overviews_{bands}_{'big' if big_endian else 'little'}_{42 + big_tiff}",
            bands=bands,
            big_endian=big_endian,
            big_tiff=big_tiff,
            overviews=(2, 4),
            options=_tiles(32, compress="LZW", predictor=2),
        )
    for codec, mask in product(("NONE", "DEFLATE", "ZSTD", "LERC", "LZW"), (False, True)):
        yield Flavour(
            name=f"cog_{codec.lower()}{'_mask' if mask else ''}",
            dtype="uint8",
            bands=3,
            driver="COG",
            mask=mask,
            options={"compress": codec, "blocksize": 128 if codec == "LZW" else 32},
        )
    yield Flavour(
        name="cog_jpeg_mask",
        dtype="uint8",
        bands=3,
        driver="COG",
        mask=True,
        options={"compress": "JPEG", "blocksize": 32},
        lossy=True,
    )
    yield Flavour(
        name="cog_bigtiff_predictor",
        driver="COG",
        big_tiff=True,
        options={"compress": "DEFLATE", "predictor": "YES", "blocksize": 32},
    )


def _sparse_and_nodata() -> Iterator[Flavour]:
    for layout, bands, nodata in product(("tiles", "strips"), (1, 3), (None, 7)):
        yield Flavour(
            name=f"sparse_{layout}_{bands}_{nodata}",
            bands=bands,
            nodata=nodata,
            sparse=True,
            options={
                **(_tiles(32) if layout == "tiles" else _strips()),
                "sparse_ok": True,
                "compress": "DEFLATE",
                "interleave": "band",
            },
        )
    yield Flavour(
        name="sparse_bigtiff_overviews",
        sparse=True,
        big_tiff=True,
        overviews=(2,),
        options=_tiles(32, sparse_ok=True, compress="LZW"),
    )
    for name, dtype, value in [
        ("nan", "float32", float("nan")),
        ("minus_inf", "float32", float("-inf")),
        ("inf", "float64", float("inf")),
        ("lowest", "float32", -3.4028234663852886e38),
    ]:
        yield Flavour(name=f"nodata_{name}", dtype=dtype, nodata=value, options=_tiles(64))
    for name, dtype, text in [
        ("int64", "int64", "-9007199254740993"),
        ("uint64", "uint64", "18446744073709551615"),
        ("out_of_range", "uint8", "-9999"),
        ("fraction", "int16", "1.5"),
        ("text", "int16", "none at all"),
        ("spaces", "int16", "  -32768 "),
        ("odd_nan", "float32", "-1.#IND"),
    ]:
        yield Flavour(
            name=f"nodata_{name}",
            dtype=dtype,
            writer="tifffile",
            nodata_text=text,
            options={"tile": (64, 64)},
        )


def _georeferences_and_colours() -> Iterator[Flavour]:
    places: tuple[Georeference, ...] = (
        "geographic",
        "none",
        "rotated",
        "point",
        "gcps",
        "south_up",
        "user_defined",
        "compound",
    )
    for place in places:
        yield Flavour(name=f"geo_{place}", georeference=place, options=_strips())
    yield Flavour(name="band_facts", bands=3, band_facts=True, options=_tiles(32))
    yield Flavour(name="palette", dtype="uint8", palette=True, options=_tiles(32))
    colours: list[tuple[str, int, dict[str, object]]] = [
        ("rgb", 3, {"photometric": "RGB"}),
        ("rgba", 4, {"photometric": "RGB", "alpha": "YES"}),
        ("rgba_premultiplied", 4, {"photometric": "RGB", "alpha": "PREMULTIPLIED"}),
        ("grey_alpha", 2, {"alpha": "YES"}),
        ("rgb_and_two", 5, {"photometric": "RGB", "alpha": "NO"}),
        ("white_is_zero", 1, {"photometric": "MINISWHITE"}),
        ("cmyk", 4, {"photometric": "CMYK"}),
    ]
    for (name, bands, options), interleave in product(colours, ("pixel", "band")):
        yield Flavour(
            name=f"{name}_{interleave}",
            dtype="uint8",
            bands=bands,
            options=_tiles(32, interleave=interleave, **options),
            oracle="tifffile" if name == "cmyk" else "gdal",  # GDAL makes RGBA of it
        )


def _by_tifffile() -> Iterator[Flavour]:
    for big_endian, big_tiff in product((False, True), (False, True)):
        order = f"{'big' if big_endian else 'little'}_{42 + big_tiff}"
        common = {"writer": "tifffile", "big_endian": big_endian, "big_tiff": big_tiff}
        yield Flavour(
            name=f"sub_ifds_{order}",
            overviews=(2, 4),
            options={"tile": (32, 48), "compression": "zlib"},
            **common,  # type: ignore[arg-type]  # a dict of keyword arguments of several types
        )
        for planar, bands in product(("contig", "separate"), (1, 3)):
            yield Flavour(
                name=f"tifffile_{planar}_{bands}_{order}",
                bands=bands,
                options={"rowsperstrip": 11, "planarconfig": planar, "compression": "lzw"},
                **common,  # type: ignore[arg-type]  # as above
            )
        for dtype in ("float16", "float32", "float64"):
            yield Flavour(
                name=f"tifffile_{dtype}_p3_{order}",
                dtype=dtype,
                options={"tile": (64, 32), "compression": "zlib", "predictor": 3},
                **common,  # type: ignore[arg-type]  # as above
            )
    for codec, dtype in [
        ("packbits", "int16"),
        ("lzma", "int32"),
        ("zstd", "float32"),
        ("deflate", "uint64"),
        ("lerc", "float32"),
        ("jpeg2000", "uint16"),
        ("jpegxl", "uint16"),
    ]:
        own = codec in ("jpeg2000", "jpegxl", "lzma")
        yield Flavour(
            name=f"tifffile_{codec}",
            dtype=dtype,
            writer="tifffile",
            options={"tile": (32, 32), "compression": codec},
            oracle="tifffile" if own else "gdal",
        )
    for name, options in [
        ("bilevel", {"photometric": "minisblack"}),
        ("bilevel_white", {"photometric": "miniswhite"}),
    ]:
        yield Flavour(name=f"tifffile_{name}", dtype="bool", writer="tifffile", options=options)


FLAVOURS: Final[tuple[Flavour, ...]] = (
    *_dtypes_and_predictors(),
    *_compressions_and_layouts(),
    *_lossy(),
    *_odd_bits(),
    *_masks_and_overviews(),
    *_sparse_and_nodata(),
    *_georeferences_and_colours(),
    *_by_tifffile(),
)
"""All flavours; names are unique."""
