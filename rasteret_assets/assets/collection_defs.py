"""All that Dagster knows of one declared collection."""

import dagster as dg

from rasteret_assets.assets.checks import collection_checks
from rasteret_assets.assets.declared import DeclaredCollection
from rasteret_assets.assets.drift import drift_defs
from rasteret_assets.assets.headers import band_headers_asset
from rasteret_assets.assets.jobs import collection_jobs
from rasteret_assets.assets.sensors import (
    bands_sensor,
    retry_schedule,
    source_sensor,
    update_schedule,
)
from rasteret_assets.assets.tables import table_assets
from rasteret_assets.assets.zipped import collection_asset


def build_collection_defs(declared: DeclaredCollection) -> dg.Definitions:
    """Return the Dagster assets, checks, jobs, sensors and schedules of a collection.

    They need four resources: `workspace` (`WorkspaceIOManager`), `enrichment`
    (`EnrichmentResource`), `object_storage` (`ObjectStorageResource`) and `summaries`, any I/O
    manager that all steps of a run reach.
    """
    assets = table_assets(declared)
    sensors = [source_sensor(declared)]
    schedules = []
    if declared.update_cron is not None:
        schedules.append(update_schedule(declared, declared.update_cron))
    if declared.spec.enrich:
        assets.append(band_headers_asset(declared))
        if declared.retry_cron is not None:
            schedules.append(retry_schedule(declared, declared.retry_cron))
    if declared.finds_bands:
        sensors.append(bands_sensor(declared))
    assets.append(collection_asset(declared))
    stages = dg.Definitions(assets=assets, asset_checks=collection_checks(declared))
    asked_for = dg.Definitions(sensors=sensors, schedules=schedules)
    parts = [stages, asked_for, collection_jobs(declared)]
    if declared.spec.enrich and declared.drift is not None:
        parts.append(drift_defs(declared, declared.drift))
    return dg.Definitions.merge(*parts)
