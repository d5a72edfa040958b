"""Pieces of work that bring headers, and what each brought.

A piece is a range of rows of one remapped fragment, for all bands of the run, so that a file
which bands or rows share is fetched once. Each piece writes one file per band; a band's
fragment is the list of its pieces' files, so committing it copies nothing. A piece's file name
follows from what it is made of: work that a killed run left on disk is found, not repeated.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from rasteret_assets.contract.settings import Retry
from rasteret_assets.contract.spec import CollectionSpec, digest
from rasteret_assets.storage import Fragment

HEADERS_VERSION = 1
"""Raised when the same file would give another header."""

RANGES_FACT = "ranges"
"""Fact of a header fragment: its files, the rows each covers, and their problems."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BandRange:
    """The headers of one band for the rows `start` to `stop` of a fragment, in one file."""

    start: int
    stop: int
    file: str
    decoded_bytes: int
    """That its rows take in memory."""
    problems: Mapping[str, int]
    """Rows without a header, by problem code."""
    examples: Sequence[Mapping[str, object]] = ()
    """A few of them: `id`, `source_row`, `code`, `detail`, `href`."""
    rounds: int = 1
    """Runs that have asked for its headers, or for those it lacked."""

    @property
    def headers(self) -> int:
        """Rows that have one."""
        return self.stop - self.start - sum(self.problems.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Rows of one fragment whose headers one piece of work brings."""

    fragment_id: str
    start: int
    stop: int
    files: Mapping[str, str]
    """Band to the file its headers go to."""
    retry: Retry
    fresh: bool
    """Whether headers known already are fetched all the same."""
    rounds: int = 1
    """Runs that will then have asked for them."""

    @property
    def headers(self) -> int:
        """Records x bands."""
        return (self.stop - self.start) * len(self.files)

    def to_json(self) -> dict[str, object]:
        """Return the piece as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> "Piece":
        """Return the piece that `to_json` gave `value` for."""
        return cls(**{**value, "retry": Retry(str(value["retry"]))})  # type: ignore[arg-type]  # keys and types are to_json's


@dataclass(frozen=True, slots=True, kw_only=True)
class PieceDone:
    """What a piece brought."""

    fragment_id: str
    ranges: Mapping[str, BandRange]
    """Band to its range."""
    requests: int = 0
    bytes_fetched: int = 0
    seconds: float = 0.0

    def to_json(self) -> dict[str, object]:
        """Return the summary as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> "PieceDone":
        """Return the summary that `to_json` gave `value` for."""
        ranges = {band: BandRange(**found) for band, found in value["ranges"].items()}  # type: ignore[attr-defined]  # a mapping, as to_json wrote it
        return cls(**{**value, "ranges": ranges})  # type: ignore[arg-type]  # keys and types are to_json's


def header_fingerprint(spec: CollectionSpec) -> str:
    """Return what decides a header, besides the record and the file themselves."""
    return digest("headers", HEADERS_VERSION, spec.base_uri)


def ranges_of(fragment: Fragment) -> tuple[BandRange, ...]:
    """Return the ranges that make up a header fragment."""
    found = fragment.facts[RANGES_FACT]
    return tuple(BandRange(**one) for one in found)
