"""Which directory is what: the full-size image, its reduced images, their masks."""

from dataclasses import dataclass
from typing import Final

from rasteret_assets.tiff.directories import Directory
from rasteret_assets.tiff.walk import Directories

_REDUCED: Final = 1
_MASK: Final = 4
_OLD_REDUCED: Final = 2
_NOTES: Final = 16
"""More notes than this help no one."""


@dataclass(slots=True, kw_only=True)
class Selection:
    """The images of a file that belong together."""

    image: Directory
    overviews: list[Directory]
    mask: Directory | None
    overview_masks: list[Directory | None]
    notes: list[str]


def select(directories: Directories) -> Selection:
    """Return the largest image that is neither reduced nor a mask, and what belongs to it.

    Reduced images are looked for in the chain and among the image's SubIFDs; masks belong to
    the image of their size (TIFF 6.0, NewSubfileType; GDAL keeps masks of overviews so).
    """
    chain = directories.chain
    image = chain[0]
    below = directories.sub_directories
    if len(chain) > 1 or below or _kind(image):
        every = [*chain, *(sub for subs in below.values() for sub in subs)]
        image = max((each for each in every if not _kind(each)), key=_area, default=image)
    selection = Selection(image=image, overviews=[], mask=None, overview_masks=[], notes=[])
    if image is not chain[0]:
        selection.notes.append("the first image of the file is not its largest")
    related = [*chain, *below.get(image.offset, ())] if below else chain
    for each in related:
        if each is not image:
            _sort_in(each, selection)
    selection.overviews.sort(key=_area, reverse=True)
    selection.overview_masks = [None] * len(selection.overviews)
    for each in related:
        if _kind(each) & (_MASK | _REDUCED) == _MASK | _REDUCED:
            _pair(each, selection)
    del selection.notes[_NOTES:]
    return selection


def _kind(directory: Directory) -> int:
    """Return the bits of `_REDUCED` and `_MASK` that hold."""
    scalars = directory.scalars
    return (scalars.subfile_type & (_REDUCED | _MASK)) | (scalars.old_subfile_type == _OLD_REDUCED)


def _area(directory: Directory) -> int:
    return directory.scalars.width * directory.scalars.height


def _size(directory: Directory) -> tuple[int, int]:
    return directory.scalars.width, directory.scalars.height


def _sort_in(each: Directory, selection: Selection) -> None:
    """Take in `each` if it is a reduced image or the mask of the image."""
    kind, image = _kind(each), selection.image
    name = f"image of {each.scalars.width} x {each.scalars.height}"
    if kind == _REDUCED:
        smaller = each.scalars.width <= image.scalars.width
        smaller = smaller and each.scalars.height <= image.scalars.height
        if smaller and each.scalars.samples_per_pixel == image.scalars.samples_per_pixel:
            selection.overviews.append(each)
        else:
            selection.notes.append(f"reduced {name} passed over: it does not fit the full one")
    elif kind == _MASK:
        if selection.mask is None and _size(each) == _size(image):
            selection.mask = each
        else:
            selection.notes.append(f"mask, an {name}, passed over: not of the image's size")
    elif not kind:
        selection.notes.append(f"a further {name} passed over")


def _pair(mask: Directory, selection: Selection) -> None:
    """Give `mask` to the overview of its size that has none."""
    for at, overview in enumerate(selection.overviews):
        if selection.overview_masks[at] is None and _size(overview) == _size(mask):
            selection.overview_masks[at] = mask
            return
    selection.notes.append("mask of a reduced image passed over: no overview is of its size")
