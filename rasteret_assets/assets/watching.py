"""What there is to take in: how the files of a source differ from those a workspace holds."""

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Final

from rasteret_assets.contract.spec import digest
from rasteret_assets.storage import Manifest, SourceFile

TAG: Final = "rasteret_assets"
"""Namespace of the tags of runs that are asked for."""

_SETTLED: Final = f"{TAG}/settled_before"
_NAMED: Final = 3
"""Files that a tag names, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCursor:
    """What the source sensor remembers.

    Not the listing, which may have ten thousand files and would be stored with every tick.
    """

    listing: str = ""
    """Digest of the files last asked a run for."""
    declaration: str = ""
    """Digest of what was declared then."""
    runs: int = 0
    """Runs asked for so far: a listing that comes back is a change all the same."""
    asked: str = ""
    """Key of the run last asked for."""
    failures: int = 0
    """How often that was asked for again, as it had failed."""

    @classmethod
    def of(cls, text: str | None) -> "SourceCursor":
        """Return the cursor that `text`, from an earlier tick, says."""
        return cls(**json.loads(text)) if text else cls()

    def text(self) -> str:
        """Return the cursor as JSON."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceListing:
    """The files of a source at one moment, those apart that may still be being written."""

    settled: Mapping[str, str]
    """URI to identity."""
    unsettled: tuple[str, ...]
    """URIs of files that changed after `before_ns`."""
    before_ns: int
    """Nanoseconds since 1970."""

    @classmethod
    def of(cls, sources: Sequence[SourceFile], quiet_s: float) -> "SourceListing":
        """Return `sources` as they are now; a file settles `quiet_s` after its last change."""
        before = time.time_ns() - int(quiet_s * 1e9)
        return cls(
            settled={one.uri: one.identity for one in sources if one.settled(before)},
            unsettled=tuple(one.uri for one in sources if not one.settled(before)),
            before_ns=before,
        )

    def takeable(self, taken: Manifest | None) -> dict[str, str]:
        """Return what a run may take, URI to identity: of unsettled files, what it has already."""
        held = {} if taken is None else {f.source: f.identity for f in taken.fragments}
        kept = {uri: held[uri] for uri in self.unsettled if uri in held}
        return {**self.settled, **kept}

    def tags(self) -> dict[str, str]:
        """Return the tags that make a run take files that are settled now, and no others."""
        seconds, nanoseconds = divmod(self.before_ns, 1_000_000_000)
        moment = datetime.fromtimestamp(seconds, UTC)
        return {_SETTLED: f"{moment:%Y-%m-%dT%H:%M:%S}.{nanoseconds:09}Z"}


def settled_before(tags: Mapping[str, str]) -> float:
    """Return the moment that a run's tags say, as `SourceListing.tags` wrote it.

    In nanoseconds since 1970; of a run that says nothing infinity: it takes all there is.
    """
    if _SETTLED not in tags:
        return math.inf
    moment, nanoseconds = tags[_SETTLED].removesuffix("Z").split(".")
    seconds = datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()
    return int(seconds) * 1_000_000_000 + int(nanoseconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceChange:
    """How a source differs from what `raw_table` holds."""

    new: tuple[str, ...]
    changed: tuple[str, ...]
    vanished: tuple[str, ...]

    @classmethod
    def between(cls, taken: Manifest | None, found: Mapping[str, str]) -> "SourceChange":
        """Return the change from the fragments of `taken` to `found`, URI to identity."""
        known = {} if taken is None else {f.source: f.identity for f in taken.fragments}
        return cls(
            new=tuple(uri for uri in found if uri not in known),
            changed=tuple(uri for uri in found if uri in known and known[uri] != found[uri]),
            vanished=tuple(uri for uri in known if uri not in found),
        )

    def __bool__(self) -> bool:
        return bool(self.new or self.changed or self.vanished)

    def tags(self) -> dict[str, str]:
        """Return run tags that say what changed: how many files, and the first few."""
        kinds = {"new": self.new, "changed": self.changed, "vanished": self.vanished}
        return {f"{TAG}/{kind}": names_of(uris) for kind, uris in kinds.items() if uris}


def names_of(uris: Sequence[str]) -> str:
    """Return how many files there are, and the names of the first few.

    Examples
    --------
    >>> names_of(["s3://bucket/a.parquet", "s3://bucket/b.parquet"])
    '2: a.parquet, b.parquet'
    """
    names = ", ".join(uri.rsplit("/", 1)[-1] for uri in uris[:_NAMED])
    return f"{len(uris)}: {names}{', …' if len(uris) > _NAMED else ''}"


def next_cursor(
    name: str, seen: SourceCursor, found: Mapping[str, str], declaration: object
) -> SourceCursor:
    """Return the cursor once a run over the files `found`, URI to identity, is asked for."""
    listing, declared = digest(sorted(found.items())), digest(declaration)
    return SourceCursor(
        listing=listing,
        declaration=declared,
        runs=seen.runs + 1,
        asked=f"{name}:{seen.runs + 1}:{digest(listing, declared)}",
    )
