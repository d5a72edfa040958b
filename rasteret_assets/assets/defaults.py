"""Resources for projects that have no reason for others."""

from collections.abc import Mapping
from typing import Final

import dagster as dg

from rasteret_assets.assets.io_manager import WorkspaceIOManager
from rasteret_assets.assets.object_storage import ObjectStorageResource
from rasteret_assets.assets.resources import EnrichmentResource

_DEFAULTS: Final[Mapping[str, object]] = {
    "workspace": WorkspaceIOManager(),
    "enrichment": EnrichmentResource(),
    "object_storage": ObjectStorageResource(),
    "summaries": dg.FilesystemIOManager(),
}


def with_default_resources(defs: dg.Definitions) -> dg.Definitions:
    """Return `defs` with the resources that declared collections need, where it has none.

    `workspace` follows RASTERET_WORKSPACE, `object_storage` the variables of AWS and Google,
    `summaries` lie below DAGSTER_HOME. What `defs` has under these keys stays as it is.

    Dagster refuses two resources under one key, so a component cannot bring defaults of its
    own; in a project's `definitions.py`:

        return with_default_resources(load_from_defs_folder(path_within_project=...))
    """
    missing = {key: value for key, value in _DEFAULTS.items() if key not in (defs.resources or {})}
    return defs.with_resources(missing)
