"""Which tiles a window needs, where their bytes lie, and where their pixels go."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rasteret_assets.geo.grid import Window
from rasteret_assets.reads.levels import Level, Sample
from rasteret_assets.tiff.decode import decode_tile
from rasteret_assets.tiff.decode_codecs import StoredTile
from rasteret_assets.tiff.decode_format import TileFormat

Pixels = NDArray[Any]

GAP_BYTES: Final = 128 << 10
"""Bytes between tiles that are fetched along rather than asked around."""
REQUEST_BYTES: Final = 4 << 20
"""Bytes of one request, at most, unless one tile takes more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paste:
    """Part of a tile, and where it goes."""

    sample: int
    """Number of the sample within the tile."""
    part: tuple[slice, slice]
    """Rows and columns of the tile."""
    canvas: Pixels
    """The part of an array (y, x) that takes them; boolean arrays take what is not 0."""

    @property
    def span(self) -> tuple[int, int]:
        """Rows of the tile that it takes some of, half-open."""
        return int(self.part[0].start), int(self.part[0].stop)

    def put(self, pixels: Pixels, first: int) -> None:
        """Copy what it takes of `pixels` (y, x), the tile from row `first` on."""
        rows, cols = self.part
        part = pixels[rows.start - first : rows.stop - first, cols]
        self.canvas[...] = part if self.canvas.dtype != np.bool_ else part != 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """Single pixels of a tile, and where they go."""

    sample: int
    """Number of the sample within the tile."""
    rows: NDArray[np.int64]
    cols: NDArray[np.int64]
    """Within the tile."""
    values: Pixels
    """One-dimensional; boolean arrays take what is not 0."""
    at: NDArray[np.int64]
    """Which of `values` they are."""
    span: tuple[int, int]
    """Rows of the tile that it takes some of, half-open."""

    def put(self, pixels: Pixels, first: int) -> None:
        """Copy what it takes of `pixels` (y, x), the tile from row `first` on."""
        part = _pixels_at(pixels, self.rows - first, self.cols)
        self.values[self.at] = part if self.values.dtype != np.bool_ else part != 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A stored tile, and all that is to be had of it."""

    start: int
    stop: int
    """Its bytes in the file, half-open."""
    form: TileFormat
    tile_row: int
    wanted: list[Paste | Pick] = field(default_factory=list)

    def decode(self, data: StoredTile) -> None:
        """Decode the tile once, as far as need be, and put its parts where they go.

        Raises
        ------
        TiffError
            As `decode_tile` does.
        """
        samples = {part.sample for part in self.wanted}
        sample = samples.pop() if len(samples) == 1 else None
        firsts, stops = zip(*[part.span for part in self.wanted], strict=True)
        rows = range(min(firsts), max(stops))
        pixels = decode_tile(data, self.form, tile_row=self.tile_row, sample=sample, rows=rows)
        for part in self.wanted:
            part.put(pixels if sample is not None else pixels[part.sample], rows.start)


class TilePlan:
    """The tiles of one file that a read needs, each once however many bands are in it."""

    def __init__(self) -> None:
        self._tiles: dict[tuple[int, int], Tile] = {}

    def add(self, level: Level, sample: Sample, window: Window, canvas: Pixels) -> None:
        """Have `canvas` (y, x) filled with the pixels of `window`, all of them in the image.

        Tiles that are not stored are filled in at once.
        """
        form = level.form
        for tile_row, tile_col in _touched(form, window):
            place = Window(
                tile_col * form.tile_width,
                tile_row * form.tile_height,
                form.tile_width,
                form.tile_height,
            )
            both = place.intersect(window)
            part = canvas[both.slices_in(window)]
            if (tile := self._tile(level, sample, tile_row, tile_col)) is None:
                part[...] = form.fill
                continue
            tile.wanted.append(Paste(sample=sample.within, part=both.slices_in(place), canvas=part))

    def add_pixels(
        self,
        level: Level,
        sample: Sample,
        cols: NDArray[np.int64],
        rows: NDArray[np.int64],
        values: Pixels,
    ) -> None:
        """Have `values` filled with single pixels, all of them in the image.

        Pixels in tiles that are not stored are filled in at once.
        """
        form = level.form
        tile_rows, rows_within = np.divmod(rows, form.tile_height)
        tile_cols, cols_within = np.divmod(cols, form.tile_width)
        tiles = tile_rows * level.tiles_across + tile_cols
        order = np.lexsort((rows_within, tiles))
        rows_within, cols_within, tiles = rows_within[order], cols_within[order], tiles[order]
        starts = np.flatnonzero(np.diff(tiles, prepend=-1))
        for start, stop, tile_row, tile_col in zip(
            starts.tolist(),
            [*starts[1:].tolist(), len(tiles)],
            tile_rows[order[starts]].tolist(),
            tile_cols[order[starts]].tolist(),
            strict=True,
        ):
            at = order[start:stop]
            if (tile := self._tile(level, sample, tile_row, tile_col)) is None:
                values[at] = form.fill
                continue
            of_tile = rows_within[start:stop]
            tile.wanted.append(
                Pick(
                    sample=sample.within,
                    rows=of_tile,
                    cols=cols_within[start:stop],
                    values=values,
                    at=at,
                    span=(int(of_tile[0]), int(of_tile[-1]) + 1),
                )
            )

    def _tile(self, level: Level, sample: Sample, tile_row: int, tile_col: int) -> Tile | None:
        """Return the tile at a place; None if it is not stored."""
        index = sample.plane * level.tiles_per_plane + tile_row * level.tiles_across + tile_col
        start, size = int(level.offsets[index]), int(level.byte_counts[index])
        if not size:
            return None
        if (tile := self._tiles.get((start, size))) is None:
            tile = Tile(start=start, stop=start + size, form=level.form, tile_row=tile_row)
            self._tiles[start, size] = tile
        return tile

    def requests(self) -> Iterator[list[Tile]]:
        """Yield tiles to fetch together, in the order of the file."""
        tiles = sorted(self._tiles.values(), key=lambda tile: tile.start)
        batch: list[Tile] = []
        for tile in tiles:
            if batch and (
                tile.start > batch[-1].stop + GAP_BYTES
                or tile.stop - batch[0].start > REQUEST_BYTES
            ):
                yield batch
                batch = []
            batch.append(tile)
        if batch:
            yield batch


def _pixels_at(pixels: Pixels, rows: NDArray[np.int64], cols: NDArray[np.int64]) -> Pixels:
    """Return single pixels; where it can be done by one index, NumPy keeps Python's lock.

    To let go of it for a microsecond's work means to wait for it until another thread does.
    """
    if pixels.flags.c_contiguous:
        return pixels.reshape(-1)[rows * pixels.shape[1] + cols]
    return pixels[rows, cols]


def _touched(form: TileFormat, window: Window) -> Iterable[tuple[int, int]]:
    """Yield row and column of each tile that `window` has pixels of."""
    last_row = (window.row_off + window.height - 1) // form.tile_height
    last_col = (window.col_off + window.width - 1) // form.tile_width
    for tile_row in range(window.row_off // form.tile_height, last_row + 1):
        for tile_col in range(window.col_off // form.tile_width, last_col + 1):
            yield tile_row, tile_col
