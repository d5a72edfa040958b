"""What each argument does, and what is said of a wrong one."""

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import rasteret_assets
from rasteret_assets.contract.settings import FetchSettings
from rasteret_assets.errors import ConfigError, RasteretAssetsError
from rasteret_assets.pipeline import build
from tests.pipeline.conftest import Archive


def _build(
    archive: Archive,
    workspace: Path,
    **arguments: Any,  # noqa: ANN401  # those of build_from_table
) -> rasteret_assets.Collection:
    found = {"enrich_cog": True, "workspace_dir": workspace, **arguments}
    return rasteret_assets.build_from_table(str(archive.folder), "s2", **found)


@pytest.mark.parametrize(
    ("arguments", "most"),
    [
        ({"max_concurrent": 2}, 2),
        ({"fetch": FetchSettings(max_concurrent=3)}, 3),
        ({"fetch": FetchSettings(max_attempts=2), "max_concurrent": 2}, 2),
        ({"fetch": FetchSettings(max_concurrent=3, max_per_host=3), "max_concurrent": 6}, 6),
        ({"fetch": FetchSettings(max_per_host=3), "max_concurrent": 6}, 3),
    ],
    ids=["max_concurrent", "fetch", "fewer", "more", "per host"],
)
def test_max_concurrent_goes_before_that_of_fetch(
    archive: Archive, workspace: Path, arguments: dict[str, Any], most: int
) -> None:
    archive.server.latency_s = 0.1
    archive.write(archive.table(10))
    _build(archive, workspace, **arguments)
    assert archive.server.peak_in_flight == most


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"band_codes": "B04"}, "band_codes=['B04']"),
        ({"columns": "id"}, "columns=['id']"),
        ({"retry": "x"}, "retry is 'x'; choose one of none, healable, all"),
        ({"filter_expr": 5}, "filter_expr is 5; give a pyarrow.compute expression"),
        ({"max_concurrent": 0}, "max_concurrent is 0"),
        ({"workspace_dir": ""}, "workspace '': it is blank"),
        ({"workspace_dir": "https://example.com/"}, "nothing is written to web addresses"),
        ({"workspace_dir": "s3://"}, "s3://: names no bucket"),
    ],
)
def test_a_wrong_argument_is_named_with_what_is_right(
    archive: Archive, workspace: Path, arguments: dict[str, Any], said: str
) -> None:
    archive.write(archive.table(1))
    with pytest.raises(ConfigError, match=re.escape(said)):
        _build(archive, workspace, **arguments)
    assert not workspace.exists()


@pytest.mark.parametrize("blank", ["", " ", ["items.parquet", ""]])
def test_a_blank_source_is_not_the_current_folder(
    archive: Archive, workspace: Path, monkeypatch: pytest.MonkeyPatch, blank: str | list[str]
) -> None:
    archive.write(archive.table(1))
    monkeypatch.chdir(archive.folder)
    with pytest.raises(ConfigError, match="a source is blank"):
        rasteret_assets.build_from_table(blank, "s2", workspace_dir=workspace)


def test_a_blank_name_is_not_the_current_folder(
    archive: Archive, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.write(archive.table(1))
    monkeypatch.chdir(archive.folder)
    with pytest.raises(ConfigError, match="collection name ''"):
        rasteret_assets.build_from_table("items.parquet", "", workspace_dir=workspace)
    with pytest.raises(ConfigError, match="collection '': it is blank"):
        rasteret_assets.load("", workspace_dir=workspace)


def test_a_build_that_fails_leaves_what_another_process_built_meanwhile(
    archive: Archive, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = archive.write(archive.table(3))

    def after_another(*given: Any, **named: Any) -> object:  # noqa: ANN401  # those of build
        monkeypatch.undo()
        _build(archive, workspace)
        pq.write_table(pa.table({"id": ["a"]}), path)
        return build(*given, **named)

    monkeypatch.setattr("rasteret_assets.api.build", after_another)
    with pytest.raises(RasteretAssetsError, match="geometry"):
        _build(archive, workspace)
    assert len(rasteret_assets.load("s2", workspace_dir=workspace)) == 3
