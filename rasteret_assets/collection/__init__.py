"""The handle of a stored Collection."""

from rasteret_assets.collection.handle import Collection, open_collection

__all__ = ["Collection", "open_collection"]
