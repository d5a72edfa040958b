"""What pictures are drawn with: ink, lettering, a scale bar, and small PNG files."""

import io
import math
from typing import Final

from PIL import Image, ImageDraw, ImageFont

INK: Final = (38, 50, 56)
FAINT: Final = (176, 190, 197)
PAPER: Final = (255, 255, 255)
TITLE: Final = 34
"""Pixels above a picture that its title takes."""
METRES_PER_KILOMETRE: Final = 1000


def round_number(value: float) -> float:
    """Return the largest of 1, 2, 5 times a power of ten that is at most `value`."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (5, 2, 1) if factor * power <= value)


def scale_bar(
    draw: ImageDraw.ImageDraw, at: tuple[float, float], metres_per_pixel: float, across: int
) -> None:
    """Draw a bar of a round length, a quarter of `across` pixels at most, beginning at `at`."""
    metres = round_number(metres_per_pixel * across / 4)
    length = metres / metres_per_pixel
    x, y = at
    draw.line((x, y - 4, x, y, x + length, y, x + length, y - 4), fill=INK, width=2)
    said = (
        f"{metres / METRES_PER_KILOMETRE:g} km"
        if metres >= METRES_PER_KILOMETRE
        else f"{metres:g} m"
    )
    write(draw, (x + length + 6, y + 2), said, 11, anchor="ls")


def write(
    draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, size: int, anchor: str = "la"
) -> None:
    """Write `text` at a place, by Pillow's word for which point of it lies there."""
    text = text.replace(" ", "  ")  # the built-in font's own space is hardly seen
    draw.text(at, text, fill=INK, font=ImageFont.load_default(size), anchor=anchor)


def png(picture: Image.Image, colours: int) -> bytes:
    """Return PNG bytes of at most so many colours: a quarter of the size, hardly seen."""
    buffer = io.BytesIO()
    picture.quantize(colours, Image.Quantize.MEDIANCUT).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
