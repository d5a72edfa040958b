"""Peak memory as the table grows: rows x 2 bands, no latency.

    .venv/bin/python -m benchmarks.memory [--rows 100000,1000000]

A million rows take a quarter of an hour.
"""

import argparse

from benchmarks.agree import found_in
from benchmarks.files import write_files
from benchmarks.headers import FILES, WORK
from benchmarks.server import serving
from benchmarks.table import BANDS, write_table
from benchmarks.turns import Contender, empty, report, run


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="100000,1000000")
    measure([int(rows) for rows in parser.parse_args().rows.split(",")])


def measure(sizes: list[int]) -> None:
    """Build a Collection of each of `sizes` rows."""
    names = write_files(WORK / "files", FILES)
    results = {}
    with serving(WORK / "files", WORK / "nginx", latency_s=0) as server:
        for rows in sizes:
            table = str(write_table(WORK / f"memory-{rows}.parquet", rows, server.url, names))
            arguments = {"table": table, "enrich": "yes"}
            ours = Contender(label=f"{rows:,} rows", script="ours", arguments=arguments)
            workspace = empty(WORK / "workspace" / "memory")
            turn = run(ours, workspace, server)
            found = found_in(workspace / "bench_records", ())
            if turn.count != rows or found["rows"] != rows:
                msg = f"{turn.count} rows, {found['rows']} stored, of {rows}"
                raise SystemExit(msg)
            results[ours.label] = [turn.of(rows * len(BANDS))]
    report(f"memory, rows x {len(BANDS)} bands", results, "headers")


if __name__ == "__main__":
    main()
