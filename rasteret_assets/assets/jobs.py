"""The runs of a collection that sensors and schedules ask for, and people may start."""

from collections.abc import Sequence
from typing import Final

import dagster as dg

from rasteret_assets.assets.declared import DeclaredCollection
from rasteret_assets.assets.names import (
    COLLECTION,
    HEADERS,
    RAW,
    REMAPPED,
    VALIDATED,
    band_partition,
    op_name,
    stage_key,
)

RANGE_START: Final = "dagster/asset_partition_range_start"
RANGE_END: Final = "dagster/asset_partition_range_end"
"""Tags of a run over several partitions, the last one included; Dagster's own."""

UPDATE: Final = "update"
FETCH: Final = "headers"


def collection_jobs(declared: DeclaredCollection) -> dg.Definitions:
    """Return the jobs of a collection.

    `{name}__update` takes in the source as it is now and brings the Collection up to date. Where
    bands have to be found first it ends with the records, and `{name}__headers` does the rest.
    """
    records = [RAW, VALIDATED, REMAPPED]
    if not declared.spec.enrich:
        return _job(declared, UPDATE, [*records, COLLECTION])
    headers = [HEADERS, COLLECTION]
    update = _job(declared, UPDATE, records if declared.finds_bands else [*records, *headers])
    return dg.Definitions.merge(update, _job(declared, FETCH, headers))


def range_tags(bands: Sequence[str]) -> dict[str, str]:
    """Return the tags that make a run one over `bands`, and all that lie between them."""
    if not bands:
        return {}
    return {RANGE_START: band_partition(bands[0]), RANGE_END: band_partition(bands[-1])}


_TOLD: Final = {
    UPDATE: "Take in the source as it is now.",
    FETCH: "Fetch the headers that bands lack, and bring the Collection up to date.",
}


def _job(declared: DeclaredCollection, job: str, stages: Sequence[str]) -> dg.Definitions:
    keys = [stage_key(declared.name, stage) for stage in stages]
    made = dg.define_asset_job(
        op_name(declared.name, job),
        selection=dg.AssetSelection.assets(*keys),
        description=_TOLD[job],
    )
    return dg.Definitions(jobs=[made])
