"""The handle of a stored Collection."""

from rasteret_assets.collection.handle import Collection
from rasteret_assets.collection.merging import merge
from rasteret_assets.collection.opening import as_collection, open_collection

__all__ = ["Collection", "as_collection", "merge", "open_collection"]
