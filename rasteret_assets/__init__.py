"""Keep GeoTIFF archives one query away.

`build_from_table` turns a Parquet table of scenes into a Collection; `load` opens one.
`RecordTableCollection` declares the same as a Dagster component. Importing this package
imports none of what these need: each name is loaded when first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rasteret_assets.api import as_collection, build_from_table, load, merge
    from rasteret_assets.assets import RecordTableCollection, with_default_resources
    from rasteret_assets.collection import Collection
    from rasteret_assets.contract.settings import BuildSettings, FetchSettings, HeaderBudget
    from rasteret_assets.fetch import HrefSigner, Signature

_HOMES = {
    "BuildSettings": "rasteret_assets.contract.settings",
    "Collection": "rasteret_assets.collection",
    "FetchSettings": "rasteret_assets.contract.settings",
    "HeaderBudget": "rasteret_assets.contract.settings",
    "HrefSigner": "rasteret_assets.fetch",
    "RecordTableCollection": "rasteret_assets.assets",
    "Signature": "rasteret_assets.fetch",
    "as_collection": "rasteret_assets.api",
    "build_from_table": "rasteret_assets.api",
    "load": "rasteret_assets.api",
    "merge": "rasteret_assets.api",
    "with_default_resources": "rasteret_assets.assets",
}

__all__ = [
    "BuildSettings",
    "Collection",
    "FetchSettings",
    "HeaderBudget",
    "HrefSigner",
    "RecordTableCollection",
    "Signature",
    "as_collection",
    "build_from_table",
    "load",
    "merge",
    "with_default_resources",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
