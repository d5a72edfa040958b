"""Images of a struct column, level by level, with the tiles of each."""

from dataclasses import dataclass
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rasteret_assets.tiff.decode_format import LevelFacts, TileFormat

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Level:
    """One image of a file: the full one, an overview, or the mask of one."""

    form: TileFormat
    offsets: Numbers
    """Where each tile begins, all planes one after the other."""
    byte_counts: Numbers
    """0 where a tile is not stored."""

    @property
    def tiles_across(self) -> int:
        """Columns of tiles."""
        return -(-self.form.image_width // self.form.tile_width)

    @property
    def tiles_per_plane(self) -> int:
        """Tiles of one sample, or of all if they are stored together."""
        return self.tiles_across * -(-self.form.image_height // self.form.tile_height)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Where one band lies in the tiles of its file."""

    plane: int = 0
    """Number of the plane among those the index has tiles of."""
    within: int = 0
    """Number of the sample within a tile."""


class LevelTable:
    """The images of a struct column: `MASK`, `OVERVIEW` or `BAND_METADATA`."""

    def __init__(self, structs: pa.StructArray) -> None:
        self._valid = pc.is_valid(structs)
        names = LevelFacts.__annotations__
        self._facts = {name: pc.struct_field(structs, name) for name in names}
        self._offsets = _Lists(pc.struct_field(structs, "tile_offsets"))
        self._byte_counts = _Lists(pc.struct_field(structs, "tile_byte_counts"))

    def size(self, row: int) -> tuple[int, int]:
        """Return width and height."""
        facts = self._facts
        return facts["image_width"][row].as_py(), facts["image_height"][row].as_py()

    def is_there(self, row: int) -> bool:
        """Whether there is an image in this row."""
        return bool(self._valid[row].as_py())

    def facts(self, row: int) -> LevelFacts:
        """Return how the image is stored."""
        # the fields and their types are those of the contract
        return cast("LevelFacts", {name: of[row].as_py() for name, of in self._facts.items()})

    def level(self, row: int, form: TileFormat) -> Level:
        """Return the image of a row."""
        return Level(form=form, offsets=self._offsets[row], byte_counts=self._byte_counts[row])


class _Lists:
    """A list column as arrays that share its memory."""

    def __init__(self, lists: pa.ListArray) -> None:
        self._bounds = lists.offsets.to_numpy()
        self._values = lists.values.to_numpy(zero_copy_only=False)

    def __getitem__(self, row: int) -> Numbers:
        return self._values[self._bounds[row] : self._bounds[row + 1]]
