"""`dagster dev` as a process, and its GraphQL interface."""

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.assets.projects import BIN, Project
from tests.rig.http_server import free_port

STARTS_S = 120
"""Seconds the server may take to answer, on a busy machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ui:
    """A running server with its daemon."""

    url: str

    def ask(self, query: str, variables: Mapping[str, object] | None = None) -> Any:  # noqa: ANN401  # JSON
        """Return the data that a GraphQL query or mutation answers."""
        body = json.dumps({"query": query, "variables": variables or {}}).encode()
        request = urllib.request.Request(  # noqa: S310  # our own server
            f"{self.url}/graphql", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310  # likewise
            told = json.load(response)
        assert "errors" not in told, told["errors"]
        return told["data"]

    def runs(self) -> list[dict[str, Any]]:
        """Return every run with its job, status and tags, oldest first."""
        query = "{ runsOrError { ... on Runs { results { jobName status tags { key value } } } } }"
        found = self.ask(query)["runsOrError"]["results"]
        return [
            {**run, "tags": {tag["key"]: tag["value"] for tag in run["tags"]}}
            for run in reversed(found)
        ]


@contextmanager
def dagster_dev(project: Project) -> Iterator[Ui]:
    """Run `dagster dev -w workspace.yaml` in the project's folder meanwhile."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    log = project.home / "dev.log"
    with log.open("w") as stream:
        process = subprocess.Popen(
            [
                str(BIN / "dagster"),
                "dev",
                "-w",
                "workspace.yaml",
                "-h",
                "127.0.0.1",
                "-p",
                str(port),
            ],
            cwd=project.folder,
            env=project.environment(),
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            wait_until(lambda: _answers(url), STARTS_S, lambda: log.read_text()[-4000:])
            yield Ui(url=url)
        finally:
            os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)


def wait_until(
    condition: Callable[[], bool], seconds: float, told: Callable[[], object] = lambda: ""
) -> None:
    """Return once `condition` holds; after `seconds`, fail with what `told` says."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, told()
        time.sleep(0.5)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/server_info", timeout=5) as response:  # noqa: S310  # our own
            return bool(response.status == 200)
    except OSError:
        return False
