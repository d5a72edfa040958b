"""One person's machine: the workspace in the home folder, gentle on a home connection.

Values are set by subclasses, not by arguments: run config that sets one of them then leaves
the others as they are here.
"""

import dagster as dg

from rasteret_assets.assets import EnrichmentResource, ObjectStorageResource, WorkspaceIOManager


class LocalEnrichment(EnrichmentResource):
    """What a home connection bears."""

    max_concurrent: int = 100
    max_per_host: int = 100


RESOURCES = {
    "workspace": WorkspaceIOManager(),  # RASTERET_WORKSPACE, else ~/rasteret_workspace
    "enrichment": LocalEnrichment(),
    "object_storage": ObjectStorageResource(),  # as the variables of AWS and Google say
    "summaries": dg.FilesystemIOManager(),  # below DAGSTER_HOME
}
