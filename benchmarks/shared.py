"""Two processes at one server, 32 requests in flight each, against one; and with 300 each.

    .venv/bin/python -m benchmarks.shared [--rows 5000] [--turns 3]

How far chunks of work on several workers add up: with 32 the latency is the limit, with 300 the
cores are, which the server shares.
"""

import argparse
import statistics
from concurrent.futures import ThreadPoolExecutor
from itertools import product

from benchmarks.files import write_files
from benchmarks.headers import FILES, WORK
from benchmarks.server import Server, serving
from benchmarks.table import BANDS, write_table
from benchmarks.turns import Contender, empty, run

_IN_FLIGHT = (32, 300)


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
    print(f"\n{rows:,} rows x {len(BANDS)} bands per process")
    with serving(WORK / "files", WORK / "nginx") as server:
        table = str(write_table(WORK / f"shared-{rows}.parquet", rows, server.url, names))
        for in_flight, processes in product(_IN_FLIGHT, (1, 2)):
            arguments = {"table": table, "enrich": "yes", "max_concurrent": str(in_flight)}
            contenders = [
                Contender(label=f"process {number}", script="ours", arguments=arguments)
                for number in range(processes)
            ]
            told = [_together(contenders, rows * len(BANDS), server) for _ in range(turns)]
            rate, cpu, server_cpu = (statistics.median(each) for each in zip(*told, strict=True))
            print(
                f"{in_flight} in flight each, {processes} at once: {rate:,.0f} headers/s; CPU of "
                f"each {cpu:.2f} s, of the server {server_cpu:.2f} s"
            )


def _together(
    contenders: list[Contender], headers: int, server: Server
) -> tuple[float, float, float]:
    """Return the headers per second of all together, CPU seconds of each, and of the server."""
    workspaces = [empty(WORK / "workspace" / contender.label) for contender in contenders]
    before = server.cpu_seconds()
    with ThreadPoolExecutor(len(contenders)) as pool:
        turns = list(pool.map(run, contenders, workspaces, [server] * len(contenders)))
    rate = headers * len(turns) / max(turn.seconds for turn in turns)
    cpu = statistics.mean(turn.cpu for turn in turns)
    return rate, cpu, server.cpu_seconds() - before


if __name__ == "__main__":
    main()
