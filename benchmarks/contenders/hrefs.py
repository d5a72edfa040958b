"""The hrefs of a table, for contenders that take a list."""

import pyarrow.parquet as pq


def hrefs_of(table: str) -> list[str]:
    """Return the href of every asset of every row."""
    assets = pq.read_table(table, columns=["assets"])["assets"].combine_chunks()
    return [href for asset in assets.flatten() for href in asset.field("href").to_pylist()]
