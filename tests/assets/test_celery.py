"""Steps on Celery workers of this machine, with Redis between them and the run."""

import os
import signal
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from rasteret_assets.api import load
from tests.assets.conftest import BANDS, Archive, collection_yaml
from tests.assets.projects import BIN, Project, project_of
from tests.assets.ui import wait_until
from tests.conftest import require
from tests.rig.servers import redis_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

_CONFIG = """\
execution:
  config:
    broker: "{redis}/0"
    backend: "{redis}/1"
"""


@pytest.fixture
def project(archive: Archive, tmp_path: Path) -> Iterator[Project]:
    """A project whose steps run on Celery."""
    require(find_spec("dagster_celery") is not None, "dagster-celery is not installed")
    config = tmp_path / "celery.yaml"
    items = archive.folder / "items.parquet"
    declared = {"demo": collection_yaml("demo", items, bands=BANDS)}
    chosen = {
        "RASTERET_ASSETS_EXECUTOR": "celery",
        "RASTERET_ASSETS_CELERY": str(config),
        "PATH": f"{BIN}:{os.environ['PATH']}",
    }
    with redis_server() as redis:
        config.write_text(_CONFIG.format(redis=redis))
        yield project_of(tmp_path, declared, chosen)


@pytest.fixture
def worker(project: Project, tmp_path: Path) -> Iterator[Path]:
    """Two worker processes; gives their log."""
    # Two processes that find no database both make one, and one fails.
    assert project.run("dagster", "run", "list").returncode == 0
    log = tmp_path / "worker.log"
    config = project.variables["RASTERET_ASSETS_CELERY"]
    start = ["worker", "start", "-A", "dagster_celery.app", "-y", config, "--", "--concurrency=2"]
    environment = {**project.environment(), "PYTHONPATH": str(project.folder)}
    with log.open("w") as stream:
        process = subprocess.Popen(
            [str(BIN / "dagster-celery"), *start],
            cwd=project.folder,
            env=environment,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
        try:
            wait_until(lambda: "ready." in log.read_text(), 60, log.read_text)
            yield log
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)


def test_celery_workers_do_the_steps(project: Project, worker: Path, archive: Archive) -> None:
    run = project.materialize("group:demo", "--partition-range", "B04...B11")

    assert run.returncode == 0, run.stderr
    assert load("demo", workspace_dir=project.workspace).bands == list(BANDS)
    assert archive.gets() == 12
    # Three table stages, plan, two chunks of eight headers or fewer, assemble, zip, four checks.
    assert worker.read_text().count("succeeded in") == 12
