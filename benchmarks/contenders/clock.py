"""What every contender says of its run; plain standard library, for any environment."""

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Given = dict[str, str]
T = TypeVar("T")


def timed(work: Callable[[Given], int]) -> None:
    """Do the work on the JSON arguments of the command line; print what it cost as JSON.

    `work` returns how many things it did. Memory is the process's peak, imports included; time
    and CPU are those of the work alone.
    """
    measured(work, int)


def measured(work: Callable[[Given], T], count_of: Callable[[T], int]) -> None:
    """Do as `timed` does; what was done is counted once the clock has stopped.

    The argument `calls` has the work done so often, and the last time measured.
    """
    given: Given = json.loads(sys.argv[1])
    for _ in range(int(given.get("calls", "1")) - 1):
        work(given)
    before = resource.getrusage(resource.RUSAGE_SELF)
    start = time.perf_counter()
    found = work(given)
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_SELF)
    cost = {
        "count": count_of(found),
        "seconds": seconds,
        "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "peak_bytes": peak_bytes(),
    }
    print(json.dumps(cost))


def peak_bytes() -> int:
    """Return the most memory this process had at once.

    Not `ru_maxrss` where Linux tells better: that one is inherited from whoever started us.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
