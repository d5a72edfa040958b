"""Labels of columns of every type."""

import pyarrow as pa
import pytest

from rasteret_assets.errors import ReadError
from rasteret_assets.reads.labels import labels_of


@pytest.mark.parametrize(
    ("column", "numbers", "classes", "kind"),
    [
        pytest.param(pa.array(["b", "a", "b"]), [1, 0, 1], ("a", "b"), "int64", id="text"),
        pytest.param(
            pa.array(["b", "a", "b"]).dictionary_encode(), [1, 0, 1], ("a", "b"), "int64", id="dict"
        ),
        pytest.param(
            pa.array(["é", "z"], pa.large_string()), [1, 0], ("z", "é"), "int64", id="utf"
        ),
        pytest.param(pa.array([7, 3], pa.uint8()), [7, 3], (), "int64", id="integers"),
        pytest.param(pa.array([True, False]), [1, 0], (), "int64", id="truth"),
        pytest.param(pa.array([0.5, 2.0]), [0.5, 2.0], (), "float32", id="fractions"),
    ],
)
def test_labels_are_numbers_with_their_meaning(
    column: pa.Array, numbers: list[float], classes: tuple[str, ...], kind: str
) -> None:
    found = labels_of(pa.chunked_array([column[:1], column[1:]]), "label")
    assert found.numbers.tolist() == numbers
    assert found.classes == classes
    assert found.numbers.dtype == kind


def test_other_types_and_missing_labels_are_refused() -> None:
    with pytest.raises(ReadError, match="1 of 2 records have no 'kind'"):
        labels_of(pa.chunked_array([["a", None]]), "kind")
    with pytest.raises(ReadError, match="labels are text, numbers"):
        labels_of(pa.chunked_array([[[1], [2]]]), "kind")
