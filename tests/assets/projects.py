"""Dagster projects of a few declared collections, and Dagster's own commands run in them."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
TIMEOUT_S = 120

_PYPROJECT = """\
[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "archives"
defs_module = "archives.defs"
code_location_target_module = "definitions"
code_location_name = "archives"

[tool.dagster]
module_name = "definitions"
code_location_name = "archives"
"""

_MATERIALIZE = ("asset", "materialize", "-f", "definitions.py", "--select")


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project folder with its own Dagster instance and workspace."""

    folder: Path
    home: Path
    workspace: Path
    variables: Mapping[str, str]

    def environment(self) -> dict[str, str]:
        """What its commands see."""
        return {
            **os.environ,
            "DAGSTER_HOME": str(self.home),
            "RASTERET_WORKSPACE": str(self.workspace),
            "RASTERET_ASSETS_DEPLOYMENT": "test",
            "PYTHONWARNINGS": "ignore",
            **self.variables,
        }

    def run(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the environment in the project's folder."""
        return subprocess.run(
            [str(BIN / command), *arguments],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )

    def materialize(self, select: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `dagster asset materialize`."""
        return self.run("dagster", *_MATERIALIZE, select, *arguments)

    def start(self, select: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start `dagster asset materialize` and return its process."""
        return subprocess.Popen(
            [str(BIN / "dagster"), *_MATERIALIZE, select, *arguments],
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


def own_project(folder: Path, variables: Mapping[str, str] | None = None) -> Project:
    """This repository's own project, with an instance and a workspace below `folder`."""
    return _project(ROOT, folder, variables or {})


def project_of(
    folder: Path, declared: Mapping[str, str], variables: Mapping[str, str] | None = None
) -> Project:
    """Write a project of the collections `declared` (folder to YAML) below `folder`.

    Its `definitions.py` and `resources` are this repository's; `variables` are added to the
    environment of its commands.
    """
    project = folder / "project"
    for name, text in declared.items():
        home = project / "archives" / "defs" / name
        home.mkdir(parents=True)
        (home / "defs.yaml").write_text(text)
    (project / "archives" / "__init__.py").touch()
    (project / "pyproject.toml").write_text(_PYPROJECT)
    definitions = (ROOT / "definitions.py").read_text()
    (project / "definitions.py").write_text(
        definitions.replace("rasteret_assets.defs", "archives.defs")
    )
    shutil.copytree(ROOT / "resources", project / "resources")
    shutil.copy(ROOT / "workspace.yaml", project)
    return _project(project, folder, variables or {})


def _project(project: Path, folder: Path, variables: Mapping[str, str]) -> Project:
    home = folder / "dagster_home"
    home.mkdir(exist_ok=True)
    shutil.copy(ROOT / "dagster.yaml", home)
    return Project(folder=project, home=home, workspace=folder / "workspace", variables=variables)
