"""How object storage is reached, from run config: what it says is the process's environment."""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, Self

import dagster as dg
from pydantic import Field

from rasteret_assets.errors import ConfigError

_KEYS: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")

Variables = dict[str, str | None]
"""Environment variables by name; None is one that is not there."""


class ObjectStorageResource(dg.ConfigurableResource[None]):
    """Which S3 and which Google Cloud Storage are meant, and as whom they are asked.

    While it is live, in each process of a run and in each look of a sensor or schedule, what is
    set here is said by the usual environment variables; then they are again as they were. A
    field that is not set is as the environment says, an empty text is as if that said nothing.
    Fetching, tables and workspace all follow these variables, and so do botocore and google-auth,
    which look for credentials.

    Keys and tokens are no fields, on purpose: run config is kept, and shown in the UI. They come
    from the environment, from a profile, or from the machine's role.

    To configure it for a deployment, write a subclass with other defaults: run config that
    sets some fields then leaves the others as they are.
    """

    s3_endpoint: str | None = Field(
        default=None,
        description="A store other than Amazon's that speaks S3, as https://host[:port]; goes "
        "before AWS_ENDPOINT_URL_S3 and AWS_ENDPOINT_URL.",
    )
    s3_region: str | None = Field(
        default=None,
        description="Where buckets are taken to be; goes before AWS_REGION and AWS_DEFAULT_REGION.",
    )
    s3_profile: str | None = Field(
        default=None,
        description="Profile of AWS's configuration files to ask as; goes before AWS_PROFILE, "
        "and before keys in the environment.",
    )
    s3_unsigned: bool | None = Field(
        default=None,
        description="Whether S3 is asked without credentials; goes before AWS_NO_SIGN_REQUEST.",
    )
    s3_requester_pays: bool | None = Field(
        default=None,
        description="Whether whoever reads tables in S3 pays for it; goes before "
        "AWS_REQUEST_PAYER. Of GeoTIFFs the enrichment resource says so.",
    )
    gs_endpoint: str | None = Field(
        default=None,
        description="A store other than Google's that speaks its protocol, never given a token; "
        "goes before STORAGE_EMULATOR_HOST.",
    )
    gs_unsigned: bool | None = Field(
        default=None,
        description="Whether Google's store is asked without a token; goes before "
        "GS_NO_SIGN_REQUEST.",
    )
    gs_credentials_file: str | None = Field(
        default=None,
        description="File of a Google account to ask as, on the machine of the step; goes before "
        "GOOGLE_APPLICATION_CREDENTIALS.",
    )

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Self]:  # type: ignore[override]  # noqa: ARG002  # of a resource that is its own value Dagster says None
        """Have the process's environment say what is set here, as long as it is live.

        Raises
        ------
        ConfigError
            If another run or sensor of this process has it say something else.
        """
        with _PROCESS.saying(self.variables()):
            yield self

    def variables(self) -> Variables:
        """Return the environment variables that say what is set here."""
        said: Variables = {
            **_text(self.s3_endpoint, "AWS_ENDPOINT_URL_S3"),
            **_text(self.s3_region, "AWS_REGION", "AWS_DEFAULT_REGION"),
            **_text(self.s3_profile, "AWS_PROFILE", "AWS_DEFAULT_PROFILE"),
            **_flag(self.s3_unsigned, "AWS_NO_SIGN_REQUEST"),
            **_flag(self.s3_requester_pays, "AWS_REQUEST_PAYER", "requester"),
            **_text(self.gs_endpoint, "STORAGE_EMULATOR_HOST"),
            **_flag(self.gs_unsigned, "GS_NO_SIGN_REQUEST"),
            **_text(self.gs_credentials_file, "GOOGLE_APPLICATION_CREDENTIALS"),
        }
        if self.s3_endpoint == "":
            said["AWS_ENDPOINT_URL"] = None
        if self.s3_profile:  # botocore prefers keys, unless a profile is named in code
            said |= dict.fromkeys(_KEYS)
        return said


def _text(value: str | None, *names: str) -> Variables:
    return {} if value is None else dict.fromkeys(names, value or None)


def _flag(value: bool | None, name: str, yes: str = "YES") -> Variables:  # noqa: FBT001  # a field's value
    return {} if value is None else {name: yes if value else None}


class _Environment:
    """The environment of this process, for as many as want it to say the same.

    A code server looks at sensors in several threads, each of which has the resource live.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._said: Variables = {}
        self._before: Variables = {}

    @contextmanager
    def saying(self, variables: Variables) -> Iterator[None]:
        """Have `variables` in the environment; the last to leave puts back what was there.

        Raises
        ------
        ConfigError
            If others want something else said at this moment: they would read from each other's
            stores.
        """
        self._enter(variables)
        try:
            yield
        finally:
            self._leave()

    def _enter(self, variables: Variables) -> None:
        with self._lock:
            if self._users and variables != self._said:
                names = sorted({name for name, _ in variables.items() ^ self._said.items()})
                msg = (
                    f"object_storage: another run of this process has it otherwise "
                    f"({', '.join(names)}), and a process has one environment; run one after "
                    "the other, or each in a process of its own"
                )
                raise ConfigError(msg)
            if not self._users:
                self._said = dict(variables)
                self._before = {name: os.environ.get(name) for name in variables}
                _write(variables)
            self._users += 1

    def _leave(self) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                _write(self._before)


def _write(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


_PROCESS: Final = _Environment()
