import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rasteret_assets.stages.ids import IdState, id_text, is_id


@pytest.mark.parametrize(
    ("column", "wanted"),
    [
        (pa.array(["a", None, "", "  ", " b "]), ["a", None, None, None, " b "]),
        (pa.array(["a", "a"]).dictionary_encode(), ["a", "a"]),
        (pa.array([7, None], pa.int64()), ["7", None]),
        (pa.array(["x"], pa.large_string()), ["x"]),
        (pa.nulls(1), [None]),
    ],
    ids=["text", "dictionary", "numbers", "large", "null"],
)
def test_ids_are_text_and_blanks_are_none(column: pa.Array, wanted: list[str | None]) -> None:
    assert is_id(pa.field("id", column.type))
    assert id_text(column).to_pylist() == wanted


@pytest.mark.parametrize("kind", [pa.float64(), pa.binary(), pa.struct([]), pa.bool_()], ids=str)
def test_other_types_are_no_ids(kind: pa.DataType) -> None:
    assert not is_id(pa.field("id", kind))


pairs = st.tuples(st.sampled_from(["s2", "l8", None]), st.text("ab1", max_size=4))


@given(st.lists(st.lists(pairs, max_size=12), max_size=6))
def test_repeats_over_batches_are_those_a_python_set_finds(
    batches: list[list[tuple[str | None, str]]],
) -> None:
    state = IdState()
    seen: set[tuple[str | None, str]] = set()
    for batch in batches:
        ids = pa.array([one for _, one in batch], pa.string())
        collections = pa.array([one for one, _ in batch], pa.string())
        wanted = []
        for pair in batch:
            wanted.append(pair in seen)
            seen.add(pair)
        assert state.repeats(ids, collections).tolist() == wanted


def test_one_id_in_two_collections_is_two_records() -> None:
    ids = pa.array(["same", "same", "same"])
    assert IdState().repeats(ids, pa.array(["a", "b", "a"])).tolist() == [False, False, True]
    assert IdState().repeats(ids, None).tolist() == [False, True, True]


def test_slices_of_a_column_are_read_where_they_begin() -> None:
    ids = pa.array(["x", "y", "x", "z"])
    assert IdState().repeats(ids.slice(1), None).tolist() == [False, False, False]


def test_a_million_different_ids_repeat_nothing_and_take_little_memory() -> None:
    state = IdState()
    numbers = np.arange(1_000_000)
    for part in np.array_split(numbers, 60):
        assert not state.repeats(pa.array(part).cast(pa.string()), None).any()
    again = pa.array(numbers[::1000]).cast(pa.string())
    assert state.repeats(again, None).all()
    held = sum(run.nbytes for run in state._runs)
    assert held == 8 * 1_000_000
    assert len(state._runs) <= 20
