"""What the repository promises to those who clone it."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT

MACHINE = re.compile(
    r"(?<!\w)/(?:root/|home/\w|Users/\w)|/work/(?:main|shared)|/opt/pypi|(?:files\.pythonhosted|pypi\.python)\.org"
    r"|https?://(?:www\.)?pypi\.org|--(?:extra-)?index-url|--find-links"
)
THIS = Path(__file__).relative_to(ROOT)


def run(*command: str, cwd: Path = ROOT) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True, timeout=240)
    return done.stdout


def tracked() -> list[Path]:
    return [Path(line) for line in run("git", "ls-files").splitlines() if (ROOT / line).is_file()]


def test_every_make_command_in_the_docs_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    named = {
        (page.name, target)
        for page in pages
        for target in re.findall(r"(?:^ {4}|`|^)make ([a-z-]+)", page.read_text(), re.MULTILINE)
    }
    assert [(page, target) for page, target in sorted(named) if target not in targets] == []


def test_every_make_target_is_listed_by_help() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    listed = re.findall(r"^  make (\S+)", run("make", "help"), re.MULTILINE)
    assert sorted(listed) == sorted(phony[1].split())


def test_every_module_named_for_running_in_the_docs_exists() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    named = {
        name
        for page in pages
        for name in re.findall(r"-m ((?:examples|benchmarks)\.\w+)", page.read_text())
    }
    absent = [name for name in named if not (ROOT / (name.replace(".", "/") + ".py")).is_file()]
    assert absent == []


def test_no_file_names_this_machine_or_a_package_index() -> None:
    found = [
        f"{path}: {hit.group()}"
        for path in tracked()
        if path != THIS and path.suffix not in {".png", ".tif", ".parquet"}
        if (hit := MACHINE.search((ROOT / path).read_text()))
    ]
    assert found == []


def test_constraints_are_plain_versions() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    odd = [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.+!-]+(?: ;.*)?", line)]
    assert odd == []


def test_every_change_fragment_has_a_kind() -> None:
    kinds = re.compile(r"\+[\w.-]+\.(added|changed|removed|fixed)\.md|README\.md")
    assert [path.name for path in (ROOT / "changes").iterdir() if not kinds.match(path.name)] == []


def test_files_of_code_are_short() -> None:
    long = {
        str(path): lines
        for path in tracked()
        if path.suffix == ".py" and path.parts[0] != "tests"
        if (lines := len((ROOT / path).read_text().splitlines())) > 330
    }
    assert long == {}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Names of the files in the wheel, built from what git tracks."""
    source = tmp_path_factory.mktemp("source")
    for path in tracked():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_bytes((ROOT / path).read_bytes())
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(out), ".", cwd=source)
    (built,) = out.glob("*.whl")
    return zipfile.ZipFile(built).namelist()


def test_the_wheel_holds_the_package_alone(wheel: list[str]) -> None:
    tops = {name.split("/")[0] for name in wheel}
    assert len(tops) == 2
    assert {top for top in tops if not top.endswith(".dist-info")} == {"rasteret_assets"}


def test_the_wheel_has_every_module_but_the_declared_collections(wheel: list[str]) -> None:
    package = {
        str(path)
        for path in tracked()
        if path.parts[0] == "rasteret_assets"
        and path.suffix in {".py", ".typed"}
        and path.parts[1] != "defs"
    }
    assert {name for name in wheel if name.startswith("rasteret_assets/")} == package


def loaded_by(statement: str) -> set[str]:
    said = run(sys.executable, "-c", f"{statement}; import sys; print(*sys.modules)")
    return {name.split(".")[0] for name in said.split()}


def test_importing_the_package_costs_next_to_nothing() -> None:
    heavy = {"dagster", "pyarrow", "numpy", "aiohttp", "rasterio", "xarray", "asyncio"}
    assert loaded_by("import rasteret_assets") & heavy == set()


def test_building_and_reading_do_not_import_dagster() -> None:
    statement = "from rasteret_assets import build_from_table, load, Collection"
    assert "dagster" not in loaded_by(statement)


def test_the_command_line_does_not_import_dagster() -> None:
    assert "dagster" not in loaded_by("import rasteret_assets.cli")
