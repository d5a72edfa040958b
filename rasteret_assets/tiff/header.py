"""What a TIFF file's index says, once for the whole file."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rasteret_assets.tiff.georeference import Georeference
from rasteret_assets.tiff.images import Storage
from rasteret_assets.tiff.samples import Samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """The bytes that are lacking to go on."""

    ranges: tuple[tuple[int, int], ...]
    """Half-open byte ranges, ascending, apart from each other, within the file where its size
    is known. Ranges near each other come as one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileIdentity:
    """Which version of which file a header was read from."""

    href: str
    etag: str | None = None
    last_modified: str | None = None
    size: int | None = None
    """Bytes of the whole file."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Header:
    """The index of one file: all its samples and planes.

    Files written alike share the objects that say how (`image`, `samples`, …), so a million
    headers cost little more than their offsets.
    """

    byte_order: Literal["<", ">"]
    """As NumPy writes it."""
    big_tiff: bool
    image: Storage
    """The full-size image."""
    overviews: tuple[Storage, ...]
    """Reduced images, largest first."""
    mask: Storage | None
    overview_masks: tuple[Storage | None, ...]
    """As long as `overviews`."""
    offsets: NDArray[np.int64]
    """Of the tiles of all images: the full-size one, the overviews, the mask, the masks of the
    overviews, each as long as its `tiles`, all planes in the file's order."""
    byte_counts: NDArray[np.int64]
    """As long as `offsets`; 0 where a tile is not stored."""
    samples: Samples
    georeference: Georeference
    gdal_metadata: str | None
    """GDAL_METADATA as it stands, an XML text."""
    structural_metadata: str | None
    """GDAL's structural block: lines of KEY=value."""
    notes: tuple[str, ...]
    """What was passed over or looks odd, in words."""
    prefix_bytes: int
    """How long a prefix of the file would have held everything the index needs."""
    front_bytes: int
    """Likewise, of what lies within the file's first 256 KiB; 0 where it adjoins what does not,
    so that a longer first read spares no request."""
