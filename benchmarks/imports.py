"""What importing costs: `import rasteret_assets`, and the names that read pixels.

    .venv/bin/python -m benchmarks.imports [--turns 9]

Each in fresh processes, whose clock runs from before the statement. What takes the time:
`python -X importtime -c "import rasteret_assets"`.
"""

import argparse
import subprocess
import sys

from benchmarks.turns import ROOT

_USES = {
    "import rasteret_assets": "import rasteret_assets",
    "from rasteret_assets import load": "import rasteret_assets.api",
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=9)
    measure(parser.parse_args().turns)


def measure(turns: int) -> None:
    """Print the best of `turns` runs of each."""
    print(f"\nimports, best of {turns}")
    for label, statement in _USES.items():
        print(f"{label:36}{min(_seconds(statement) for _ in range(turns)):8.3f} s")


def _seconds(statement: str) -> float:
    """Return what a statement takes in a fresh process, beyond starting Python."""
    timed = (
        f"from time import perf_counter as now; start = now(); {statement}; print(now() - start)"
    )
    done = subprocess.run(
        [sys.executable, "-c", timed], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


if __name__ == "__main__":
    main()
