"""What a Collection is zipped from."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from rasteret_assets.contract.spec import CollectionSpec
from rasteret_assets.pipeline.pieces import header_fingerprint
from rasteret_assets.pipeline.recent import Recent
from rasteret_assets.storage import Fragment, StageTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """The newest records and headers of one collection."""

    spec: CollectionSpec
    remapped: StageTable
    headers: Mapping[str, StageTable]
    """Every band enriched so far, in the order of their columns."""
    recent: Recent | None = None
    """What this process has made itself."""

    _of: Mapping[str, Mapping[str, Fragment]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        fingerprint = header_fingerprint(self.spec)
        found = {
            band: {
                one.identity: one
                for one in table.manifest.fragments
                if one.fingerprint == fingerprint
            }
            for band, table in self.headers.items()
        }
        object.__setattr__(self, "_of", found)

    @property
    def fragments(self) -> list[Fragment]:
        """The records' fragments, by source file."""
        return sorted(self.remapped.manifest.fragments, key=lambda one: one.source)

    def recent_rows(self, fragment: Fragment) -> pa.Table | None:
        """Return the records of `fragment` if they are at hand, and need not be read."""
        if self.recent is None:
            return None
        return self.recent.records.rows(fragment, self.remapped.schema)

    def recent_headers(self, band: str, headers: Fragment) -> pa.ChunkedArray | None:
        """Return the headers of a fragment if they are at hand, and need not be read."""
        return None if self.recent is None else self.recent.headers.rows(band, headers)

    def header_fragment(self, band: str, of: Fragment) -> Fragment | None:
        """Return the headers of `band` for the records of fragment `of`, if there are any."""
        return self._of[band].get(of.id)
