"""Limits and their defaults, as plain frozen values."""

from dataclasses import dataclass, field
from enum import StrEnum

from rasteret_assets.errors import ConfigError


def _at_least(least: float, **values: float) -> None:
    for name, value in values.items():
        if value < least:
            msg = f"{name} is {value}; it must be at least {least}"
            raise ConfigError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderBudget:
    """How much one file's header may cost before it is a problem (`over_budget`)."""

    requests: int = 8
    """Range requests per file."""
    total_bytes: int = 64 << 20
    """Bytes fetched per file."""
    ifds: int = 128
    """Image file directories followed, SubIFDs included."""
    entries: int = 4096
    """Tags in one directory."""
    tag_bytes: int = 1 << 20
    """Bytes of one tag's value, offset and byte-count arrays aside."""
    tiles: int = 1 << 24
    """Tiles or strips of one image, all planes together."""
    image_bytes: int = 1 << 50
    """Width x height x bytes per pixel."""
    tile_pixels: int = 1 << 26
    """Pixels of one tile or strip."""
    tile_bytes: int = 1 << 30
    """Decoded bytes of one tile or strip, all its samples together."""

    def __post_init__(self) -> None:
        _at_least(1, **{name: getattr(self, name) for name in self.__slots__})


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchSettings:
    """How hard, and how patiently, fetching may lean on servers."""

    max_concurrent: int = 300
    """Range requests open at once, over all hosts."""
    max_per_host: int = 300
    """Range requests open at once to one host, at most; throttling lowers it for a while."""
    connect_timeout_s: float = 10.0
    """Seconds a connection may take to open."""
    request_timeout_s: float = 30.0
    """Seconds one request may take, from sending to its last byte."""
    max_attempts: int = 4
    """Tries of one request in all."""
    retry_budget_s: float = 60.0
    """Seconds all tries of one file may take together, waits included."""
    first_read_bytes: int = 16 << 10
    """Size of the first, speculative read of a file; adapts per host and band."""
    first_read_bytes_max: int = 256 << 10
    """What the first read may grow to."""
    requester_pays: bool = False
    """Whether requests may be billed to the caller's account (s3 and gs)."""
    allow_local_files: bool = False
    """Whether a table that is itself remote may name files of this machine in its hrefs."""
    budget: HeaderBudget = field(default_factory=HeaderBudget)

    def __post_init__(self) -> None:
        _at_least(1, max_concurrent=self.max_concurrent, max_per_host=self.max_per_host)
        _at_least(1, max_attempts=self.max_attempts, first_read_bytes=self.first_read_bytes)
        _at_least(self.first_read_bytes, first_read_bytes_max=self.first_read_bytes_max)
        _at_least(0.001, connect_timeout_s=self.connect_timeout_s)
        _at_least(0.001, request_timeout_s=self.request_timeout_s)
        _at_least(0, retry_budget_s=self.retry_budget_s)


class Retry(StrEnum):
    """Which headers that failed before are asked for again."""

    NONE = "none"
    HEALABLE = "healable"
    """Those whose problem may pass: throttling, time-outs, servers that were down."""
    ALL = "all"
    """Every failed one, files that were missing or broken included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSettings:
    """How much work is taken at a time."""

    batch_rows: int = 16_384
    """Records read, validated and remapped at once."""
    batch_bytes: int = 64 << 20
    """Decoded bytes of one batch or row group, at most."""
    chunk_headers: int = 32_768
    """Headers (records x bands) under way at once: what a killed run has to do again, at most."""
    file_bytes: int = 256 << 20
    """Decoded bytes of one file of the Collection, about."""

    def __post_init__(self) -> None:
        _at_least(1, **{name: getattr(self, name) for name in self.__slots__})
