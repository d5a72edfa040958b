"""What the samples of a file's pixels are: type, colour, nodata."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from rasteret_assets.tiff import tags
from rasteret_assets.tiff.decode_format import PIXEL_CODECS, YCBCR, sample_dtype
from rasteret_assets.tiff.images import SampleKind, Value, small_numbers

_COLORS: Final[dict[int, tuple[str, ...]]] = {
    0: ("gray",),
    1: ("gray",),
    2: ("red", "green", "blue"),
    3: ("palette",),
    5: ("cyan", "magenta", "yellow", "black"),
    YCBCR: ("red", "green", "blue"),  # what decoding makes of it
}
"""GDAL's words for the samples of each PhotometricInterpretation, lower case."""
_PALETTE: Final = 3
_ALPHA: Final = (1, 2)
"""ExtraSamples: associated and unassociated alpha."""
_ODD_NUMBER: Final = re.compile(r"([+-]?)1\.#(\w+)")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Samples:
    """What a file's samples are. Files alike share one object."""

    dtype: str
    """NumPy's name of the native type that holds every value."""
    sample_format: int
    bits_per_sample: int
    count: int
    photometric: int
    extra_samples: tuple[int, ...] | None
    palette: tuple[int, ...] | None
    """All reds, all greens, all blues, 16 bits each."""
    nodata_text: str | None
    nodata: float | None
    notes: tuple[str, ...]

    def color_interpretation(self, band_index: int) -> str:
        """Return GDAL's word for the colour of one sample, lower case."""
        return color_interpretation(self.photometric, self.extra_samples, self.count, band_index)


def dtype_name(samples: Samples, byte_order: str, compression: int) -> str:
    """Return NumPy's name of the type, with a byte order where tiles hold big-endian numbers.

    Then it is what `numpy.frombuffer` takes for a tile's decompressed bytes, which `rasteret`
    relies on. Packed bits, and codecs that give pixels, know no byte order.
    """
    kind = np.dtype(samples.dtype)
    plain = (
        byte_order == "<"
        or kind.itemsize == 1
        or samples.bits_per_sample != 8 * kind.itemsize
        or compression in PIXEL_CODECS
    )
    return kind.name if plain else kind.newbyteorder(">").str


def color_interpretation(
    photometric: int, extra_samples: tuple[int, ...] | None, count: int, band_index: int
) -> str:
    """Return GDAL's word for the colour of one of `count` samples, lower case.

    Examples
    --------
    >>> [color_interpretation(2, (2,), 4, index) for index in range(4)]
    ['red', 'green', 'blue', 'alpha']
    """
    colors = _COLORS.get(photometric, ())
    if band_index < len(colors):
        return colors[band_index]
    extra = extra_samples or ()
    which = band_index - (count - len(extra))
    return "alpha" if 0 <= which < len(extra) and extra[which] in _ALPHA else "undefined"


@lru_cache(maxsize=1024)
def samples_of(byte_order: str, kind: SampleKind, values: tuple[Value, ...]) -> Samples:
    """Return what samples of this kind are, given the file's tags about them.

    Raises
    ------
    TiffError
        `unsupported`, if no NumPy type holds them; `corrupt`, if text stands where numbers
        belong.
    """
    given = {value.tag: value for value in values}
    text: str | None = None
    nodata: float | None = None
    notes: tuple[str, ...] = ()
    if (value := given.get(tags.GDAL_NODATA)) is not None:
        text = value.data.partition(b"\0")[0].decode("utf-8", "replace")
        nodata = number_of(text)
        notes = () if nodata is not None else (f"nodata {text[:40]!r} is not a number",)
    extra = given.get(tags.EXTRA_SAMPLES)
    color_map = given.get(tags.COLOR_MAP) if kind.photometric == _PALETTE else None
    return Samples(
        dtype=sample_dtype(kind.sample_format, kind.bits).name,
        sample_format=kind.sample_format,
        bits_per_sample=kind.bits,
        count=kind.per_pixel,
        photometric=kind.photometric,
        extra_samples=small_numbers(byte_order, extra) if extra else None,
        palette=small_numbers(byte_order, color_map) if color_map else None,
        nodata_text=text,
        nodata=nodata,
        notes=notes,
    )


def number_of(text: str) -> float | None:
    """Return the number that GDAL_NODATA's text means, or None if it is none.

    64-bit integers are rounded to the nearest float; the text keeps them exact.

    Examples
    --------
    >>> number_of(" -9999 "), number_of("-1.#IND"), number_of("1.#INF"), number_of("n/a")
    (-9999.0, nan, inf, None)
    """
    # what Microsoft's C library printed for not-a-number and the infinities
    plain = (
        ""
        if "_" in text
        else _ODD_NUMBER.sub(lambda m: m[1] + ("inf" if m[2] == "INF" else "nan"), text.strip())
    )
    try:
        return float(plain)
    except ValueError:
        return None
