"""What files written alike share, and how one is told from its bytes.

The files of an archive differ in where their tiles lie, where on earth they are and what
GDAL's metadata says of them. All other bytes of their index are often the same, pointers
included. A mould keeps these of one file; whatever agrees with them has the same header, but
for the rest, which is read from where it stands.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rasteret_assets.contract.settings import HeaderBudget
from rasteret_assets.tiff.family import Family
from rasteret_assets.tiff.georeference import georeference_of
from rasteret_assets.tiff.header import Header
from rasteret_assets.tiff.images import Value
from rasteret_assets.tiff.tile_index import check_tiles

Span = tuple[int, int]
"""First byte of a file, and the one behind the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Numbers of one type, in several places."""

    dtype: np.dtype[np.generic]
    spans: tuple[Span, ...]

    def read(self, prefix: bytes) -> NDArray[np.int64]:
        """Return the numbers that a file has there."""
        data = b"".join([prefix[start:stop] for start, stop in self.spans])
        # beyond 2^63 the numbers turn negative, which `check_tiles` refuses
        return np.frombuffer(data, self.dtype).astype(np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mould:
    """What the files of a kind share."""

    budget: HeaderBudget
    """Under which the first one was parsed."""
    header: Header
    """Of the first one."""
    family: Family
    fixed: tuple[tuple[int, int, bytes], ...]
    """Spans, and what stands there."""
    offsets: tuple[Run, ...]
    byte_counts: tuple[Run, ...]
    georeference: tuple[tuple[int, str, int, int], ...]
    """Tags, their types, and where their values stand."""
    gdal_metadata: Span | None

    def fits(self, prefix: bytes, budget: HeaderBudget) -> bool:
        """Whether a file that begins with `prefix` is of this kind, its index held whole."""
        if len(prefix) < self.header.prefix_bytes or budget != self.budget:
            return False
        return all(prefix[start:stop] == known for start, stop, known in self.fixed)

    def cast(self, prefix: bytes, size: int | None) -> Header:
        """Return the header of such a file.

        Raises
        ------
        TiffError
            As `parse_header` would.
        """
        offsets, byte_counts = _numbers(self.offsets, prefix), _numbers(self.byte_counts, prefix)
        check_tiles(self.family, offsets, byte_counts, size)
        header, text = self.header, self.gdal_metadata
        places = tuple(
            [Value(tag, code, prefix[start:stop]) for tag, code, start, stop in self.georeference]
        )
        return Header(
            byte_order=header.byte_order,
            big_tiff=header.big_tiff,
            image=header.image,
            overviews=header.overviews,
            mask=header.mask,
            overview_masks=header.overview_masks,
            offsets=offsets,
            byte_counts=byte_counts,
            samples=header.samples,
            georeference=georeference_of(header.byte_order, places),
            gdal_metadata=None if text is None else text_of(prefix[text[0] : text[1]]),
            structural_metadata=header.structural_metadata,
            notes=header.notes,
            prefix_bytes=header.prefix_bytes,
            front_bytes=header.front_bytes,
        )


def text_of(data: bytes) -> str:
    """Return the value of an ASCII tag, up to its first NUL."""
    return data.partition(b"\0")[0].decode("utf-8", "replace")


def _numbers(runs: tuple[Run, ...], prefix: bytes) -> NDArray[np.int64]:
    if len(runs) == 1:
        return runs[0].read(prefix)
    return np.concatenate([run.read(prefix) for run in runs])
