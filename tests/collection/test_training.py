"""Where TorchGeo is not installed. `tests/torchgeo` has the rest; `make test-torchgeo` runs it."""

import sys

import pytest

from rasteret_assets import Collection
from rasteret_assets.errors import ConfigError


def test_without_torchgeo_the_extra_is_named(
    enriched: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # as if it were not installed, also where it is
    with pytest.raises(ConfigError, match=r"pip install 'rasteret-assets\[torchgeo\]'"):
        enriched.to_torchgeo_dataset()
