"""Two processes at one server, 32 requests in flight each, against one such process.

    .venv/bin/python -m benchmarks.shared [--rows 5000] [--turns 3]

How far chunks of work on several workers add up.
"""

import argparse
import statistics
from concurrent.futures import ThreadPoolExecutor

from benchmarks.files import write_files
from benchmarks.headers import FILES, WORK
from benchmarks.server import Server, serving
from benchmarks.table import BANDS, write_table
from benchmarks.turns import Contender, empty, run

_IN_FLIGHT = "32"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000)
    parser.add_argument("--turns", type=int, default=3)
    given = parser.parse_args()
    measure(given.rows, given.turns)


def measure(rows: int, turns: int) -> None:
    """Measure one process, then two at once, each on `rows` rows of its own."""
    names = write_files(WORK / "files", FILES)
    print(f"\n{rows:,} rows x {len(BANDS)} bands per process, {_IN_FLIGHT} requests in flight each")
    with serving(WORK / "files", WORK / "nginx") as server:
        table = str(write_table(WORK / f"shared-{rows}.parquet", rows, server.url, names))
        arguments = {"table": table, "enrich": "yes", "max_concurrent": _IN_FLIGHT}
        for processes in (1, 2):
            contenders = [
                Contender(label=f"process {number}", script="ours", arguments=arguments)
                for number in range(processes)
            ]
            rates = [_rate(contenders, rows * len(BANDS), server) for _ in range(turns)]
            print(f"{processes} at once: {statistics.median(rates):,.0f} headers/s")


def _rate(contenders: list[Contender], headers: int, server: Server) -> float:
    """Return the headers per second of all together, from their own clocks."""
    workspaces = [empty(WORK / "workspace" / contender.label) for contender in contenders]
    with ThreadPoolExecutor(len(contenders)) as pool:
        turns = list(pool.map(run, contenders, workspaces, [server] * len(contenders)))
    return headers * len(turns) / max(turn.seconds for turn in turns)


if __name__ == "__main__":
    main()
