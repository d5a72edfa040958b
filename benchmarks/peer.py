"""An environment of its own for the peer, `rasteret` from the package index."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv-peer"
_LEAST = "3.12"


def peer_python() -> Path:
    """Return the interpreter that has `rasteret`, its environment made if need be."""
    python = VENV / "bin" / "python"
    stamp = VENV / ".installed"
    if not stamp.exists():
        found = subprocess.run(
            [ROOT / ".ci" / "find-python", _LEAST], capture_output=True, text=True, check=False
        )
        if found.returncode:
            msg = f"rasteret needs Python {_LEAST} or newer: {found.stderr}"
            raise SystemExit(msg)
        print("installing rasteret into .venv-peer ...", flush=True)
        subprocess.run([ROOT / ".ci" / "make-venv", VENV, found.stdout.strip()], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "rasteret==0.4.1"], check=True)
        stamp.touch()
    return python
