"""What DuckDB, which shares no code with us, says of files."""

from collections.abc import Mapping

import duckdb
import pyarrow as pa


def query(sql: str, values: Mapping[str, object] | None = None, **tables: pa.Table) -> pa.Table:
    """Return what `sql` gives for `$name` in `values`, over `tables` by name."""
    with duckdb.connect() as db:
        for name, table in tables.items():
            db.register(name, table)
        found = db.sql(sql, params=dict(values or {}))
        assert found is not None
        return found.to_arrow_table()
