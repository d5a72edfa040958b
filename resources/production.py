"""Many machines: whatever differs from one deployment to the next is in the environment.

It is read when a run starts, where the run is; a variable that is missing ends the run with an
error that names it.
"""

import dagster as dg

from rasteret_assets.assets import EnrichmentResource, ObjectStorageResource, WorkspaceIOManager


class ProductionWorkspace(WorkspaceIOManager):
    """A bucket, or a folder that all machines mount."""

    root: str | None = dg.EnvVar("RASTERET_WORKSPACE")


class ProductionEnrichment(EnrichmentResource):
    """Requests in flight per chunk; times the slots of a pool, that is what its server sees."""

    max_concurrent: int = dg.EnvVar.int("RASTERET_ASSETS_MAX_CONCURRENT")
    max_per_host: int = dg.EnvVar.int("RASTERET_ASSETS_MAX_PER_HOST")


RESOURCES = {
    "workspace": ProductionWorkspace(),
    "enrichment": ProductionEnrichment(),
    "object_storage": ObjectStorageResource(),  # AWS_ENDPOINT_URL, AWS_REGION and so on
    # Small; a folder or bucket that every step reaches, whatever machine it runs on.
    "summaries": dg.FilesystemIOManager(base_dir=dg.EnvVar("RASTERET_ASSETS_SUMMARIES")),
}
