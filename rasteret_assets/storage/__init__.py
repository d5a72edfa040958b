"""Record tables in, the workspace's files in and out: filesystems, scans, manifests, commits."""

from rasteret_assets.storage.collection_files import MonthFile
from rasteret_assets.storage.collection_manifests import CollectionFile, CollectionManifest
from rasteret_assets.storage.collection_store import CollectionStore, CollectionUpdate
from rasteret_assets.storage.drafts import FragmentDraft
from rasteret_assets.storage.filesystems import filesystem_of
from rasteret_assets.storage.manifests import Fragment, Manifest
from rasteret_assets.storage.scan import SourceScan, scan_source
from rasteret_assets.storage.sources import SourceFile, list_sources
from rasteret_assets.storage.stage_store import StageStore, StageUpdate
from rasteret_assets.storage.stage_table import StageTable
from rasteret_assets.storage.workspace import Workspace

__all__ = [
    "CollectionFile",
    "CollectionManifest",
    "CollectionStore",
    "CollectionUpdate",
    "Fragment",
    "FragmentDraft",
    "Manifest",
    "MonthFile",
    "SourceFile",
    "SourceScan",
    "StageStore",
    "StageTable",
    "StageUpdate",
    "Workspace",
    "filesystem_of",
    "list_sources",
    "scan_source",
]
