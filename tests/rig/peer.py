"""The peer library `rasteret`, in an environment of its own (it needs Python 3.12 or newer)."""

import fcntl
import json
import subprocess
from pathlib import Path
from typing import Any

from tests.conftest import ROOT, require

VENV = ROOT / ".venv-peer"
PEER = "rasteret>=0.4,<0.5"


def peer_python() -> Path:
    """Return an interpreter that can import the peer; the first call installs it.

    Skips (with CI set: fails) where no Python is new enough, saying what to install.
    """
    python = VENV / "bin" / "python"
    stamp = VENV / ".installed"
    with (ROOT / ".venv-peer.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists():
            found = subprocess.run(
                [ROOT / ".ci" / "find-python", "3.12"], capture_output=True, text=True, check=False
            )
            require(found.returncode == 0, f"the peer library: {found.stderr}")
            subprocess.run([ROOT / ".ci" / "make-venv", VENV, found.stdout.strip()], check=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", PEER], check=True)
            stamp.touch()
    return python


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
