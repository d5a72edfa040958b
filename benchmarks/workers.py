"""Enrichment on two Celery workers, 32 requests in flight each, against one such worker.

    .venv/bin/python -m benchmarks.workers [--rows 20000] [--turns 3]

Redis hands out the steps, PostgreSQL keeps the events, nginx answers after 30 ms. All of them
share the machine's cores; the CPU time of each says how much of it is whose.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import psutil
import yaml  # type: ignore[import-untyped]  # the stubs are a package of their own

from benchmarks.agree import found_in
from benchmarks.dagster_runs import Deployment
from benchmarks.files import write_files
from benchmarks.headers import FILES, WORK
from benchmarks.server import serving
from benchmarks.table import BANDS, write_table
from benchmarks.turns import ROOT
from tests.rig.servers import PASSWORD, postgres_server, redis_server

_IN_FLIGHT = 32
_CHUNK = 2_048
_READY_S = 60
_CELERY = Path(sys.executable).with_name("dagster-celery")


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One run."""

    seconds: float
    """From the first chunk's start to the last one's end."""
    run_seconds: float
    """The whole command: Dagster's start-up, the table's stages, the Collection."""
    cpu: Mapping[str, float]
    """Seconds of CPU time by process, from before the run to after it."""
    peak_bytes: int
    """The most memory a worker had at once."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--turns", type=int, default=3)
    given = parser.parse_args()
    measure(given.rows, given.turns)


def measure(rows: int, turns: int) -> None:
    """Measure one worker and two, taking turns, each time on an empty workspace."""
    names = write_files(WORK / "files", FILES)
    subprocess.run(
        [ROOT / ".ci/need", "redis-server=redis-server", "initdb=postgresql"], check=True
    )
    with ExitStack() as stack:
        server = stack.enter_context(serving(WORK / "files", WORK / "nginx"))
        redis, port = stack.enter_context(redis_server()), stack.enter_context(postgres_server())
        os.environ.update(_variables(redis, port))
        table = write_table(WORK / f"workers-{rows}.parquet", rows, server.url, names)
        results: dict[int, list[Turn]] = {1: [], 2: []}
        for number in range(turns):
            for workers, done in results.items():
                turn = _turn(table, rows, workers)
                done.append(turn)
                rate = rows * len(BANDS) / turn.seconds
                print(f"  turn {number + 1}: {workers} at work, {rate:,.0f} headers/s", flush=True)
    _report(rows * len(BANDS), results)


def _variables(redis: str, port: int) -> dict[str, str]:
    return {
        "CELERY_BROKER_URL": f"{redis}/0",
        "CELERY_RESULT_BACKEND": f"{redis}/1",
        "DAGSTER_POSTGRES_HOST": "127.0.0.1",
        "DAGSTER_POSTGRES_PORT": str(port),
        "DAGSTER_POSTGRES_USER": "dagster",
        "DAGSTER_POSTGRES_PASSWORD": PASSWORD,
        "DAGSTER_POSTGRES_DB": "dagster",
        "RASTERET_ASSETS_EXECUTOR": "celery",
        "RASTERET_ASSETS_CELERY": str(ROOT / "deploy" / "celery.yaml"),
        "PATH": f"{_CELERY.parent}:{os.environ['PATH']}",
    }


def _turn(table: Path, rows: int, workers: int) -> Turn:
    deployment = Deployment.new(table, WORK / "workers")
    home = deployment.folder / "dagster_home"
    instance = yaml.safe_load((ROOT / "deploy" / "dagster.yaml").read_text())
    del instance["compute_logs"]  # no bucket here
    (home / "dagster.yaml").write_text(yaml.safe_dump(instance))
    limits = {"chunk_headers": _CHUNK, "max_concurrent": _IN_FLIGHT, "max_per_host": _IN_FLIGHT}
    config = json.dumps({"resources": {"enrichment": {"config": limits}}})
    with ExitStack() as stack:
        names = [f"worker {number + 1}" for number in range(workers)]
        pids = {stack.enter_context(_worker(name, deployment.folder)): name for name in names}
        before = _cpu_seconds(pids)
        done = deployment.materialize(["--config-json", config])
        after = _cpu_seconds(pids)
        peak = max(_peak_bytes(one) for pid in pids for one in psutil.Process(pid).children())
    found = found_in(deployment.folder / "workspace" / "bench_records", BANDS)
    if any(found[key] != rows for key in ("rows", *(f"{b}_metadata: headers" for b in BANDS))):
        msg = f"{found} stored, of {rows} rows"
        raise SystemExit(msg)
    return Turn(
        seconds=_fetching(home),
        run_seconds=done.seconds,
        cpu={
            "the run's own": done.cpu,
            **{name: used - before[name] for name, used in after.items()},
        },
        peak_bytes=peak,
    )


@contextmanager
def _worker(name: str, folder: Path) -> Iterator[int]:
    """Run a worker from when it takes steps until it is not needed any more; gives its pid."""
    log = folder / f"{name}.log"
    settings = os.environ["RASTERET_ASSETS_CELERY"]
    options = ["-A", "dagster_celery.app", "-y", settings, "-n", name.replace(" ", "-")]
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(folder / "dagster_home"),
        "RASTERET_WORKSPACE": str(folder / "workspace"),
        "PYTHONPATH": str(folder / "project"),
        "PYTHONWARNINGS": "ignore",
    }
    with log.open("w") as stream:
        process = subprocess.Popen(
            [str(_CELERY), "worker", "start", *options, "--", "--concurrency=1"],
            cwd=folder / "project",
            env=environment,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
        try:
            ends = time.monotonic() + _READY_S
            while "ready." not in log.read_text():
                if process.poll() is not None or time.monotonic() > ends:
                    raise SystemExit(log.read_text())
                time.sleep(0.2)
            yield process.pid
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _cpu_seconds(workers: Mapping[int, str]) -> dict[str, float]:
    """Return the CPU time so far of every process started here, with those it has started."""
    used = {}
    for process in psutil.Process().children():
        family = [process, *process.children(recursive=True)]
        times = [one.cpu_times() for one in family]
        used[workers.get(process.pid, process.name())] = sum(
            time.user + time.system + time.children_user + time.children_system for time in times
        )
    return used


def _peak_bytes(process: psutil.Process) -> int:
    """Return the most memory that a process, or one it has started, has had at once."""
    family = [process, *process.children(recursive=True)]
    lines = [Path(f"/proc/{one.pid}/status").read_text().splitlines() for one in family]
    peaks = [line for status in lines for line in status if line.startswith("VmHWM")]  # proc(5)
    return max(int(line.split()[1]) for line in peaks) * 1024


def _fetching(home: Path) -> float:
    """Return the seconds from the first chunk's start to the last one's end."""
    kinds = {dg.DagsterEventType.STEP_START, dg.DagsterEventType.STEP_SUCCESS}
    with dg.DagsterInstance.from_config(str(home)) as instance:
        (run,) = instance.get_runs(limit=1)
        times = [
            entry.timestamp
            for entry in instance.all_logs(run.run_id, of_type=kinds)
            if entry.step_key is not None and ".fetch[" in entry.step_key
        ]
    return max(times) - min(times)


def _report(headers: int, results: Mapping[int, list[Turn]]) -> None:
    print(f"\n{headers:,} headers, {_IN_FLIGHT} requests in flight per worker")
    rates = {}
    for workers, turns in results.items():
        seconds = statistics.median(turn.seconds for turn in turns)
        whole = statistics.median(turn.run_seconds for turn in turns)
        rates[workers] = headers / seconds
        peak = max(turn.peak_bytes for turn in turns) >> 20
        told = f"{rates[workers]:,.0f} headers/s, whole run {whole:.1f} s, {peak} MiB a worker"
        print(f"{workers} at work: {told}")
        for name in turns[0].cpu:
            cpu = statistics.median(turn.cpu[name] for turn in turns)
            print(f"    {name:24}{cpu:8.2f} CPU s")
    print(f"two against one: {rates[2] / rates[1]:.2f} x")


if __name__ == "__main__":
    main()
