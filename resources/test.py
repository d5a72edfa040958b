"""Tests: small chunks, so that there are several, and no patience with servers that hang."""

import dagster as dg

from rasteret_assets.assets import EnrichmentResource, ObjectStorageResource, WorkspaceIOManager


class TestWorkspace(WorkspaceIOManager):
    """Never the home folder."""

    root: str | None = dg.EnvVar("RASTERET_WORKSPACE")


class TestEnrichment(EnrichmentResource):
    """Quick to give up."""

    max_concurrent: int = 16
    max_per_host: int = 16
    request_timeout_s: float = 5.0
    max_attempts: int = 2
    retry_budget_s: float = 5.0
    chunk_headers: int = 8
    look_at_pixels: bool = False  # tests count requests for headers


RESOURCES = {
    "workspace": TestWorkspace(),
    "enrichment": TestEnrichment(),
    "object_storage": ObjectStorageResource(),
    "summaries": dg.FilesystemIOManager(),
}
