"""Source files that cannot be read, among others that can."""

from collections.abc import Callable, Sequence
from typing import Final

import pyarrow as pa

from rasteret_assets.contract.problems import PROBLEMS
from rasteret_assets.contract.spec import digest
from rasteret_assets.contract.tables import StageBatch
from rasteret_assets.errors import ProblemCode, SourceError
from rasteret_assets.stages import FactKeeper
from rasteret_assets.storage import Fragment, FragmentDraft, Manifest

_DETAIL_FACT: Final = "unreadable"
_MARK: Final = " unreadable"
"""Ends the identity of what stands for a problem, in every stage."""
_KEPT: Final = "; its rows are those of the last time it could be read"


class Unreadable:
    """What stands for such files: what was made of them before, and a problem.

    Parameters
    ----------
    fingerprint
        That of the stage. What was made under another one, by other arguments, does not stay.
    base
        The state before, if there was one.
    facts
        What every fragment of the stage has among its facts, besides a `FactKeeper`'s.
    """

    def __init__(self, fingerprint: str, base: Manifest | None, facts: dict[str, object]) -> None:
        self.errors: list[SourceError] = []
        """Of the files met so far."""
        self._fingerprint = fingerprint
        self._of_problem = digest("unreadable", fingerprint)
        self._base = () if base is None else base.fragments
        self._facts = facts

    def stand_in(
        self, source: str, identity: str
    ) -> Callable[[SourceError], Sequence[Fragment | FragmentDraft]]:
        """Return what says, given the error, which fragments stand for one version of a file."""

        def fragments(error: SourceError) -> list[Fragment | FragmentDraft]:
            self.errors.append(error)
            known = [one for one in self._base if one.source == source]
            good = [one for one in known if self._is_good(one)]
            detail = f"{error}{_KEPT if good else ''}"
            told = (one for one in known if one.facts.get(_DETAIL_FACT) == detail)
            same = next((one for one in told if one.fingerprint == self._of_problem), None)
            return [*good, same or self._problem(source, identity, detail)]

        return fragments

    def _is_good(self, one: Fragment) -> bool:
        return one.fingerprint == self._fingerprint and not one.identity.endswith(_MARK)

    def _problem(self, source: str, identity: str, detail: str) -> FragmentDraft:
        """Return a fragment without rows; never that of the file, once it can be read."""
        said = {
            "source_file": source,
            "code": ProblemCode.SOURCE_UNREADABLE.value,
            "detail": detail,
        }
        problems = pa.Table.from_pylist([said], schema=PROBLEMS)
        batch = StageBatch(rows=pa.table({}), problems=problems)
        keeper = FactKeeper()
        keeper.add(batch)
        return FragmentDraft(
            source=source,
            identity=identity + _MARK,
            fingerprint=self._of_problem,
            batches=[batch],
            facts=lambda: {**keeper.facts(), **self._facts, _DETAIL_FACT: detail},
        )
