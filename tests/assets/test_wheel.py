"""The wheel, in an environment and a Dagster project that know nothing of this repository."""

import os
import shutil
import site
import subprocess
import sys
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from rasteret_assets.api import load
from tests.assets.conftest import BANDS, Archive, collection_yaml
from tests.assets.projects import BIN, ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

_SOURCES = ("rasteret_assets", "pyproject.toml", "README.md", "LICENSE")
_DEFINITIONS = """\
from pathlib import Path

import dagster as dg
from rasteret_assets import with_default_resources


@dg.definitions
def defs():
    folder = Path(__file__).parent
    return with_default_resources(dg.load_from_defs_folder(path_within_project=folder))
"""
_THEIRS = """\
import dagster as dg
from rasteret_assets.assets import WorkspaceIOManager


@dg.definitions
def resources():
    return dg.Definitions(resources={{"workspace": WorkspaceIOManager(root={root!r})}})
"""


def run(*command: object, cwd: Path, env: Mapping[str, str] | None = None) -> str:
    """Return what a command says; fail with it if it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout + done.stderr


@dataclass(frozen=True, slots=True, kw_only=True)
class Theirs:
    """A project as `create-dagster` makes it, and the environment it lives in."""

    folder: Path
    bin: Path
    home: Path

    @property
    def package(self) -> Path:
        """Where its definitions are."""
        return self.folder / "src" / "theirs"

    def run(self, *command: str) -> str:
        """Run a command of the environment in the project's folder."""
        env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        env |= {
            "DAGSTER_HOME": str(self.home),
            "RASTERET_WORKSPACE": str(self.home / "workspace"),
            "PATH": f"{self.bin}:{env['PATH']}",
            "VIRTUAL_ENV": str(self.bin.parent),
            "PYTHONWARNINGS": "ignore",
        }
        return run(self.bin / command[0], *command[1:], cwd=self.folder, env=env)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of what it is built from."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in _SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    built = ["pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", "dist"]
    run(sys.executable, "-m", *built, ".", cwd=folder)
    (made,) = (folder / "dist").glob("*.whl")
    return made


@pytest.fixture
def theirs(wheel: Path, tmp_path: Path) -> Theirs:
    """The wheel installed beside a project; their dependencies are those of the tests.

    Installing a hundred dependencies anew takes minutes and an index, and tells nothing of the
    wheel; they come from the environment of the tests by a `.pth` file, after the wheel.
    """
    venv.create(tmp_path / "env", with_pip=False, symlinks=True)
    python = tmp_path / "env" / "bin" / "python"
    run(
        sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps",
        "--no-index", wheel, cwd=tmp_path,
    )  # fmt: skip
    (packages,) = (tmp_path / "env" / "lib").glob("python*/site-packages")
    paths = [str(tmp_path / "theirs" / "src"), *site.getsitepackages()]
    (packages / "those_of_the_tests.pth").write_text("\n".join(paths))
    for name in ("dagster", "dg"):
        script = (BIN / name).read_text().split("\n", 1)[1]
        (python.parent / name).write_text(f"#!{python}\n{script}")
        (python.parent / name).chmod(0o755)
    run(BIN / "create-dagster", "project", "theirs", "--no-uv-sync", cwd=tmp_path)
    (tmp_path / "home").mkdir()
    return Theirs(folder=tmp_path / "theirs", bin=python.parent, home=tmp_path / "home")


def test_the_wheel_has_the_package_alone(theirs: Theirs) -> None:
    (packages,) = (theirs.bin.parent / "lib").glob("python*/site-packages")
    assert (packages / "rasteret_assets" / "py.typed").is_file()
    assert not (packages / "rasteret_assets" / "defs").exists()
    assert not (packages / "resources").exists()
    assert not (packages / "tests").exists()


@pytest.mark.parametrize("own", [False, True], ids=["default resources", "resources of their own"])
def test_another_project_scaffolds_checks_and_builds_a_collection(
    theirs: Theirs, archive: Archive, *, own: bool
) -> None:
    assert "rasteret_assets.RecordTableCollection" in theirs.run("dg", "list", "components")
    theirs.run("dg", "scaffold", "defs", "rasteret_assets.RecordTableCollection", "demo")
    theirs.run("dg", "check", "yaml")  # as it was written
    declared = theirs.package / "defs" / "demo" / "defs.yaml"
    declared.write_text(collection_yaml("demo", archive.folder, bands=BANDS))
    (theirs.package / "definitions.py").write_text(_DEFINITIONS)
    if own:
        given = _THEIRS.format(root=str(theirs.home / "elsewhere"))
        (theirs.package / "defs" / "resources.py").write_text(given)
    theirs.run("dg", "check", "defs")

    theirs.run("dg", "launch", "--assets", "group:demo", "--partition-range", "B04...B11")

    workspace = theirs.home / ("elsewhere" if own else "workspace")
    assert load("demo", workspace_dir=workspace).bands == list(BANDS)
    assert len(archive.headers_asked()) == 12
