"""Files that need signatures, declared in YAML and enriched by Dagster."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml  # type: ignore[import-untyped]  # the stubs are a package of their own

from rasteret_assets import load
from rasteret_assets.assets import RecordTableCollection
from rasteret_assets.errors import ConfigError
from tests.assets.conftest import BANDS, Archive, collection_yaml
from tests.assets.runs import Deployment
from tests.rig.scenes import pixels
from tests.rig.signers import install_signer


def test_a_declared_signer_signs_what_a_run_fetches_and_what_is_read_later(
    deployment: Deployment, archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"port-{archive.server.port}"
    install_signer(tmp_path, archive.server, name)
    monkeypatch.syspath_prepend(str(tmp_path))
    text = collection_yaml("demo", archive.folder / "items.parquet", bands=BANDS, sign=name)
    component = RecordTableCollection.model_validate(yaml.safe_load(text)["attributes"])
    signed = replace(deployment, declared=component.declared(tmp_path))

    assert signed.run(bands=BANDS).success

    assert {one.status for one in archive.server.seen() if one.path != "token"} == {206}
    collection = load("demo", workspace_dir=signed.root)
    assert collection.problems.num_rows == 0
    found = collection.head(1).get_numpy(bands=["B08"])
    np.testing.assert_array_equal(found[0, 0], pixels(1, side=64))


def test_a_signer_that_nobody_knows_is_a_load_error(tmp_path: Path) -> None:
    given = {"name": "demo", "source": "items.parquet", "sign": "nobody"}
    with pytest.raises(ConfigError, match="no signer has that name"):
        RecordTableCollection.model_validate(given).declared(tmp_path)
