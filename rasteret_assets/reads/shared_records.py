"""Records of an index that the processes of a machine share."""

import os
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rasteret_assets.errors import ReadError
from rasteret_assets.reads.headers import BandHeaders, band_headers
from rasteret_assets.reads.records import Record, crs_of_records, images_of, utc_times_of


class SharedRecords:
    """Rows of an index in a file that every process maps into its memory.

    A pickle holds the file's name alone, so that giving the records to a worker costs next to
    nothing, and workers take no memory of their own for them. The file goes with the object
    that wrote it, or when the process that made that ends.
    """

    def __init__(self, table: pa.Table, bands: Sequence[str]) -> None:
        folder = tempfile.mkdtemp(prefix="rasteret_assets-")
        weakref.finalize(self, _remove, folder, os.getpid())
        path = str(Path(folder) / "rows.arrow")
        with pa.OSFile(path, "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table.combine_chunks())
        self.__setstate__((path, tuple(bands)))

    def __getstate__(self) -> tuple[str, tuple[str, ...]]:
        return self._path, self.bands

    def __setstate__(self, state: tuple[str, tuple[str, ...]]) -> None:
        self._path, self.bands = state
        try:
            self._table = pa.ipc.open_file(pa.memory_map(self._path)).read_all()
        except FileNotFoundError as error:
            msg = (
                f"{self._path} is gone: a pickled dataset opens on the machine where it was made, "
                "while the process that made it lives; elsewhere, make it anew"
            )
            raise ReadError(msg) from error

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self  # nothing changes it, and a copy would lose the file when this one goes

    @cached_property
    def headers(self) -> list[BandHeaders]:
        """Those of each band, a row per record."""
        return [band_headers(self._table, band) for band in self.bands]

    @cached_property
    def times(self) -> NDArray[np.datetime64]:
        """Of each record, in UTC."""
        return utc_times_of(self._table["datetime"])

    @cached_property
    def crs(self) -> list[str | None]:
        """What each record says its files are in."""
        return crs_of_records(self._table)

    def record(self, row: int) -> Record:
        """Return the record of a row, with the images of all bands.

        Raises
        ------
        TiffError
            If one cannot be read.
        """
        name = str(self._table["id"][row].as_py())
        images = images_of(self.headers, row, self.crs[row], name)
        return Record(id=name, time=self.times[row], images=images)


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:  # not a fork, which has inherited the object
        shutil.rmtree(folder, ignore_errors=True)
