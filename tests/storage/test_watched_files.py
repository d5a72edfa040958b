"""A process that has read through Python ends in peace, whatever Arrow's threads still do."""

import subprocess
import sys
from typing import Final

import pytest

_READS: Final = """
import io, sys, time
import pyarrow as pa, pyarrow.dataset as ds, pyarrow.parquet as pq
from fsspec.implementations.memory import MemoryFileSystem
from rasteret_assets.storage.datasets import arrow_filesystem

class SlowFile(io.BytesIO):
    def read(self, size=-1, /):
        time.sleep(0.02)
        return super().read(size)

class SlowFileSystem(MemoryFileSystem):
    def _open(self, path, mode="rb", **options):
        if mode != "rb":
            return super()._open(path, mode, **options)
        return SlowFile(self.store[path].getvalue())

fs = SlowFileSystem()
for n in range(8):
    data = io.BytesIO()
    pq.write_table(pa.table({"x": list(range(4000))}), data, row_group_size=500)
    fs.pipe_file(f"/{n}.parquet", data.getvalue())
files = [f"/{n}.parquet" for n in range(8)]
rows = ds.dataset(files, filesystem=arrow_filesystem(fs))
"""


@pytest.mark.parametrize(
    "ends",
    [
        "print(rows.head(3).num_rows)",
        "print(rows.to_table().num_rows)",
        "left = rows.to_batches(); print(next(left).num_rows)",
    ],
)
def test_a_process_ends_well_right_after_reading(ends: str) -> None:
    for _ in range(3):
        ended = subprocess.run(
            [sys.executable, "-c", _READS + ends],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (ended.returncode, ended.stderr) == (0, "")
        assert int(ended.stdout) > 0
