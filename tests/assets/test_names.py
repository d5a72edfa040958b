import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rasteret_assets.assets.names import band_of, band_partition, identifier, op_name

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", fullmatch=True)
TRICKY = st.lists(
    st.sampled_from(["a", "_", "-", ".", "dash", "dot", "under"]), min_size=1, max_size=8
).map(lambda parts: "x" + "".join(parts))


@given(name=NAMES | TRICKY)
def test_an_identifier_tells_its_name(name: str) -> None:
    assert _decoded(identifier(name)) == name


@given(names=st.sets(TRICKY, min_size=2, max_size=20))
def test_different_names_have_different_identifiers(names: set[str]) -> None:
    assert len({identifier(name) for name in names}) == len(names)


@given(name=NAMES | TRICKY)
def test_dagster_takes_identifiers_as_groups_and_op_names(name: str) -> None:
    @dg.op(name=op_name(name, "raw_table"))
    def op() -> None: ...

    assert op.name.isascii()
    assert dg.AssetSpec("x", group_name=identifier(name)).group_name == identifier(name)


@given(name=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_]{0,30}", fullmatch=True))
def test_a_name_that_is_an_identifier_stays_as_it_is(name: str) -> None:
    escaped = any(word in name for word in ("_dash_", "_dot_", "_under_"))
    assert escaped or identifier(name) == name


@given(band=st.text(min_size=1))
def test_dagster_takes_every_band_as_a_partition_and_gives_it_back(band: str) -> None:
    key = band_partition(band)
    assert dg.StaticPartitionsDefinition([key]).get_partition_keys() == [key]
    assert not set(key) & set("|,[]")
    assert band_of(key) == band


@given(first=st.text("ab.", min_size=1), last=st.text("ab.", min_size=1))
def test_a_range_of_two_bands_can_be_taken_apart(first: str, last: str) -> None:
    keys = [band_partition(first), band_partition(last)]
    assert "...".join(keys).split("...") == keys


@pytest.mark.parametrize("band", ["B04", "eo:red", "red-edge_1", "nir08", "B 8A", "rouge é"])
def test_usual_band_names_are_their_own_partition_keys(band: str) -> None:
    assert band_partition(band) == band


def _decoded(text: str) -> str:
    """Read an identifier from left to right, as a person would who knows the three words."""
    words = {
        "_dash_": "-",
        "_dot_": ".",
        "_under_": "_",
    }
    name = ""
    while text:
        word = next((word for word in words if text.startswith(word)), None)
        name += text[0] if word is None else words[word]
        text = text[1:] if word is None else text.removeprefix(word)
    return name
