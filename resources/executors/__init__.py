"""Where the steps of a run take place: `RASTERET_ASSETS_EXECUTOR`, each a module here.

`local` (if it says nothing): in the run's own process, or in several of the same machine.
`celery`: on Celery workers. `kubernetes`: in a pod for each step. Any other of Dagster's executors
is a module with an `EXECUTOR`.
"""

import os
from importlib import import_module

import dagster as dg

VARIABLE = "RASTERET_ASSETS_EXECUTOR"
EXECUTORS = ("local", "celery", "kubernetes")


def executor() -> dg.ExecutorDefinition:
    """Return the executor that the environment chooses; what it needs is imported only then."""
    chosen = os.environ.get(VARIABLE) or EXECUTORS[0]
    if chosen not in EXECUTORS:
        msg = f"{VARIABLE} is {chosen!r}; the executors are {', '.join(EXECUTORS)}"
        raise ValueError(msg)
    found: dg.ExecutorDefinition = import_module(f"resources.executors.{chosen}").EXECUTOR
    return found
