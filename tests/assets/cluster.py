"""The deployment that deploy/docker-compose.yml describes, without the containers.

Its commands and its variables are the file's own; only hosts, ports and folders are those of
this machine.
"""

import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml  # type: ignore[import-untyped]  # the stubs are a package of their own

from tests.assets.projects import BIN, ROOT, Project, project_of
from tests.assets.ui import Ui, wait_until
from tests.rig.http_server import free_port
from tests.rig.servers import PASSWORD, postgres_server, redis_server
from tests.rig.stores import Store, s3_store

COMPOSE: Final = ROOT / "deploy" / "docker-compose.yml"
_STARTS_S: Final = 120.0


@dataclass(slots=True, kw_only=True)
class Cluster:
    """Running servers, and the processes of Dagster's over them."""

    project: Project
    store: Store
    services: Mapping[str, Any]
    """Those of the compose file."""
    ports: Mapping[int, int]
    """Ports of the compose file to ports of this machine."""
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def workspace(self) -> str:
        """Where its Collections are."""
        return self.project.variables["RASTERET_WORKSPACE"]

    @property
    def ui(self) -> Ui:
        """The webserver."""
        return Ui(url=f"http://127.0.0.1:{self.ports[3000]}")

    def log(self, name: str) -> str:
        """What the process `name` has said so far."""
        return (self.project.home / f"{name}.log").read_text()

    def start(self, service: str, name: str, *more: str) -> None:
        """Start a service as the process `name`, with `more` behind its options."""
        [program, *arguments] = shlex.split(self.services[service]["command"])
        options = [self._here(argument) for argument in arguments]
        at = options.index("--") if "--" in options else len(options)
        variables = self.project.environment()
        if "PYTHONPATH" in self.services[service]["environment"]:
            paths = [str(self.project.folder), os.environ.get("PYTHONPATH", "")]
            variables["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        with (self.project.home / f"{name}.log").open("w") as stream:
            self.running[name] = subprocess.Popen(
                [str(BIN / program), *options[:at], *more, *options[at:]],
                cwd=self.project.folder,
                env=variables,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """End the process `name` and all that it has started, as a lost machine does."""
        self.signal(name, signal.SIGKILL)
        self.running.pop(name).wait(20)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to the process `name` and all that it has started."""
        os.killpg(self.running[name].pid, number)

    def says(self, name: str, text: str) -> None:
        """Wait until the process `name` has said `text`."""

        def said() -> bool:
            assert self.running[name].poll() is None, self.log(name)[-4000:]
            return text in self.log(name)

        wait_until(said, _STARTS_S, lambda: self.log(name)[-4000:])

    def _here(self, argument: str) -> str:
        argument = argument.replace("/opt/dagster/home", str(self.project.home))
        if argument == "0.0.0.0":  # what a container listens on
            return "127.0.0.1"
        return str(self.ports[int(argument)]) if argument.isdigit() else argument


@contextmanager
def cluster(
    folder: Path, declared: Mapping[str, str], variables: Mapping[str, str]
) -> Iterator[Cluster]:
    """Run the servers, the code location, webserver and daemon; workers are the caller's.

    `variables` go before the compose file's.
    """
    services = yaml.safe_load(COMPOSE.read_text())["services"]
    with ExitStack() as stack:
        redis, postgres = (
            stack.enter_context(redis_server()),
            stack.enter_context(postgres_server()),
        )
        store = stack.enter_context(s3_store())
        store.make_bucket("archive")
        ports = {4000: free_port(), 3000: free_port()}
        here = {
            "DAGSTER_POSTGRES_HOST": "127.0.0.1",
            "DAGSTER_POSTGRES_PORT": str(postgres),
            "DAGSTER_POSTGRES_PASSWORD": PASSWORD,
            "CELERY_BROKER_URL": f"{redis}/0",
            "CELERY_RESULT_BACKEND": f"{redis}/1",
            "RASTERET_ASSETS_CODE_HOST": "127.0.0.1",
            "RASTERET_ASSETS_CODE_PORT": str(ports[4000]),
            "RASTERET_ASSETS_CELERY": str(folder / "dagster_home" / "celery.yaml"),
            "PATH": f"{BIN}:{os.environ['PATH']}",
            **store.env,
        }
        given = {
            name: _defaults(str(value))
            for name, value in services["code"]["environment"].items()
            if name not in here
        }
        project = project_of(folder, declared, {**given, **here, **variables})
        shutil.copytree(ROOT / "deploy", project.folder / "deploy")
        for name in ("dagster.yaml", "celery.yaml"):
            shutil.copy(ROOT / "deploy" / name, project.home)
        started = Cluster(project=project, store=store, services=services, ports=ports)
        try:
            yield started
        finally:
            for name in list(started.running):
                started.kill(name)


def _defaults(value: str) -> str:
    """Return the value with `${NAME:-default}` replaced by the default."""
    before, mark, rest = value.partition("${")
    if not mark:
        return value
    name, _, after = rest.partition("}")
    return _defaults(before + name.partition(":-")[2] + after)
