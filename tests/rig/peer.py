"""The peer library `rasteret`, in an environment of its own (it needs Python 3.12 or newer)."""

import fcntl
import json
import subprocess
from pathlib import Path
from typing import Any

from benchmarks import peer
from tests.conftest import ROOT, require


def peer_python() -> Path:
    """Return an interpreter that can import the peer; the first call installs it.

    Skips (with CI set: fails) where no Python is new enough, saying what to install.
    """
    with (ROOT / ".venv-peer.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            return peer.peer_python()
        except SystemExit as error:
            require(present=False, reason=str(error))
            raise


def ask_peer(script: str, *arguments: str) -> Any:  # noqa: ANN401  # whatever the script prints as JSON
    """Run `script` with the peer's interpreter; return the JSON on the last line it prints."""
    done = subprocess.run(
        [peer_python(), "-c", script, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])
