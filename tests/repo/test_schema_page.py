"""The contract's page names every field and code there is, in order, and no others."""

import pyarrow as pa
import pytest

from rasteret_assets.contract.bands import BAND_METADATA, MASK, OVERVIEW
from rasteret_assets.contract.problems import PROBLEMS
from rasteret_assets.errors import ProblemCode
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "schema-contract.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """The cells of each row of the table that follows the comment `heading`."""
    _, _, rest = PAGE.partition(f"<!-- {heading}, in order -->")
    table, _, _ = rest.partition("<!-- end of")
    lines = [line.strip().strip("|") for line in table.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.split("|")] for line in lines]


def names(heading: str) -> list[str]:
    return [row[0].strip("`") for row in rows(heading)]


@pytest.mark.parametrize(
    ("heading", "fields"),
    [
        ("fields of BAND_METADATA", list(BAND_METADATA)),
        ("fields of OVERVIEW", list(OVERVIEW)),
        ("fields of PROBLEMS", list(PROBLEMS)),
    ],
)
def test_every_field_has_its_row(heading: str, fields: list[pa.Field]) -> None:
    assert names(heading) == [field.name for field in fields]


@pytest.mark.parametrize(
    ("heading", "fields"),
    [
        ("fields of BAND_METADATA", list(BAND_METADATA)),
        ("fields of OVERVIEW", list(OVERVIEW)),
        ("fields of PROBLEMS", list(PROBLEMS)),
    ],
)
def test_every_type_is_told_as_it_is(heading: str, fields: list[pa.Field]) -> None:
    said = [row[1].strip("`") for row in rows(heading)]
    assert said == [_spelled(field.type) for field in fields]


def test_masks_have_the_fields_of_overviews_but_their_mask() -> None:
    assert [field.name for field in MASK] == names("fields of OVERVIEW")[:-1]


def test_every_code_has_its_row() -> None:
    assert names("members of ProblemCode") == [code.value for code in ProblemCode]


def test_the_codes_that_can_heal_are_marked() -> None:
    marked = {row[0].strip("`") for row in rows("members of ProblemCode") if row[3] == "yes"}
    assert marked == {code.value for code in ProblemCode if code.can_heal}


def _spelled(kind: pa.DataType) -> str:
    """The type as the page writes it: what a struct holds is told elsewhere."""
    if pa.types.is_list(kind):
        return f"list<{_spelled(kind.value_type)}>"
    return "struct" if pa.types.is_struct(kind) else str(kind).replace("tz=", "")
