"""What every stage's Dagster asset has in common."""

import inspect
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

import dagster as dg

from rasteret_assets.assets.declared import DeclaredCollection
from rasteret_assets.assets.names import COLLECTION, HEADERS, RAW, REMAPPED, VALIDATED, stage_key
from rasteret_assets.pipeline.headers import fetch_piece
from rasteret_assets.pipeline.tables import raw_update
from rasteret_assets.pipeline.zipping import collection_update
from rasteret_assets.stages import remap, validate

WORKSPACE: Final = "workspace"
"""Resource key of the I/O manager that keeps the stages."""

OBJECT_STORAGE: Final = "object_storage"
"""Resource key of what says how stores are reached: live in all that reads or writes."""

SUMMARIES: Final = "summaries"
"""Resource key of the I/O manager that carries plans and summaries between steps."""

ONE_RUN: Final = dg.BackfillPolicy.single_run()
"""All bands in one run. A range run asks it of every asset it selects, partitioned or not."""

LOST_ONCE: Final = dg.RetryPolicy(max_retries=1, delay=2)
"""Of steps that fetch nothing: once more, where their worker or the store was lost for a moment."""

_CODE: Final[Mapping[str, Callable[..., object]]] = {
    RAW: raw_update,
    VALIDATED: validate,
    REMAPPED: remap,
    HEADERS: fetch_piece,
    COLLECTION: collection_update,
}
"""Where each stage's own work is."""

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
    description = _description(declared, stage)
    [made] = dg.map_asset_specs(
        lambda spec: spec.replace_attributes(
            group_name=declared.group,
            description=description,
            owners=declared.owners,
            tags=dict(declared.tags),
            kinds={"parquet", "geotiff"} if stage == HEADERS else {"parquet"},
            metadata={**spec.metadata, **_code_reference(stage)},
            code_version=version,
            freshness_policy=_freshness(declared) if stage == COLLECTION else None,
        ),
        [asset],
    )
    return made


def _description(declared: DeclaredCollection, stage: str) -> str:
    """Return what a person wants to know of the stage before there is any run of it."""
    spec = declared.spec
    told = [_TOLD[stage]]
    if stage == COLLECTION and declared.description:
        told.insert(0, declared.description)
    if stage == RAW:
        told.append("\n".join(["Source:", *(f"- `{source}`" for source in spec.sources)]))
        if spec.filter_expr is not None:
            told.append(f"Filter: `{spec.filter_expr}`")
    if stage == REMAPPED and spec.column_map:
        renamed = [f"- `{theirs}` is `{ours}`" for theirs, ours in spec.column_map.items()]
        told.append("\n".join(["Column map:", *renamed]))
    if stage == HEADERS:
        bands = ", ".join(f"`{band}`" for band in spec.bands or ())
        told.append(f"Bands: {bands or 'every asset that is a GeoTIFF'}.")
    return "\n\n".join(told)


def _code_reference(stage: str) -> Mapping[str, object]:
    """Return where the stage's code is, for the UI's link to it."""
    work = _CODE[stage]
    reference = dg.LocalFileCodeReference(
        file_path=inspect.getsourcefile(work) or "",
        line_number=inspect.getsourcelines(work)[1],
        label=f"{work.__module__}.{work.__qualname__}",
    )
    found = dg.CodeReferencesMetadataValue(code_references=[reference])
    return {"dagster/code_references": found}


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
