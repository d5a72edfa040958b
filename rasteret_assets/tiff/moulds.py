"""The moulds of the files met so far: one file is parsed, others are told by their bytes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from rasteret_assets.contract.settings import HeaderBudget
from rasteret_assets.tiff.directories import Directory
from rasteret_assets.tiff.family import Family
from rasteret_assets.tiff.header import Header
from rasteret_assets.tiff.header_bytes import HeaderBytes
from rasteret_assets.tiff.moulding import Trace, mould_of

if TYPE_CHECKING:
    from rasteret_assets.tiff.mould import Mould

_KEY_BYTES: Final = 8
"""Magic number, and (classic TIFF) where the first directory is."""
_KEYS: Final = 64
_MOULDS_PER_KEY: Final = 4
_LARGEST: Final = 64 << 10
"""Bytes of an index that is remembered."""
_VAIN: Final = 16
"""Moulds made without use after which they are made seldom."""
_SELDOM: Final = 64


class Moulds:
    """The moulds in use, the newest of each beginning first; safe to share by threads.

    Where files have nothing in common, which shows by moulds that never fit, they are made
    for one file in `_SELDOM` only.
    """

    def __init__(self) -> None:
        self._of: dict[bytes, tuple[Mould, ...]] = {}
        self._vain = 0
        self._passed = 0

    def cast(self, data: HeaderBytes, budget: HeaderBudget) -> Header | None:
        """Return the header of a file that a mould fits, else None.

        Raises
        ------
        TiffError
            As `parse_header` would.
        """
        prefix = data.prefix
        for mould in self._of.get(prefix[:_KEY_BYTES], ()):
            if mould.fits(prefix, budget):
                self._vain = max(0, self._vain - 1)
                return mould.cast(prefix, data.size)
        return None

    def wants(self, header: Header, data: HeaderBytes) -> bool:
        """Whether to make a mould of the file with this header, which none has fitted."""
        if header.prefix_bytes > min(len(data.prefix), _LARGEST):
            return False
        if self._vain < _VAIN:
            return True
        self._passed += 1
        return self._passed % _SELDOM == 0

    def keep(
        self, header: Header, directories: Sequence[Directory], family: Family, trace: Trace
    ) -> None:
        """Make a mould of the file that was parsed through `trace`, if it lends itself."""
        self._vain += 1
        prefix = trace.prefix
        mould = mould_of(header, directories, family, trace)
        if mould is None:
            return
        key = prefix[:_KEY_BYTES]
        if key not in self._of and len(self._of) >= _KEYS:
            self._of.pop(next(iter(self._of)), None)
        self._of[key] = (mould, *self._of.get(key, ()))[:_MOULDS_PER_KEY]
