"""What every stage's Dagster asset has in common."""

from datetime import timedelta
from typing import Final

import dagster as dg

from rasteret_assets.assets.declared import DeclaredCollection
from rasteret_assets.assets.names import COLLECTION, HEADERS, RAW, REMAPPED, VALIDATED, stage_key

WORKSPACE: Final = "workspace"
"""Resource key of the I/O manager that keeps the stages."""

SUMMARIES: Final = "summaries"
"""Resource key of the I/O manager that carries plans and summaries between steps."""

ONE_RUN: Final = dg.BackfillPolicy.single_run()
"""All bands in one run. A range run asks it of every asset it selects, partitioned or not."""

_TOLD: Final = {
    RAW: "The source's rows as scanned: filter and projection pushed down, nothing renamed.",
    VALIDATED: "The rows that meet the contract. The others are set aside, each with a code and "
    "a detail that says why.",
    REMAPPED: "The records in canonical columns: id, datetime, geometry, assets, bbox, then all "
    "else unchanged.",
    HEADERS: "One row per record: the header of the band's file, or why there is none. A header "
    "is fetched once. Requests, bytes and seconds are those of the run, all its bands together.",
    COLLECTION: "Records and headers side by side in monthly Parquet files, for "
    "rasteret_assets.load, DuckDB, GeoPandas and whatever else reads Parquet.",
}


def described(
    asset: dg.AssetsDefinition, declared: DeclaredCollection, stage: str, version: str
) -> dg.AssetsDefinition:
    """Return the Dagster asset of `stage` with all that the UI says of it.

    Parameters
    ----------
    version
        Stands for what decides the stage's output besides its inputs; where it differs from the
        one a run had, the UI shows the asset as stale.
    """
    description = _TOLD[stage]
    if stage == COLLECTION and declared.description:
        description = f"{declared.description}\n\n{description}"
    [made] = dg.map_asset_specs(
        lambda spec: spec.replace_attributes(
            group_name=declared.group,
            description=description,
            owners=declared.owners,
            tags=dict(declared.tags),
            kinds={"parquet", "geotiff"} if stage == HEADERS else {"parquet"},
            code_version=version,
            freshness_policy=_freshness(declared) if stage == COLLECTION else None,
        ),
        [asset],
    )
    return made


def _freshness(declared: DeclaredCollection) -> dg.FreshnessPolicy | None:
    if declared.fresh_within_h is None:
        return None
    return dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=declared.fresh_within_h))


def table_asset(
    op: dg.OpDefinition,
    declared: DeclaredCollection,
    stage: str,
    *,
    upstream: tuple[str, ...] = (),
    version: str,
) -> dg.AssetsDefinition:
    """Return `op` as the unpartitioned Dagster asset `{name}/{stage}`.

    Parameters
    ----------
    upstream
        Stages that are inputs of `op`, each under its own name.
    version
        As for `described`.
    """
    asset = dg.AssetsDefinition.from_op(
        op,
        keys_by_input_name={name: stage_key(declared.name, name) for name in upstream},
        keys_by_output_name={"result": stage_key(declared.name, stage)},
        backfill_policy=ONE_RUN,
    )
    return described(asset, declared, stage, version)
