"""What a Collection is built from: the arguments both doors share."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import pyarrow.compute as pc

from rasteret_assets.errors import ConfigError

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def check_name(name: str) -> str:
    """Return `name` if it can be a Collection's; folders and asset keys are made from it.

    Raises
    ------
    ConfigError
        If it is empty, over 128 characters, or holds anything but letters, digits, `.`, `_`
        and `-`, beginning with a letter or digit.
    """
    if not _NAME.fullmatch(name):
        msg = (
            f"collection name {name!r}: use letters, digits, '.', '_' and '-', beginning with a "
            "letter or digit, at most 128"
        )
        raise ConfigError(msg, field="name")
    return name


def digest(*parts: object) -> str:
    """Return 16 hexadecimal digits that stand for `parts` (JSON values)."""
    text = json.dumps(parts, sort_keys=True, default=str).encode()
    return hashlib.sha256(text).hexdigest()[:16]


def expression_digest(expression: pc.Expression | None) -> str:
    """Return a digest of the whole expression.

    Over Arrow's own serialized form: `str()` shortens long lists, and Substrait needs the
    source's schema, which an unchanged source is not opened for.
    """
    if expression is None:
        return ""
    _, (serialized,) = expression.__reduce__()
    return hashlib.sha256(bytes(serialized)).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionSpec:
    """A Collection's name, its sources, and how their rows become records."""

    name: str
    sources: tuple[str, ...]
    """Paths, folders, globs or URLs of Parquet files."""
    filter_expr: pc.Expression | None = None
    """Speaks the source's column names."""
    columns: tuple[str, ...] | None = None
    """Source columns to keep; None keeps all."""
    column_map: Mapping[str, str] = field(default_factory=dict)
    """Source name to canonical name."""
    bands: tuple[str, ...] | None = None
    """Asset keys to enrich; None takes every asset that is a GeoTIFF."""
    enrich: bool = False
    """Whether headers are fetched at all."""
    base_uri: str | None = None
    """What relative hrefs resolve against; None means their source file's folder."""
    sign: str | None = None
    """Name of the signer that the hrefs need. What is built is the same without."""

    def __post_init__(self) -> None:
        check_name(self.name)
        if not self.sources:
            msg = f"collection {self.name}: no source given; name at least one Parquet file"
            raise ConfigError(msg, field="source")
        if self.bands is not None and not self.bands:
            msg = f"collection {self.name}: bands is empty; leave it out to take every GeoTIFF"
            raise ConfigError(msg, field="bands")
        targets = list(self.column_map.values())
        if repeated := {name for name in targets if targets.count(name) > 1}:
            msg = f"collection {self.name}: column_map names {sorted(repeated)} more than once"
            raise ConfigError(msg, field="column_map")

    def described(self) -> dict[str, object]:
        """Return the arguments as JSON values, for manifests and for telling differences."""
        return {
            "sources": list(self.sources),
            "filter": None if self.filter_expr is None else str(self.filter_expr),
            "filter_digest": expression_digest(self.filter_expr),
            "columns": None if self.columns is None else list(self.columns),
            "column_map": dict(self.column_map),
            "bands": None if self.bands is None else list(self.bands),
            "enrich": self.enrich,
            "base_uri": self.base_uri,
            "sign": self.sign,
        }
