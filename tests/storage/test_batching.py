import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from rasteret_assets.contract.settings import BuildSettings
from rasteret_assets.storage.batching import rebatch


@settings(deadline=None)  # busy machines are slow, not wrong
@given(
    lengths=st.lists(st.lists(st.integers(0, 50), max_size=8), max_size=5),
    batch_rows=st.integers(1, 9),
    batch_bytes=st.integers(1, 120),
)
def test_batches_hold_the_same_rows_and_keep_both_limits(
    lengths: list[list[int]], batch_rows: int, batch_bytes: int
) -> None:
    schema = pa.schema([("values", pa.list_(pa.int64()))])
    tables = [pa.table([[list(range(count)) for count in part]], schema=schema) for part in lengths]
    limits = BuildSettings(batch_rows=batch_rows, batch_bytes=batch_bytes)
    batches = list(rebatch(tables, limits))
    found = [row for batch in batches for row in batch["values"].to_pylist()]
    assert found == [list(range(count)) for part in lengths for count in part]
    for batch in batches:
        assert 1 <= batch.num_rows <= batch_rows
        assert batch.num_rows == 1 or batch.nbytes <= batch_bytes


def test_one_heavy_row_among_light_ones_does_not_make_all_batches_small() -> None:
    weights = [1] * 1_000 + [20_000] + [1] * 1_000
    table = pa.table({"values": pa.array([[0] * count for count in weights])})
    limits = BuildSettings(batch_rows=1_000, batch_bytes=100_000)
    sizes = [batch.num_rows for batch in rebatch([table], limits)]
    assert sum(sizes) == 2_001
    assert 1 in sizes
    assert len(sizes) < 40
