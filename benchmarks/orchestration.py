"""What Dagster costs over the plain Python door, on the same table.

    .venv/bin/python -m benchmarks.orchestration [--rows 100000] [--turns 3]

Both build a Collection of two bands from nothing, headers fetched over HTTP with 30 ms latency, by
the same settings. Dagster's time is reported stage by stage, from its event log. It also keeps
what the Python door streams through: the raw and validated rows.
"""

import argparse
import statistics
from collections.abc import Sequence

from benchmarks.dagster_runs import DagsterRun, Deployment
from benchmarks.files import write_files
from benchmarks.headers import FILES, WORK
from benchmarks.nochange import report
from benchmarks.server import serving
from benchmarks.table import BANDS, write_table
from benchmarks.turns import Contender, Turn, empty, run

_IN_FLIGHT = 100
"""What this repository's local deployment has, for both."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--turns", type=int, default=3)
    given = parser.parse_args()
    measure(given.rows, given.turns)


def measure(rows: int, turns: int) -> None:
    """Measure both doors, taking turns, on a table of `rows` rows."""
    names = write_files(WORK / "files", FILES)
    plain: list[Turn] = []
    dagster: list[DagsterRun] = []
    with serving(WORK / "files", WORK / "nginx") as server:
        table = write_table(WORK / f"orchestration-{rows}.parquet", rows, server.url, names)
        arguments = {"table": str(table), "enrich": "yes", "max_concurrent": str(_IN_FLIGHT)}
        ours = Contender(label="plain Python", script="ours", arguments=arguments)
        for _ in range(turns):
            plain.append(run(ours, empty(WORK / "workspace" / "plain"), server))
            deployment = Deployment.new(table, WORK / "orchestration")
            dagster.append(deployment.materialize())
    report(f"{rows:,} rows x {len(BANDS)} bands by Dagster, median of {turns}", dagster)
    tell(plain, dagster)


def tell(plain: Sequence[Turn], dagster: Sequence[DagsterRun]) -> None:
    """Print what Dagster's steps take beyond the plain Python door."""
    ours = statistics.median(turn.seconds for turn in plain)
    cpu = statistics.median(turn.cpu for turn in plain)
    steps = statistics.median(sum(one.steps.values()) for one in dagster)
    print(f"\n{'plain Python':40}{ours:9.2f} s{cpu:9.2f} s of CPU time")
    print(f"{'the steps, over plain Python':40}{steps / ours - 1:9.1%}")


if __name__ == "__main__":
    main()
