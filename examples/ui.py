"""Dagster's UI over the declared collections, with the demo archive served beside it.

make ui
"""

import subprocess
import sys

from examples.demo_archive import generate
from examples.home import ARCHIVE, ROOT, environment, served_archive


def main() -> int:
    """Run until interrupted; return Dagster's exit code."""
    generate(ARCHIVE)
    command = [sys.executable, "-m", "dagster", "dev", "-w", "workspace.yaml", *sys.argv[1:]]
    with served_archive() as url:
        print(f"archive at {url}; the UI follows below, Ctrl-C ends both", flush=True)
        process = subprocess.Popen(command, cwd=ROOT, env=environment(url))
        try:
            return process.wait()
        except KeyboardInterrupt:  # Dagster got it too, and stops its own processes
            return process.wait()


if __name__ == "__main__":
    sys.exit(main())
