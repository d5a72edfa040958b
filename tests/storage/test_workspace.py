from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rasteret_assets.errors import ConfigError, WorkspaceError
from rasteret_assets.storage import Workspace
from rasteret_assets.storage.filesystems import filesystem_of
from tests.storage.made import collection_update, draft, month, update


def test_the_root_is_given_or_the_environments_or_in_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("RASTERET_WORKSPACE", raising=False)
    assert Workspace().root == str(tmp_path / "rasteret_workspace")
    monkeypatch.setenv("RASTERET_WORKSPACE", "~/elsewhere")
    assert Workspace().root == str(tmp_path / "elsewhere")
    monkeypatch.setenv("RASTERET_WORKSPACE", "s3://bucket/work/")
    assert Workspace().root == "s3://bucket/work"
    assert Workspace(tmp_path).root == str(tmp_path)


def test_everything_lies_where_the_layout_says(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.collection("maxar-opendata").commit(collection_update(month(2024, 6, 1)))
    workspace.stage("maxar-opendata", "raw_table").commit(update())
    workspace.stage("maxar-opendata", "band_headers", "eo:red/1").commit(update())
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    assert {
        "maxar-opendata_records/year=2024/month=6/part-000001-0.parquet",
        "maxar-opendata_records/_manifest-000001.json",
        ".stages/maxar-opendata/raw_table/_manifest-000001.json",
        ".stages/maxar-opendata/band_headers/eo%3Ared%2F1/_manifest-000001.json",
    } <= found


def test_collections_are_listed_found_and_deleted(place: str) -> None:
    workspace = Workspace(f"{place}/work")
    assert workspace.names() == []
    for name in ("b", "a.1", "half"):
        workspace.stage(name, "raw_table").commit(update(draft(name, 1)))
    for name in ("b", "a.1"):
        workspace.collection(name).commit(collection_update(month(2024, 1, 2)))
    assert workspace.names() == ["a.1", "b"]
    assert workspace.has("half")
    assert not workspace.has("c")
    assert workspace.find("b").open().count_rows() == 2
    assert workspace.find(workspace.collection("b").url).open().count_rows() == 2
    with pytest.raises(WorkspaceError, match=r"nosuch: no Collection.*\['a.1', 'b'\]"):
        workspace.find("nosuch")
    workspace.delete("b")
    workspace.delete("half")
    workspace.delete("half")
    assert workspace.names() == ["a.1"]
    assert not workspace.has("b")
    assert workspace.has("a.1")
    fs, root = filesystem_of(workspace.root)
    assert all("a.1" in name for name in fs.find(root))


def test_bands_are_those_whose_headers_were_committed(place: str) -> None:
    workspace = Workspace(f"{place}/work")
    assert workspace.bands("demo") == []
    bands = ["B04", "eo:red/1", "..", "ü b"]
    for band in bands:
        workspace.stage("demo", "band_headers", band).commit(update(draft(band, 1)))
    begun = workspace.stage("demo", "band_headers", "begun")
    begun.write_file("x.parquet", pa.table({"a": [1]}))
    assert workspace.bands("demo") == sorted(bands)


@settings(deadline=None)  # busy machines are slow, not wrong
@given(st.text(min_size=1, max_size=12))
def test_no_band_reaches_outside_its_folder(band: str) -> None:
    workspace = Workspace("/work")
    url = workspace.stage("demo", "band_headers", band).url
    folder, _, name = url.rpartition("/")
    assert folder == "/work/.stages/demo/band_headers"
    assert name not in {"", ".", ".."}
    assert filesystem_of(url)[1] == url


@pytest.mark.parametrize("name", ["", "..", "../evil", "/abs", "a/b", "a b", ".hidden", "é"])
def test_no_other_name_reaches_outside_the_root(tmp_path: Path, name: str) -> None:
    workspace = Workspace(tmp_path)
    for use in (workspace.collection, workspace.bands, workspace.has, workspace.delete):
        with pytest.raises(ConfigError):
            use(name)
    with pytest.raises(ConfigError):
        workspace.stage("demo", name)
    with pytest.raises(ConfigError):
        workspace.stage(name, "raw_table")


def test_a_band_has_a_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="empty"):
        Workspace(tmp_path).stage("demo", "band_headers", "")


@pytest.mark.parametrize(
    ("root", "said"),
    [
        ("", "it is blank"),
        (" ", "it is blank"),
        ("s3://", "names no bucket"),
        ("memory://", "names no folder"),
        ("file:///", "names no folder"),
        ("https://example.com/work", "nothing is written to web addresses"),
    ],
)
def test_a_root_is_a_place_to_write_to(root: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        Workspace(root)
    with pytest.raises(ConfigError, match="it is blank"):
        Workspace(tmp_path).find(" ")


@pytest.mark.usefixtures("s3")  # its environment
@pytest.mark.parametrize(
    ("use", "name"),
    [
        (Workspace.bands, "a"),
        (Workspace.has, "a"),
        (Workspace.delete, "a"),
        (Workspace.find, "a"),
        (Workspace.find, "s3://odd[name/a"),
    ],
    ids=["bands", "has", "delete", "find", "odd"],
)
def test_storage_that_cannot_be_asked_is_told_of_in_one_line(
    monkeypatch: pytest.MonkeyPatch, use: Callable[[Workspace, str], object], name: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(WorkspaceError, match=r"^s3://.*: cannot be asked \(.*\); check.*$"):
        use(Workspace("s3://bucket/work"), name)


def test_a_collection_is_committed_once_any_part_of_it_has_a_state(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.stage("begun", "remapped").write_file("x.parquet", pa.table({"a": [1]}))
    workspace.stage("begun", "band_headers", "B04").write_file("x.parquet", pa.table({"a": [1]}))
    assert workspace.has("begun")
    assert not workspace.is_committed("begun")
    assert not workspace.is_committed("nothing")
    workspace.stage("stage", "remapped").commit(update())
    workspace.stage("band", "band_headers", "eo:red/1").commit(update())
    workspace.collection("whole").commit(collection_update(month(2024, 6, 1)))
    assert all(workspace.is_committed(name) for name in ("stage", "band", "whole"))
