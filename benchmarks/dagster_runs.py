"""Runs of a declared collection as a person starts them, and what each step took."""

import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
from dagster import DagsterEventType

from benchmarks.turns import ROOT, empty

_DAGSTER = Path(sys.executable).with_name("dagster")
_DECLARED = """\
type: rasteret_assets.RecordTableCollection
attributes:
  name: bench
  source: {source}
  bands: [B04, B08]
"""
_PYPROJECT = """\
[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "archives"
code_location_target_module = "definitions"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DagsterRun:
    """One run, from the command's start to its end."""

    seconds: float
    """Of the command, Dagster's start-up included."""
    cpu: float
    """Seconds of CPU time it used: on a busy machine, the figure to go by."""
    steps: Mapping[str, float]
    """Step to seconds between its start and its end, as the event log has them; those of all
    chunks in one sum."""

    @property
    def outside_steps(self) -> float:
        """Seconds of the command in which no step was under way: start-up, and between steps."""
        return self.seconds - sum(self.steps.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A project of one declared collection, this repository's `definitions.py` and resources."""

    folder: Path
    """Holds the project, the workspace and Dagster's files."""

    @classmethod
    def new(cls, source: Path, folder: Path) -> "Deployment":
        """Return one over `source`, a table with the assets B04 and B08 or a folder of such."""
        home = empty(folder) / "dagster_home"
        home.mkdir()
        shutil.copy(ROOT / "dagster.yaml", home)
        declared = folder / "project" / "archives" / "defs" / "bench"
        declared.mkdir(parents=True)
        (declared / "defs.yaml").write_text(_DECLARED.format(source=source))
        project = folder / "project"
        (project / "archives" / "__init__.py").touch()
        (project / "pyproject.toml").write_text(_PYPROJECT)
        definitions = (ROOT / "definitions.py").read_text()
        definitions = definitions.replace("rasteret_assets.defs", "archives.defs")
        (project / "definitions.py").write_text(definitions)
        shutil.copytree(ROOT / "resources", project / "resources")
        return cls(folder=folder)

    def materialize(self, arguments: Sequence[str] = ()) -> DagsterRun:
        """Materialize everything for the bands B04 and B08, with the default executor."""
        environment = {
            **os.environ,
            "DAGSTER_HOME": str(self.folder / "dagster_home"),
            "RASTERET_WORKSPACE": str(self.folder / "workspace"),
            "PYTHONWARNINGS": "ignore",
        }
        command = [str(_DAGSTER), "asset", "materialize", "-f", "definitions.py"]
        chosen = ["--select", "group:bench", "--partition-range", "B04...B08"]
        used, began = _cpu_of_children(), time.perf_counter()
        done = subprocess.run(
            [*command, *chosen, *arguments],
            cwd=self.folder / "project",
            env=environment,
            capture_output=True,
            check=False,
            text=True,
        )
        seconds = time.perf_counter() - began
        if done.returncode:
            msg = f"the run failed:\n{done.stderr[-3000:]}"
            raise SystemExit(msg)
        return DagsterRun(seconds=seconds, cpu=_cpu_of_children() - used, steps=self._steps())

    def _steps(self) -> dict[str, float]:
        ends = {DagsterEventType.STEP_SUCCESS, DagsterEventType.STEP_FAILURE}
        starts: dict[str, float] = {}
        took: dict[str, float] = {}
        with dg.DagsterInstance.from_config(str(self.folder / "dagster_home")) as instance:
            (run,) = instance.get_runs(limit=1)
            for entry in instance.all_logs(run.run_id):
                if entry.step_key is None or entry.dagster_event is None:
                    continue
                if entry.dagster_event.event_type == DagsterEventType.STEP_START:
                    starts[entry.step_key] = entry.timestamp
                elif entry.dagster_event.event_type in ends:
                    step = entry.step_key.split("[")[0]
                    took[step] = took.get(step, 0.0) + entry.timestamp - starts[entry.step_key]
        return took


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
