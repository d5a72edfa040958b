"""Decode whole images with the code under test, from tags that tifffile read."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tifffile
from numpy.typing import NDArray

from rasteret_assets.tiff.decode import decode_mask, decode_tile
from rasteret_assets.tiff.decode_format import LevelFacts, TileFormat, sparse_fill, tile_format


def facts_of(page: tifffile.TiffPage) -> LevelFacts:
    """Return the fields of the index for one page, straight from its tags."""

    def tag(code: int, default: Any = None) -> Any:  # noqa: ANN401  # a tag holds what it holds
        return page.tags.valueof(code, default)

    bits = tag(258, 1)
    return {
        "image_width": tag(256),
        "image_height": tag(257),
        "tile_width": tag(322, tag(256)),
        "tile_height": tag(323, tag(278, 2**31 - 1)),
        "tiled": 322 in page.tags,
        "bits_per_sample": bits[0] if isinstance(bits, tuple) else bits,
        "samples_per_pixel": tag(277, 1),
        "planar_configuration": tag(284, 1),
        "photometric": tag(262),
        "compression": tag(259, 1),
        "predictor": tag(317, 1),
        "fill_order": tag(266, 1),
        "jpeg_tables": tag(347),
        "lerc_parameters": tag(50674),
        "t4_options": None if tag(292) is None else (tag(292),),
    }


def form_of(page: tifffile.TiffPage, nodata: float | None = None) -> TileFormat:
    order: Literal["<", ">"] = page.parent.byteorder
    kind = page.tags.valueof(339, 1)
    kind = kind[0] if isinstance(kind, tuple) else kind
    form = tile_format(facts_of(page), sample_format=kind, byte_order=order)
    fill = sparse_fill(nodata, form.dtype)
    return tile_format(facts_of(page), sample_format=kind, byte_order=order, fill=fill)


def _tiles(
    path: Path,
    page: tifffile.TiffPage,
    form: TileFormat,
) -> Iterator[tuple[int, int, int, bytes | None]]:
    """Yield plane, tile row, tile column and data of every tile of a page."""
    columns = 1 if not form.tiled else -(-form.image_width // form.tile_width)
    rows = -(-form.image_height // form.tile_height)
    offsets, counts = page.dataoffsets, page.databytecounts
    with path.open("rb") as file:
        for index, (offset, count) in enumerate(zip(offsets, counts, strict=True)):
            plane, rest = divmod(index, rows * columns)
            file.seek(offset)
            yield plane, *divmod(rest, columns), file.read(count) if count else None


def decoded_image(path: Path, page: tifffile.TiffPage, nodata: float | None = None) -> NDArray[Any]:
    """Return all samples of a page as (sample, y, x)."""
    form = form_of(page, nodata)
    planes = page.tags.valueof(277, 1) // form.samples
    height, width = form.image_height, form.image_width
    image = np.empty((planes * form.samples, height, width), form.dtype)
    for plane, row, column, data in _tiles(path, page, form):
        tile = decode_tile(data, form, tile_row=row)
        y, x = row * form.tile_height, column * form.tile_width
        cut = tile[:, : height - y, : width - x]
        first = plane * form.samples
        image[first : first + form.samples, y : y + cut.shape[1], x : x + cut.shape[2]] = cut
    return image


def decoded_mask(path: Path, page: tifffile.TiffPage) -> NDArray[np.bool_]:
    """Return a mask page as (y, x), True where valid."""
    form = form_of(page)
    mask = np.empty((form.image_height, form.image_width), bool)
    for _, row, column, data in _tiles(path, page, form):
        y, x = row * form.tile_height, column * form.tile_width
        tile = decode_mask(data, form, tile_row=row)[: mask.shape[0] - y, : mask.shape[1] - x]
        mask[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
    return mask


def main_page(file: tifffile.TiffFile) -> tifffile.TiffPage:
    """Return the first image."""
    page = file.pages[0]
    assert isinstance(page, tifffile.TiffPage)
    return page


def mask_page(file: tifffile.TiffFile) -> tifffile.TiffPage | None:
    """Return the mask of the full image, or None."""
    for page in file.pages:
        assert isinstance(page, tifffile.TiffPage)
        if page.tags.valueof(254, 0) & 5 == 4:
            return page
    return None
