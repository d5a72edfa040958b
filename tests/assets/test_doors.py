"""The Dagster door and the Python door give the same; and the one does not open the other."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import pyarrow as pa

from rasteret_assets.api import build_from_table, load
from tests.assets.conftest import BANDS, Archive
from tests.assets.runs import Deployment
from tests.rig.http_server import Fault


def test_dagster_and_plain_python_give_the_same_collection(
    deployment: Deployment, archive: Archive
) -> None:
    archive.server.always("001/B08.tif", Fault(status=404))
    assert deployment.run(bands=BANDS).success
    ours = load("demo", workspace_dir=deployment.root)

    theirs = build_from_table(
        archive.folder / "items.parquet",
        "demo",
        enrich_cog=True,
        band_codes=BANDS,
        workspace_dir=deployment.root + "-python",
    )

    assert ours.dataset.to_table().equals(theirs.dataset.to_table(), check_metadata=False)
    assert ours.schema.equals(theirs.schema)
    assert _lasting(ours.problems).equals(_lasting(theirs.problems))


def test_either_door_goes_on_from_the_other(deployment: Deployment, archive: Archive) -> None:
    build = partial(
        build_from_table,
        archive.folder / "items.parquet",
        "demo",
        enrich_cog=True,
        workspace_dir=deployment.root,
        update=True,
    )
    build(band_codes=["B04"])
    archive.gets()

    assert deployment.run(bands=["B04", "B08"]).success
    assert archive.gets() == 4  # those of B04 are known

    build(band_codes=BANDS)
    assert archive.gets() == 4


_PROGRAM = """
import sys
import rasteret_assets

table, workspace = sys.argv[1:]
rasteret_assets.build_from_table(table, "demo", enrich_cog=True, workspace_dir=workspace)
print([name for name in sys.modules if name.partition(".")[0] in ("dagster", "resources")])
"""


def test_plain_python_never_imports_dagster(archive: Archive, tmp_path: Path) -> None:
    given = [str(archive.folder / "items.parquet"), str(tmp_path / "workspace")]
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _PROGRAM, *given],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "[]\n"


def _lasting(problems: pa.Table) -> pa.Table:
    """Return all but the moment a file was tried."""
    return problems.drop_columns(["tried_at"])
