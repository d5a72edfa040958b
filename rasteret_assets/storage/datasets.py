"""Files on any storage, as pyarrow datasets read them."""

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs as pafs
from fsspec.spec import AbstractFileSystem

from rasteret_assets.errors import WorkspaceError
from rasteret_assets.storage.filesystems import STORE_ERRORS, is_local
from rasteret_assets.storage.sources import tables_below
from rasteret_assets.storage.watched_files import open_watched


def arrow_filesystem(fs: AbstractFileSystem) -> pafs.FileSystem:
    """Return `fs` as Arrow sees it; files are read exactly where Arrow asks to."""
    if is_local(fs):
        return pafs.LocalFileSystem()
    return pafs.PyFileSystem(_ExactReads(fs))


class _ExactReads(pafs.FSSpecHandler):  # type: ignore[misc]  # pyarrow has no types
    """Arrow knows which ranges it needs, and joins them itself."""

    def open_input_file(self, path: str) -> pa.PythonFile:
        return pa.PythonFile(open_watched(self.fs, path), mode="r")


def foreign_dataset(fs: AbstractFileSystem, path: str, url: str) -> ds.Dataset:
    """Return the Parquet files at or below `path` as one hive-partitioned dataset.

    Its schema has the columns of all files; partition columns of whole numbers are int32.

    Raises
    ------
    WorkspaceError
        If there is none, or one cannot be read. `url` names the place.
    """
    files = [entry.path for entry in tables_below(fs, path)]
    if not files:
        msg = f"{url}: no Collection here; check the name or path"
        raise WorkspaceError(msg)
    options = ds.FileSystemFactoryOptions(
        partition_base_dir=path, partitioning=ds.HivePartitioning.discover()
    )
    kind = ds.ParquetFileFormat()
    try:
        factory = ds.FileSystemDatasetFactory(arrow_filesystem(fs), files, kind, options)
        return factory.finish(factory.inspect(promote_options="permissive", fragments=None))
    except (*STORE_ERRORS, pa.ArrowException) as error:
        msg = f"{url}: cannot be opened ({error}); a file may be damaged, or not be Parquet"
        raise WorkspaceError(msg) from error
