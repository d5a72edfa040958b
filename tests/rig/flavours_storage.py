"""Flavours of how pixels are stored: types, codecs, predictors, layouts, odd bits."""

from collections.abc import Iterator
from itertools import product
from typing import Final

from tests.rig.flavour import Flavour, strips, tiles

_INTEGERS: Final = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64")
_FLOATS: Final = ("float32", "float64")


def dtypes_and_predictors() -> Iterator[Flavour]:
    pairs = [*product(_INTEGERS, (1, 2)), *product(_FLOATS, (1, 2, 3))]
    for (dtype, predictor), big in product(pairs, (False, True)):
        order = "big" if big else "little"
        yield Flavour(
            name=f"{dtype}_deflate_p{predictor}_{order}",
            dtype=dtype,
            bands=1 + predictor % 3,
            big_endian=big,
            options=tiles(32, compress="DEFLATE", predictor=predictor, interleave="pixel"),
        )
    for dtype, big in product(("complex64", "complex128", "complex_int16"), (False, True)):
        yield Flavour(
            name=f"{dtype}_{'big' if big else 'little'}",
            dtype=dtype,
            big_endian=big,
            options=tiles(48, compress="DEFLATE"),
        )


def compressions_and_layouts() -> Iterator[Flavour]:
    codecs = ("NONE", "LZW", "PACKBITS", "LZMA", "ZSTD", "LERC", "LERC_DEFLATE", "LERC_ZSTD")
    layouts = {"tiles": tiles(48), "strips": strips()}
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
            options=tiles(64, interleave=interleave),
        )


def lossy() -> Iterator[Flavour]:
    for photometric, layout, interleave in [
        ("MINISBLACK", "tiles", "pixel"),
        ("MINISBLACK", "strips", "pixel"),
        ("RGB", "tiles", "pixel"),
        ("RGB", "tiles", "band"),
        ("RGB", "strips", "pixel"),
        ("YCBCR", "tiles", "pixel"),
        ("YCBCR", "strips", "pixel"),
    ]:
        layout_options = tiles(64) if layout == "tiles" else strips(blockysize=16)
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
            options=tiles(32, compress="JPEG", photometric=photometric, interleave="pixel"),
            lossy=True,
        )
    for bands, lossless in product((3, 4), (True, False)):
        yield Flavour(
            name=f"webp_{bands}_bands_{'lossless' if lossless else 'lossy'}",
            dtype="uint8",
            bands=bands,
            options=tiles(32, compress="WEBP", webp_lossless=lossless, interleave="pixel"),
            lossy=not lossless,
        )


def odd_bits() -> Iterator[Flavour]:
    widths = [("uint8", n) for n in (1, 2, 3, 4, 5, 6, 7)]
    widths += [("uint16", n) for n in (9, 10, 11, 12, 14, 15)]
    widths += [("uint32", n) for n in (17, 20, 24, 31)]
    for dtype, nbits in widths:
        yield Flavour(
            name=f"{nbits}_bits_tiles", dtype=dtype, options=tiles(32, nbits=nbits, compress="LZW")
        )
    for dtype, nbits in (("uint8", 1), ("uint8", 4), ("uint16", 12), ("uint16", 9)):
        yield Flavour(
            name=f"{nbits}_bits_strips_rgb", dtype=dtype, bands=3, options=strips(nbits=nbits)
        )
    for predictor, big in product((1, 3), (False, True)):
        yield Flavour(
            name=f"float16_p{predictor}_{'big' if big else 'little'}",
            dtype="float32",
            big_endian=big,
            options=tiles(32, nbits=16, compress="DEFLATE", predictor=predictor),
        )
    for codec in ("CCITTFAX3", "CCITTFAX4", "CCITTRLE"):
        yield Flavour(name=codec.lower(), dtype="uint8", options=strips(nbits=1, compress=codec))
