"""Files that need signatures, through the doors that users have."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import rasteret_assets
from rasteret_assets import Collection, FetchSettings
from rasteret_assets.errors import ConfigError, FetchError, ProblemCode
from tests.pipeline.conftest import Archive
from tests.rig.http_server import Fault, RangeServer
from tests.rig.scenes import geotiff, pixels, record_table, write_table
from tests.rig.signers import TokenSigner, install_signer, planetary_service


def all_that_is_written(workspace: Path) -> str:
    """The text of every file, that of Parquet decoded."""
    said = []
    for path in filter(Path.is_file, workspace.rglob("*")):
        if path.read_bytes()[:4] == b"PAR1":
            file = pq.ParquetFile(path)
            said += [str(file.read().to_pylist()), str(file.metadata.metadata)]
        else:
            said.append(path.read_text())
    assert said
    return "\n".join(said)


def first_pixels(collection: Collection) -> np.ndarray:
    found = collection.head(1).get_numpy(bands=["B04"], fetch=FetchSettings(max_attempts=1))
    return np.asarray(found[0, 0])


def test_tokens_are_renewed_in_mid_build_and_never_written_down(
    archive: Archive, workspace: Path
) -> None:
    archive.add(90, start=10)
    archive.server.latency_s = 0.1
    signer = TokenSigner(archive.server, ttl_s=1.0)
    archive.server.demand_tokens()
    archive.server.plan("007/B08.tif", Fault(status=404))
    built = rasteret_assets.build_from_table(
        archive.write(archive.table(100)),
        "s2",
        enrich_cog=True,
        sign=signer,
        max_concurrent=5,
        workspace_dir=workspace,
    )
    assert built.problems["code"].to_pylist() == [ProblemCode.NOT_FOUND]
    assert len(signer.issued) >= 3
    refused = [one for one in archive.server.seen() if one.status == 403]
    assert len(refused) <= 5 * len(signer.issued)  # at most those on their way when one expired
    written = all_that_is_written(workspace)
    assert archive.href(99, "B08") in written
    assert [token for token in signer.issued if token in written] == []


def test_a_collection_whose_hrefs_need_signing_is_read_by_the_same_signer(
    archive: Archive, workspace: Path
) -> None:
    signer = TokenSigner(archive.server)
    archive.server.demand_tokens()
    path = archive.write(archive.table(2))
    built = rasteret_assets.build_from_table(
        path, "s2", enrich_cog=True, sign=signer, workspace_dir=workspace
    )
    np.testing.assert_array_equal(first_pixels(built), pixels(0))
    np.testing.assert_array_equal(first_pixels(built.subset(bands=["B04"])), pixels(0))
    np.testing.assert_array_equal(first_pixels(rasteret_assets.merge(built, built)), pixels(0))
    rows = built.dataset.to_table()
    again = rasteret_assets.as_collection(rows, sign=signer)
    np.testing.assert_array_equal(first_pixels(again), pixels(0))
    loaded = rasteret_assets.load("s2", workspace_dir=workspace)
    with pytest.raises(FetchError, match="forbidden"):
        first_pixels(loaded)
    signed = rasteret_assets.load("s2", workspace_dir=workspace, sign=signer)
    np.testing.assert_array_equal(first_pixels(signed), pixels(0))
    assert len(signer.asked) <= 3  # once for building, once for reading, whatever is read


def test_a_signer_of_another_package_is_asked_for_by_name_and_remembered(
    archive: Archive, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"port-{archive.server.port}"
    token = install_signer(tmp_path, archive.server, name)
    monkeypatch.syspath_prepend(str(tmp_path))
    path = archive.write(archive.table(2))
    rasteret_assets.build_from_table(
        path, "s2", enrich_cog=True, sign=name, workspace_dir=workspace
    )
    loaded = rasteret_assets.load("s2", workspace_dir=workspace)
    np.testing.assert_array_equal(first_pixels(loaded), pixels(0))
    loaded.export(tmp_path / "out")
    rows = rasteret_assets.as_collection(loaded.dataset.to_table())
    np.testing.assert_array_equal(first_pixels(rows), pixels(0))
    exported = rasteret_assets.load(tmp_path / "out")
    np.testing.assert_array_equal(first_pixels(exported), pixels(0))
    written = all_that_is_written(workspace)
    assert name in written
    assert token not in written


def test_naming_a_signer_later_changes_no_file(
    archive: Archive, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"port-{archive.server.port}"
    path = archive.write(archive.table(2))
    rasteret_assets.build_from_table(path, "s2", enrich_cog=True, workspace_dir=workspace)
    before = {file: file.stat().st_mtime_ns for file in workspace.rglob("s2_records/**/*.parquet")}
    archive.gets()
    install_signer(tmp_path, archive.server, name)
    monkeypatch.syspath_prepend(str(tmp_path))
    updated = rasteret_assets.build_from_table(
        path, "s2", enrich_cog=True, sign=name, workspace_dir=workspace, update=True
    )
    assert archive.gets() == 0
    assert {file: file.stat().st_mtime_ns for file in before} == before
    loaded = rasteret_assets.load("s2", workspace_dir=workspace)
    for collection in (updated, loaded):
        np.testing.assert_array_equal(first_pixels(collection), pixels(0))


@pytest.mark.parametrize(
    ("sign", "said"),
    [
        ("nobody", r"sign 'nobody': no signer has that name; there are \['planetary-computer'\]"),
        (object(), "sign is <object .*: give the name of a signer, such as 'planetary-computer'"),
    ],
)
def test_what_is_no_signer_is_refused_before_anything_is_done(
    archive: Archive, workspace: Path, sign: object, said: str
) -> None:
    path = archive.write(archive.table(1))
    with pytest.raises(ConfigError, match=said):
        rasteret_assets.build_from_table(path, "s2", workspace_dir=workspace, sign=sign)  # type: ignore[arg-type]  # as a caller without types may
    assert not workspace.exists()


READ = """
import sys, rasteret_assets
found = rasteret_assets.load("naip", workspace_dir=sys.argv[1]).head(1).get_numpy(bands=["B04"])
print(int(found.astype("int64").sum()))
"""


def test_the_planetary_computers_files_are_imported_from_a_shell_and_read(tmp_path: Path) -> None:
    with RangeServer() as server:
        environment = {**os.environ, **planetary_service(server, "naipeuwest", "naip")}
        for number in range(3):
            server.put(f"naip/{number}/B04.tif", geotiff(number))
        blob = "http://naipeuwest.blob.core.windows.net/naip"
        table = record_table(3, lambda number, band: f"{blob}/{number}/{band}.tif", ["B04"])
        path = write_table(table, tmp_path / "items.parquet")
        workspace = tmp_path / "workspace"

        def run(program: str, *arguments: str) -> str:
            done = subprocess.run(
                [str(Path(sys.executable).with_name(program)), *arguments],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
            assert done.returncode == 0, done.stderr
            return done.stdout

        told = json.loads(
            run(
                *("rasteret-assets", "collections", "import", "naip", "--json"),
                *("--record-table", path, "--enrich", "--workspace", str(workspace)),
                *("--sign", "planetary-computer"),
            )
        )
        total = run("python", "-c", READ, str(workspace))
        tokens = {one.query for one in server.seen() if one.path.startswith("naip/")}
    assert told["coverage"] == {"B04": 3}
    assert int(total) == pixels(0).astype("int64").sum()
    assert len(tokens) == 1
    (token,) = tokens
    assert "sig=" in token
    assert token.partition("sig=")[2] not in all_that_is_written(workspace)
