"""Headers per second: a table's rows x 2 bands, over HTTP with 30 ms latency.

    .venv/bin/python -m benchmarks.headers [--rows 1000] [--turns 3] [--only ours,bare]

Building a Collection with `build_from_table`, ours and rasteret's; opening every file with GDAL;
and fetching the same first bytes with a bare aiohttp loop.
"""

import argparse
import sys
from pathlib import Path

from benchmarks.agree import check_agreement
from benchmarks.files import write_files
from benchmarks.peer import peer_python
from benchmarks.server import serving
from benchmarks.table import BANDS, write_table
from benchmarks.turns import ROOT, Contender, report, report_traffic, take_turns

WORK = ROOT / ".bench"
FILES = 2_000


def main() -> None:
    """Measure, check that results agree, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--only", default="ours,rasteret,GDAL,bare,bare uvloop")
    given = parser.parse_args()
    measure(given.rows, given.turns, given.only.split(","))


def measure(rows: int, turns: int, only: list[str]) -> None:
    """Measure the contenders named in `only` on a table of `rows` rows."""
    files = WORK / "files"
    names = write_files(files, FILES)
    with serving(files, WORK / "nginx") as server:
        table = str(write_table(WORK / f"headers-{rows}.parquet", rows, server.url, names))
        arguments = {"table": table, "enrich": "yes"}
        known: dict[str, tuple[str, dict[str, str]]] = {
            "ours": ("ours", {}),
            "rasteret": ("rasteret_peer", {"url": server.url}),
            "GDAL": ("gdal", {"threads": "64"}),
            "bare": ("bare", {"loop": "asyncio"}),
            "bare uvloop": ("bare", {"loop": "uvloop"}),
        }
        contenders = [
            Contender(
                label=label,
                script=known[label][0],
                arguments={**arguments, **known[label][1]},
                python=peer_python() if label == "rasteret" else Path(sys.executable),
            )
            for label in only
        ]
        workspace = WORK / "workspace"
        results = take_turns(contenders, turns, workspace, server)
        for label, runs in results.items():
            per_row = len(BANDS) if label not in {"ours", "rasteret"} else 1
            if any(turn.count != rows * per_row for turn in runs):
                msg = f"{label} did {[turn.count for turn in runs]} of {rows * per_row}"
                raise SystemExit(msg)
        built = [label for label in ("ours", "rasteret") if label in results]
        if built:
            check_agreement(workspace, built, BANDS)
    headers = {
        label: [turn.of(rows * len(BANDS)) for turn in runs] for label, runs in results.items()
    }
    report(f"{rows:,} rows x {len(BANDS)} bands, median of {turns}", headers, "headers")
    report_traffic(headers)


if __name__ == "__main__":
    main()
