"""The stages as Dagster assets, the resources they need, and the component that declares them."""

from rasteret_assets.assets.collection_defs import build_collection_defs
from rasteret_assets.assets.component import RecordTableCollection
from rasteret_assets.assets.declared import DeclaredCollection
from rasteret_assets.assets.defaults import with_default_resources
from rasteret_assets.assets.io_manager import WorkspaceIOManager
from rasteret_assets.assets.object_storage import ObjectStorageResource
from rasteret_assets.assets.resources import EnrichmentResource

__all__ = [
    "DeclaredCollection",
    "EnrichmentResource",
    "ObjectStorageResource",
    "RecordTableCollection",
    "WorkspaceIOManager",
    "build_collection_defs",
    "with_default_resources",
]
