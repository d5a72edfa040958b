"""Flavours of what a file holds besides: masks, overviews, gaps, a place, colours."""

from collections.abc import Iterator
from itertools import product

from tests.rig.flavour import Flavour, Georeference, strips, tiles


def masks_and_overviews() -> Iterator[Flavour]:
    for layout, interleave, levels in product(("tiles", "strips"), ("pixel", "band"), ((), (2, 4))):
        options = tiles(32) if layout == "tiles" else strips()
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
            options=tiles(32, compress="LZW", predictor=2),
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


def sparse_and_nodata() -> Iterator[Flavour]:
    for layout, bands, nodata in product(("tiles", "strips"), (1, 3), (None, 7)):
        yield Flavour(
            name=f"sparse_{layout}_{bands}_{nodata}",
            bands=bands,
            nodata=nodata,
            sparse=True,
            options={
                **(tiles(32) if layout == "tiles" else strips()),
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
        options=tiles(32, sparse_ok=True, compress="LZW"),
    )
    for name, dtype, value in [
        ("nan", "float32", float("nan")),
        ("minus_inf", "float32", float("-inf")),
        ("inf", "float64", float("inf")),
        ("lowest", "float32", -3.4028234663852886e38),
    ]:
        yield Flavour(name=f"nodata_{name}", dtype=dtype, nodata=value, options=tiles(64))
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


def georeferences_and_colours() -> Iterator[Flavour]:
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
        yield Flavour(name=f"geo_{place}", georeference=place, options=strips())
    yield Flavour(name="band_facts", bands=3, band_facts=True, options=tiles(32))
    yield Flavour(name="palette", dtype="uint8", palette=True, options=tiles(32))
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
            options=tiles(32, interleave=interleave, **options),
            oracle="tifffile" if name == "cmyk" else "gdal",  # GDAL makes RGBA of it
        )


def by_tifffile() -> Iterator[Flavour]:
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
