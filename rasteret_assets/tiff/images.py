"""How one image of a file is stored: its grid of tiles, its samples, its codec."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from rasteret_assets.contract.settings import HeaderBudget
from rasteret_assets.errors import ProblemCode, TiffError
from rasteret_assets.tiff import tags
from rasteret_assets.tiff.directories import Scalars

_LARGEST_SIDE: Final = (1 << 31) - 1
"""What the int32 fields of the index hold."""
_PLANAR: Final = 2
_SHORT: Final = 1 << 16
"""One more than a SHORT holds, which is what all codes are."""


class Value(NamedTuple):
    """A tag's value as it stands in the file."""

    tag: int
    code: str
    """What `struct` calls one number of it."""
    data: bytes


class Grid(NamedTuple):
    """The tiles or strips of one image."""

    tile_width: int
    tile_height: int
    tiled: bool
    planes: int
    tiles: int
    """Of all planes together."""


class SampleKind(NamedTuple):
    """What the numbers of an image say of its samples."""

    sample_format: int
    bits: int
    per_pixel: int
    photometric: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Storage:
    """How one image is stored. Images stored alike share one object."""

    width: int
    height: int
    tile_width: int
    tile_height: int
    tiled: bool
    planes: int
    tiles: int
    """Of all planes together."""
    bits_per_sample: int
    sample_format: int
    samples_per_pixel: int
    planar_configuration: int
    photometric: int
    compression: int
    predictor: int
    fill_order: int
    ycbcr_subsampling: tuple[int, ...] | None
    jpeg_tables: bytes | None
    lerc_parameters: tuple[int, ...] | None
    t4_options: tuple[int, ...] | None
    image_bytes: int
    """Decoded bytes of the image."""
    tile_bytes: int
    """Decoded bytes of one tile, all samples that lie in it together."""

    @property
    def sample_kind(self) -> SampleKind:
        """What it says of its samples."""
        return SampleKind(
            self.sample_format, self.bits_per_sample, self.samples_per_pixel, self.photometric
        )

    @property
    def tiles_per_plane(self) -> int:
        """Tiles of one plane; of all samples together if they are not kept apart."""
        return self.tiles // self.planes


