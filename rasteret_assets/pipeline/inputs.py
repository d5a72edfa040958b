"""What a Collection is zipped from."""

from collections.abc import Mapping
from dataclasses import dataclass

from rasteret_assets.contract.spec import CollectionSpec
from rasteret_assets.pipeline.chunks import header_fingerprint
from rasteret_assets.storage import Fragment, StageTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """The newest records and headers of one collection."""

    spec: CollectionSpec
    remapped: StageTable
    headers: Mapping[str, StageTable]
    """Every band enriched so far, in the order of their columns."""

    @property
    def fragments(self) -> list[Fragment]:
        """The records' fragments, by source file."""
        return sorted(self.remapped.manifest.fragments, key=lambda one: one.source)

    def header_fragment(self, band: str, of: Fragment) -> Fragment | None:
        """Return the headers of `band` for the records of fragment `of`, if there are any."""
        fingerprint = header_fingerprint(self.spec)
        for fragment in self.headers[band].manifest.fragments:
            if fragment.identity == of.id and fragment.fingerprint == fingerprint:
                return fragment
        return None
