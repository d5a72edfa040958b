"""One file's header: a speculative first read, then what the parser still lacks."""

import asyncio
from typing import Final

from rasteret_assets.contract.settings import HeaderBudget
from rasteret_assets.errors import FetchError, ProblemCode
from rasteret_assets.fetch.body import Body
from rasteret_assets.fetch.coalesce import coalesce
from rasteret_assets.fetch.reader import RangeReader
from rasteret_assets.fetch.target import Target
from rasteret_assets.tiff import WORTH_A_REQUEST, Header, HeaderBytes, Need, parse_header

_GAP: Final = 64 << 10
"""Bytes read in vain rather than asking twice."""
_GOAL: Final = 3
"""Requests of one header, beyond which more is read in vain rather than asking again."""
_STARTS: Final = 3
"""Times a header is begun, where the file changes in between."""


async def fetch_header(
    reader: RangeReader, target: Target, first_read: int, budget: HeaderBudget
) -> tuple[Header, Body]:
    """Return the header of `target`, and the answer to the first read (for its identity).

    Raises
    ------
    FetchError
        Where bytes could not be had, the file kept changing, or OVER_BUDGET.
    TiffError
        Where the bytes are no header that can be indexed.
    """
    for _ in range(_STARTS):
        body = await reader.read_range(target, 0, first_read)
        known = HeaderBytes(size=body.size)
        known.add(0, bytes(body.data))
        found = parse_header(known, budget)
        while isinstance(found, Need):
            if not await _fill(reader, target, known, found, body, budget):
                break
            found = parse_header(known, budget)
        else:
            return found, body
    raise FetchError(ProblemCode.FILE_CHANGED, "the file changed while its header was read")


async def _fill(
    reader: RangeReader,
    target: Target,
    known: HeaderBytes,
    need: Need,
    first: Body,
    budget: HeaderBudget,
) -> bool:
    """Fetch what is lacking into `known`; return whether the file is still the same."""
    ranges = coalesce(need.ranges, _GAP)
    if known.reads + len(ranges) > _GOAL:
        ranges = coalesce(need.ranges, WORTH_A_REQUEST)
    _check(ranges, known, budget)
    if len(ranges) == 1:
        bodies = [await reader.read_range(target, *ranges[0])]
    else:
        bodies = await _all(reader, target, ranges)
    for (start, _), body in zip(ranges, bodies, strict=True):
        if not body.is_of_same_file(first):
            return False
        known.add(start, bytes(body.data))
    return True


async def _all(reader: RangeReader, target: Target, ranges: list[tuple[int, int]]) -> list[Body]:
    """Read several ranges at once; the first failure is the file's."""
    reads = (reader.read_range(target, start, stop) for start, stop in ranges)
    bodies: list[Body] = []
    for outcome in await asyncio.gather(*reads, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
        bodies.append(outcome)
    return bodies


def _check(ranges: list[tuple[int, int]], known: HeaderBytes, budget: HeaderBudget) -> None:
    wanted = sum(stop - start for start, stop in ranges)
    if known.reads + len(ranges) > budget.requests:
        detail = f"the header needs more than {budget.requests} requests"
        raise FetchError(ProblemCode.OVER_BUDGET, detail)
    if known.held + wanted > budget.total_bytes:
        detail = f"the header needs {known.held + wanted} bytes, over {budget.total_bytes}"
        raise FetchError(ProblemCode.OVER_BUDGET, detail)