@lru_cache(maxsize=4096)
def grid_of(scalars: Scalars) -> Grid:
    """Return the tiles an image of these dimensions has.

    Raises
    ------
    TiffError
        `corrupt`, if a dimension is missing, zero or negative; `unsupported`, if one is over
        2^31 - 1.
    """
    width, height = scalars.width, scalars.height
    tile_width, tile_height = scalars.tile_width, scalars.tile_height
    tiled = tile_width != 0 or tile_height != 0
    if not tiled:
        tile_width, tile_height = width, min(scalars.rows_per_strip, height)
    for side in (width, height, tile_width, tile_height):
        if side <= 0:
            detail = f"image of {width} x {height} in tiles of {tile_width} x {tile_height}"
            raise TiffError(ProblemCode.CORRUPT, detail)
        if side > _LARGEST_SIDE:
            detail = f"image of {width} x {height} in tiles of {tile_width} x {tile_height}"
            raise TiffError(ProblemCode.UNSUPPORTED, detail)
    samples = scalars.samples_per_pixel
    if samples <= 0 or scalars.planar_configuration not in (1, _PLANAR):
        detail = f"{samples} samples per pixel, planar configuration {scalars.planar_configuration}"
        raise TiffError(ProblemCode.CORRUPT, detail)
    planes = samples if scalars.planar_configuration == _PLANAR else 1
    tiles = -(-width // tile_width) * -(-height // tile_height) * planes
    return Grid(tile_width, tile_height, tiled, planes, tiles)


@lru_cache(maxsize=4096)
def storage_of(byte_order: str, scalars: Scalars, values: tuple[Value, ...]) -> Storage:
    """Return how an image is stored whose tags say this; the same object for the same tags.

    Raises
    ------
    TiffError
        As `grid_of`; and `unsupported`, if samples of one pixel differ in bits or format, as
        libtiff has it.
    """
    grid = grid_of(scalars)
    samples = scalars.samples_per_pixel
    for name in ("photometric", "fill_order", "predictor"):
        _check_code(name, getattr(scalars, name))
    given = {value.tag: small_numbers(byte_order, value) for value in values}
    bits = _common(given, tags.BITS_PER_SAMPLE, scalars.bits_per_sample)
    return Storage(
        width=scalars.width,
        height=scalars.height,
        tile_width=grid.tile_width,
        tile_height=grid.tile_height,
        tiled=grid.tiled,
        planes=grid.planes,
        tiles=grid.tiles,
        bits_per_sample=bits,
        sample_format=_common(given, tags.SAMPLE_FORMAT, scalars.sample_format),
        samples_per_pixel=samples,
        planar_configuration=scalars.planar_configuration,
        photometric=scalars.photometric,
        compression=_common(given, tags.COMPRESSION, scalars.compression),
        predictor=scalars.predictor,
        fill_order=scalars.fill_order,
        ycbcr_subsampling=given.get(tags.YCBCR_SUBSAMPLING),
        jpeg_tables=next((v.data for v in values if v.tag == tags.JPEG_TABLES), None),
        lerc_parameters=given.get(tags.LERC_PARAMETERS),
        t4_options=given.get(tags.T4_OPTIONS),
        image_bytes=scalars.width * scalars.height * samples * bits // 8,
        tile_bytes=(grid.tile_width * grid.tile_height * (samples // grid.planes) * -(-bits // 8)),
    )


def numbers(byte_order: str, value: Value) -> tuple[int, ...]:
    """Return the whole numbers of a tag.

    Raises
    ------
    TiffError
        `corrupt`, if it holds something else.
    """
    if value.code not in tags.INTEGERS:
        detail = f"tag {value.tag} is of type {value.code}, not whole numbers"
        raise TiffError(ProblemCode.CORRUPT, detail)
    return tuple(np.frombuffer(value.data, byte_order + value.code).tolist())


def small_numbers(byte_order: str, value: Value) -> tuple[int, ...]:
    """Return the numbers of a tag that TIFF has as SHORT; none of JPEG tables, which are bytes.

    Raises
    ------
    TiffError
        `corrupt`, if it holds something else.
    """
    if value.tag == tags.JPEG_TABLES:
        return ()
    found = numbers(byte_order, value)
    if found and not 0 <= min(found) <= max(found) < _SHORT:
        detail = f"tag {value.tag} holds {min(found)} to {max(found)}"
        raise TiffError(ProblemCode.CORRUPT, detail)
    return found


def _check_code(name: str, value: int) -> None:
    if not 0 <= value < _SHORT:
        detail = f"{name} is {value}"
        raise TiffError(ProblemCode.CORRUPT, detail)


def _common(given: dict[int, tuple[int, ...]], tag: int, single: int) -> int:
    several = set(given.get(tag, (single,)))
    if len(several) != 1:
        detail = f"samples differ: tag {tag} says {sorted(several)[:8]}"
        raise TiffError(ProblemCode.UNSUPPORTED, detail)
    (value,) = several
    if not 0 < value < _SHORT:
        detail = f"tag {tag} is {value}"
        raise TiffError(ProblemCode.CORRUPT, detail)
    return value


def check_budget(storage: Storage, budget: HeaderBudget) -> None:
    """Refuse an image too large to be handled.

    Raises
    ------
    TiffError
        `over_budget`, naming the limit.
    """
    tile_pixels = storage.tile_width * storage.tile_height
    if (
        storage.image_bytes <= budget.image_bytes
        and storage.tile_bytes <= budget.tile_bytes
        and tile_pixels <= budget.tile_pixels
    ):
        return
    detail = (
        f"image of {storage.image_bytes} bytes in tiles of {tile_pixels} pixels, "
        f"{storage.tile_bytes} bytes; the limits are {budget.image_bytes}, {budget.tile_pixels} "
        f"and {budget.tile_bytes}"
    )
    raise TiffError(ProblemCode.OVER_BUDGET, detail)
