"""An environment that leads to no store."""

import os
from typing import Final

import pytest

NOBODY: Final = "http://127.0.0.1:1"
"""Where nothing listens: a request that follows the environment fails."""
ELSEWHERE: Final = {
    "AWS_ENDPOINT_URL": NOBODY,
    "AWS_ENDPOINT_URL_S3": NOBODY,
    "AWS_ACCESS_KEY_ID": "AKID",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "STORAGE_EMULATOR_HOST": NOBODY,
}
_OF_STORES: Final = ("AWS_", "GS_", "GOOGLE_", "STORAGE_")


def go_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the environment name keys, and stores that are nowhere."""
    for name in of_stores():
        monkeypatch.delenv(name)
    for name, value in ELSEWHERE.items():
        monkeypatch.setenv(name, value)


def of_stores() -> dict[str, str]:
    """What the environment says of stores now."""
    return {name: value for name, value in os.environ.items() if name.startswith(_OF_STORES)}
