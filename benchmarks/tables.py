"""A table to a Collection without headers: scan, check, remap, store.

.venv/bin/python -m benchmarks.tables [--rows 50000] [--turns 5]
"""

import argparse

from benchmarks.agree import check_agreement
from benchmarks.peer import peer_python
from benchmarks.table import write_table
from benchmarks.turns import ROOT, Contender, report, take_turns

WORK = ROOT / ".bench"


def main() -> None:
    """Measure, check that results agree, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--turns", type=int, default=5)
    given = parser.parse_args()
    measure(given.rows, given.turns)


def measure(rows: int, turns: int) -> None:
    """Measure both on a table of `rows` rows."""
    url = "https://archive.example"
    table = str(write_table(WORK / f"tables-{rows}.parquet", rows, url, ["scene.tif"]))
    arguments = {"table": table, "enrich": "no"}
    contenders = [
        Contender(label="ours", script="ours", arguments=arguments),
        Contender(
            label="rasteret", script="rasteret_peer", arguments=arguments, python=peer_python()
        ),
    ]
    workspace = WORK / "workspace"
    results = take_turns(contenders, turns, workspace, None)
    check_agreement(workspace, ["ours", "rasteret"], ())
    report(f"{rows:,} rows without headers, median of {turns}", results, "rows")


if __name__ == "__main__":
    main()
