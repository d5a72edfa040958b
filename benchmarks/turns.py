"""Contenders taking turns, each run a process of its own, and what came out."""

import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.server import Server

ROOT = Path(__file__).resolve().parents[1]
_MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """Who runs, and with what."""

    label: str
    script: str
    """A module of `benchmarks.contenders`."""
    arguments: Mapping[str, str]
    python: Path = Path(sys.executable)
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one run cost."""

    count: int
    seconds: float
    cpu: float
    """Seconds of the contender's own CPU time."""
    peak_bytes: int
    server_cpu: float
    """Seconds of CPU time the server's processes used meanwhile."""
    requests: int = 0
    """The server's count of them, calls before the measured one included."""
    sent_bytes: int = 0
    """What the server sent for them."""

    def of(self, count: int) -> "Turn":
        """Return the same turn, counted in other things."""
        return replace(self, count=count)


def take_turns(
    contenders: Sequence[Contender], turns: int, workspace: Path, server: Server | None
) -> dict[str, list[Turn]]:
    """Run each contender `turns` times, one after another in each turn; empty workspaces."""
    results: dict[str, list[Turn]] = {contender.label: [] for contender in contenders}
    for number in range(turns):
        for contender in contenders:
            turn = run(contender, empty(workspace / contender.label), server)
            results[contender.label].append(turn)
            print(f"  turn {number + 1}: {contender.label} {turn.seconds:.2f} s", flush=True)
    return results


def empty(folder: Path) -> Path:
    """Return the folder, with nothing left in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def run(contender: Contender, workspace: Path, server: Server | None) -> Turn:
    """Run one contender once."""
    given = json.dumps({**contender.arguments, "workspace": str(workspace)})
    before = server.cpu_seconds() if server else 0.0
    told = server.sent() if server else (0, 0)
    module = f"benchmarks.contenders.{contender.script}"
    done = subprocess.run(
        [contender.python, "-m", module, given],
        cwd=ROOT,
        env={**os.environ, **contender.environment},
        capture_output=True,
        check=False,
        text=True,
    )
    if done.returncode:
        msg = f"{contender.label} failed:\n{done.stderr[-2000:]}"
        raise SystemExit(msg)
    used = (server.cpu_seconds() - before) if server else 0.0
    requests, sent = server.sent() if server else (0, 0)
    return Turn(
        **json.loads(done.stdout.splitlines()[-1]),
        server_cpu=used,
        requests=requests - told[0],
        sent_bytes=sent - told[1],
    )


def report(title: str, results: Mapping[str, Sequence[Turn]], unit: str) -> None:
    """Print medians, the ratio of each contender's time to the first one's, and best times."""
    print(f"\n{title}")
    first = statistics.median(turn.seconds for turn in next(iter(results.values())))
    head = ("ratio", "best", "CPU s", "server", "MiB")
    print(f"{'':28}{'seconds':>9}{unit + '/s':>12}", *(f"{word:>8}" for word in head), sep="")
    for label, turns in results.items():
        seconds = statistics.median(turn.seconds for turn in turns)
        best = min(turn.seconds for turn in turns)
        cpu = statistics.median(turn.cpu for turn in turns)
        server = statistics.median(turn.server_cpu for turn in turns)
        peak = statistics.median(turn.peak_bytes for turn in turns) / _MIB
        rate = turns[0].count / seconds
        print(
            f"{label:28}{seconds:9.2f}{rate:12,.0f}{seconds / first:8.2f}{best:8.2f}"
            f"{cpu:8.2f}{server:8.2f}{peak:8.0f}"
        )


def report_traffic(results: Mapping[str, Sequence[Turn]]) -> None:
    """Print how many requests the server answered, and with how many bytes."""
    print(f"{'':28}{'requests':>9}{'MB':>12}")
    for label, turns in results.items():
        requests = statistics.median(turn.requests for turn in turns)
        size = statistics.median(turn.sent_bytes for turn in turns) / 1e6
        print(f"{label:28}{requests:9.0f}{size:12.1f}")
