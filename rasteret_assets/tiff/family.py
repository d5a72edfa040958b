"""What files written alike have in common: which directory is what, how its image is stored.

A directory's tags of one number, and the shape of its table, decide on all of that; it is
worked out once per family of files, since archives hold a million of one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from rasteret_assets.errors import ProblemCode, TiffError
from rasteret_assets.tiff import tags
from rasteret_assets.tiff.directories import Layout, Place, Scalars
from rasteret_assets.tiff.images import Grid, Storage, grid_of, storage_of
from rasteret_assets.tiff.selection import Candidate, select


class Array(NamedTuple):
    """One of the two arrays of an image's tiles."""

    place: Place
    dtype: np.dtype[np.generic]
    size: int
    """Bytes of as many numbers as there are tiles."""

    @property
    def lacks(self) -> bool:
        """Whether it holds fewer numbers than there are tiles."""
        return self.place.items * self.place.item_bytes < self.size

    @property
    def said(self) -> str:
        """What to say of it if it has not as many numbers as there are tiles."""
        tiles = self.size // self.place.item_bytes
        return f"tag {self.place.tag} holds {self.place.items} values for {tiles} tiles"


class Member(NamedTuple):
    """One image of the file."""

    position: int
    """Which of the file's directories."""
    scalars: Scalars
    grid: Grid
    storage: Storage | None
    """None where it takes more than numbers to say (JPEG tables, several samples' bits)."""
    offsets: Array
    byte_counts: Array | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Family:
    """What files written alike have in common."""

    members: tuple[Member, ...]
    """The image, its overviews (largest first), its mask, the masks of overviews."""
    overviews: int
    mask: bool
    overview_masks: tuple[bool, ...]
    tiles: int
    """Most tiles of any image."""
    notes: tuple[str, ...]
    lack: str | None
    """Which array is too short for the tiles, if one is."""
    wide: bool
    """Whether any tile array holds 8-byte numbers."""


@lru_cache(maxsize=1024)
def family_of(
    byte_order: str,
    directories: tuple[tuple[Layout, tuple[int, ...]], ...],
    parents: tuple[int, ...],
) -> Family:
    """Return what a file is whose directories (table's shape, scalars) are these.

    Parameters
    ----------
    parents
        The last directories are SubIFDs; these are the directories they belong to.

    Raises
    ------
    TiffError
        `corrupt` or `unsupported`, if one of its images cannot be.
    """
    chain = len(directories) - len(parents)
    candidates = [
        Candidate(at, Scalars._make(scalars), None if at < chain else parents[at - chain])
        for at, (_, scalars) in enumerate(directories)
    ]
    selection = select(candidates)
    masks = [mask for mask in (selection.mask, *selection.overview_masks) if mask is not None]
    members = tuple(
        _member(byte_order, each, directories[each.position][0])
        for each in (selection.image, *selection.overviews, *masks)
    )
    layout = directories[selection.image.position][0]
    arrays = [array for each in members for array in (each.offsets, each.byte_counts) if array]
    return Family(
        members=members,
        overviews=len(selection.overviews),
        mask=selection.mask is not None,
        overview_masks=tuple(mask is not None for mask in selection.overview_masks),
        tiles=max(member.grid.tiles for member in members),
        notes=(*selection.notes, *layout.notes, *_notes(members)),
        lack=next((array.said for array in arrays if array.lacks), None),
        wide=any(array.place.code == "Q" for array in arrays),
    )


def _member(byte_order: str, candidate: Candidate, layout: Layout) -> Member:
    scalars = candidate.scalars
    grid = grid_of(scalars)
    if layout.offsets is None or (layout.offsets.tag == tags.TILE_OFFSETS and not grid.tiled):
        detail = "tile offsets or tile size missing"
        raise TiffError(ProblemCode.CORRUPT, detail)
    return Member(
        position=candidate.position,
        scalars=scalars,
        grid=grid,
        storage=None if layout.storage else storage_of(byte_order, scalars, ()),
        offsets=_array(byte_order, layout.offsets, grid.tiles),
        byte_counts=layout.byte_counts and _array(byte_order, layout.byte_counts, grid.tiles),
    )


def _array(byte_order: str, place: Place, tiles: int) -> Array:
    if place.code not in tags.UNSIGNED:
        detail = f"tag {place.tag} is of type {place.code}, not offsets or sizes"
        raise TiffError(ProblemCode.CORRUPT, detail)
    return Array(place, np.dtype(byte_order + place.code), tiles * place.item_bytes)


def _notes(members: tuple[Member, ...]) -> Iterator[str]:
    """Yield what is odd about arrays of tiles."""
    if any(member.byte_counts is None for member in members):
        yield "byte counts are computed, the file has none"
    for member in members:
        for array in (member.offsets, member.byte_counts):
            if array is not None and array.place.items > member.grid.tiles:
                yield f"{array.said}; the first are used"
