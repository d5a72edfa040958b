"""Which directory is what: the full-size image, its reduced images, their masks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from rasteret_assets.tiff.directories import Scalars

_REDUCED: Final = 1
_MASK: Final = 4
_OLD_REDUCED: Final = 2
_NOTES: Final = 16
"""More notes than this help no one."""


class Candidate(NamedTuple):
    """One directory that may be an image of the file."""

    position: int
    scalars: Scalars
    parent: int | None
    """Index of the directory whose SubIFD it is; None in the main chain."""

    @property
    def kind(self) -> int:
        """The bits of `_REDUCED` and `_MASK` that hold."""
        old = self.scalars.old_subfile_type == _OLD_REDUCED
        return (self.scalars.subfile_type & (_REDUCED | _MASK)) | (_REDUCED if old else 0)

    def is_reduced(self, image: "Candidate") -> bool:
        """Whether it says that it is a reduced image, or is below `image`, where such are."""
        return self.kind == _REDUCED or (not self.kind and self.parent == image.position)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.scalars.width, self.scalars.height

    @property
    def area(self) -> int:
        """Pixels."""
        return self.scalars.width * self.scalars.height

    @property
    def said(self) -> str:
        """What to call it in a note."""
        return f"image of {self.scalars.width} x {self.scalars.height}"


@dataclass(slots=True, kw_only=True)
class Selection:
    """The images of a file that belong together."""

    image: Candidate
    overviews: list[Candidate]
    mask: Candidate | None
    overview_masks: list[Candidate | None]
    notes: list[str]


def select(candidates: Sequence[Candidate]) -> Selection:
    """Return the largest image that is neither reduced nor a mask, and what belongs to it.

    Reduced images are looked for in the main chain and among the image's SubIFDs; masks belong
    to the image of their size (TIFF 6.0, NewSubfileType; GDAL keeps masks of overviews so).
    """
    whole = [each for each in candidates if not each.kind]
    image = max(whole, key=lambda each: each.area, default=candidates[0])
    selection = Selection(image=image, overviews=[], mask=None, overview_masks=[], notes=[])
    if image is not candidates[0]:
        selection.notes.append("the first image of the file is not its largest")
    related = [
        each for each in candidates if each is not image and each.parent in (None, image.position)
    ]
    for each in related:
        _sort_in(each, selection)
    selection.overviews.sort(key=lambda each: each.area, reverse=True)
    selection.overview_masks = [None] * len(selection.overviews)
    for each in related:
        if each.kind == _MASK | _REDUCED:
            _pair(each, selection)
    del selection.notes[_NOTES:]
    return selection


def _sort_in(each: Candidate, selection: Selection) -> None:
    """Take in `each` if it is a reduced image or the mask of the image."""
    ours, full = each.scalars, selection.image.scalars
    if each.is_reduced(selection.image):
        smaller = ours.width <= full.width and ours.height <= full.height
        if smaller and ours.samples_per_pixel == full.samples_per_pixel:
            selection.overviews.append(each)
        else:
            selection.notes.append(f"reduced {each.said} passed over: it does not fit the full one")
    elif each.kind == _MASK:
        if selection.mask is None and each.size == selection.image.size:
            selection.mask = each
        else:
            selection.notes.append(f"mask, an {each.said}, passed over: not of the image's size")
    elif not each.kind:
        selection.notes.append(f"a further {each.said} passed over")


def _pair(mask: Candidate, selection: Selection) -> None:
    """Give `mask` to the overview of its size that has none."""
    for at, overview in enumerate(selection.overviews):
        if selection.overview_masks[at] is None and overview.size == mask.size:
            selection.overview_masks[at] = mask
            return
    selection.notes.append("mask of a reduced image passed over: no overview is of its size")
