"""Bytes to headers, the ways tests want them."""

from typing import Any

import pytest

from rasteret_assets.contract.settings import HeaderBudget
from rasteret_assets.errors import ProblemCode, TiffError
from rasteret_assets.tiff import (
    FileIdentity,
    Header,
    HeaderBytes,
    Need,
    band_structs,
    parse_header,
)

BUDGET = HeaderBudget()


def parse(data: bytes, budget: HeaderBudget = BUDGET) -> Header:
    """Return the header of a file held as a whole."""
    held = HeaderBytes(len(data))
    held.add(0, data)
    answer = parse_header(held, budget)
    assert isinstance(answer, Header), answer
    return answer


def parse_in_pieces(
    data: bytes, first: int, budget: HeaderBudget = BUDGET, *, tell_size: bool = True
) -> tuple[Header, list[Need]]:
    """Return the header, read as from a server, and what was asked for after the first read.

    Parameters
    ----------
    first
        Bytes of the first, speculative read.
    tell_size
        Whether the parser knows how long the file is.
    """
    held = HeaderBytes(len(data) if tell_size else None)
    held.add(0, data[:first])
    needs: list[Need] = []
    while isinstance(answer := parse_header(held, budget), Need):
        needs.append(answer)
        for start, stop in answer.ranges:
            assert data[start:stop], f"nothing there: {start} to {stop} of {len(data)}"
            held.add(start, data[start:stop])
    return answer, needs


def struct_of(header: Header, band_index: int | None = None) -> dict[str, Any]:
    """Return the index's struct of one band as a plain dict."""
    structs = band_structs([header], [FileIdentity(href="x.tif")], [band_index])
    structs.validate(full=True)
    (struct,) = structs.to_pylist()
    assert isinstance(struct, dict)
    return struct


def code_of(data: bytes, budget: HeaderBudget = BUDGET) -> ProblemCode:
    """Return the code of the problem that a file is; one that has a header is a failure."""
    with pytest.raises(TiffError) as caught:
        parse(data, budget)
    assert caught.value.detail
    return caught.value.code
