"""Configuration of a deployment, as resources: each turns into plain settings when a run starts."""

from typing import Literal

import dagster as dg
from pydantic import Field

from rasteret_assets.contract.settings import BuildSettings, FetchSettings, Retry

_FETCH = FetchSettings()
_BUILD = BuildSettings()


class EnrichmentResource(dg.ConfigurableResource[None]):
    """How hard fetching may lean on servers, and how much work is taken at a time.

    To configure it for a deployment, write a subclass with other defaults: run config that
    sets some fields then leaves the others as they are.
    """

    max_concurrent: int = Field(
        default=_FETCH.max_concurrent,
        description="Range requests one chunk of work has open at once, over all hosts.",
    )
    max_per_host: int = Field(
        default=_FETCH.max_per_host,
        description="Range requests one chunk of work has open at once to one host.",
    )
    connect_timeout_s: float = Field(
        default=_FETCH.connect_timeout_s, description="Seconds a connection may take to open."
    )
    request_timeout_s: float = Field(
        default=_FETCH.request_timeout_s, description="Seconds one request may take."
    )
    max_attempts: int = Field(
        default=_FETCH.max_attempts, description="Tries of one request in all."
    )
    retry_budget_s: float = Field(
        default=_FETCH.retry_budget_s,
        description="Seconds all tries of one file may take together.",
    )
    first_read_bytes: int = Field(
        default=_FETCH.first_read_bytes,
        description="Size of the first read of a file; adapts per host and band.",
    )
    first_read_bytes_max: int = Field(
        default=_FETCH.first_read_bytes_max, description="What the first read may grow to."
    )
    requester_pays: bool = Field(
        default=_FETCH.requester_pays,
        description="Whether requests may be billed to the caller's account (s3 and gs).",
    )
    allow_local_files: bool = Field(
        default=_FETCH.allow_local_files,
        description="Whether a remote table may name files of the machine the run is on.",
    )
    chunk_headers: int = Field(
        default=_BUILD.chunk_headers,
        description="Headers (records x bands) of one chunk of work: what a step brings, and "
        "what a killed run has to bring again, at most.",
    )
    retry: Literal["none", "healable", "all"] = Field(
        default="healable",
        description="Which headers that failed before are asked for again: those that may have "
        "healed (throttling, time-outs, servers that were down), all, or none.",
    )
    retry_rounds: int | None = Field(
        default=None,
        description="Runs after which headers that failed are left alone; without it, never.",
    )
    look_at_pixels: bool = Field(
        default=True,
        description="Whether pixels of one record are read for the picture and the check of a "
        "Collection that has changed: a few requests.",
    )
    refetch: bool = Field(
        default=False, description="Whether headers known already are fetched all the same."
    )

    def fetch_settings(self) -> FetchSettings:
        """Return how to fetch.

        Raises
        ------
        ConfigError
            If a value is out of its range.
        """
        return FetchSettings(
            max_concurrent=self.max_concurrent,
            max_per_host=self.max_per_host,
            connect_timeout_s=self.connect_timeout_s,
            request_timeout_s=self.request_timeout_s,
            max_attempts=self.max_attempts,
            retry_budget_s=self.retry_budget_s,
            first_read_bytes=self.first_read_bytes,
            first_read_bytes_max=self.first_read_bytes_max,
            requester_pays=self.requester_pays,
            allow_local_files=self.allow_local_files,
        )

    def look_settings(self) -> FetchSettings | None:
        """Return how to read the pixels of one record; None where none are to be read."""
        return self.fetch_settings() if self.look_at_pixels else None

    def build_settings(self) -> BuildSettings:
        """Return how many headers make a chunk of work.

        Raises
        ------
        ConfigError
            If there are none.
        """
        return BuildSettings(chunk_headers=self.chunk_headers)

    def retry_policy(self) -> Retry:
        """Return which failed headers are asked for again."""
        return Retry(self.retry)
