"""Where the demo keeps its things: within the checkout, unless told otherwise.

`RASTERET_ASSETS_DEMO_FOLDER` puts all of them elsewhere, Dagster's home included.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import requests

from examples.demo_archive import TABLE
from examples.serve import serving

ROOT = Path(__file__).resolve().parents[1]
DEMO = Path(os.environ.get("RASTERET_ASSETS_DEMO_FOLDER", ROOT / ".demo"))
ARCHIVE = DEMO / "archive"
PORT = 8731
"""Always the same, so that hrefs are, and what is known of them is found again."""


def environment(url: str) -> dict[str, str]:
    """Return the environment of the demo's Dagster: its home, its workspace, the archive's URL."""
    home = ROOT / ".dagster" if DEMO.parent == ROOT else DEMO / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(ROOT / "dagster.yaml", home / "dagster.yaml")
    return {
        "RASTERET_WORKSPACE": str(DEMO / "workspace"),
        **os.environ,
        "DAGSTER_HOME": str(home),
        "RASTERET_ASSETS_DEMO_TABLE": str(ARCHIVE / TABLE),
        "RASTERET_ASSETS_DEMO_URL": url,
    }


def workspace() -> str:
    """Return the workspace that the demo's Collection lies in."""
    return os.environ.get("RASTERET_WORKSPACE", str(DEMO / "workspace"))


@contextmanager
def served_archive() -> Iterator[str]:
    """Serve the archive meanwhile, unless that is done already (`make ui` runs); gives its URL."""
    with ExitStack() as open_things:
        try:
            url = open_things.enter_context(serving(ARCHIVE, PORT))
        except OSError:
            url = f"http://127.0.0.1:{PORT}"
            if not _serves_archive(url):
                msg = f"port {PORT} is taken by another program; end that, then try again"
                raise SystemExit(msg) from None
        yield url


def _serves_archive(url: str) -> bool:
    try:
        answer = requests.get(f"{url}/{TABLE}", timeout=5)
    except requests.RequestException:
        return False
    return answer.content == (ARCHIVE / TABLE).read_bytes()
