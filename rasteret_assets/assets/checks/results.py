"""What the checks of all stages have in common."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from rasteret_assets.assets.declared import DeclaredCollection
from rasteret_assets.assets.names import stage_key
from rasteret_assets.assets.offending import Row, offending


def spec_of(
    declared: DeclaredCollection, stage: str, name: str, told: str, *, blocking: bool = False
) -> dg.AssetCheckSpec:
    """Return the check `name` of a stage; a `blocking` one stops the run where it fails."""
    return dg.AssetCheckSpec(
        name, asset=stage_key(declared.name, stage), description=told, blocking=blocking
    )


def severity_of(*, stops: bool) -> dg.AssetCheckSeverity:
    """Return how bad a failure is: an error if it is to stop the run."""
    return dg.AssetCheckSeverity.ERROR if stops else dg.AssetCheckSeverity.WARN


def next_step(advice: str, *, stopped: bool) -> dict[str, dg.MetadataValue]:
    """Return the metadata that says what to do about a check that stopped the run."""
    return {"next_step": dg.MetadataValue.md(advice)} if stopped else {}


def found(  # a result has parts
    name: str,
    count: int,
    what: str,
    rows: Sequence[Row],
    *,
    stops: bool = False,
    metadata: Mapping[str, Any] | None = None,
) -> dg.AssetCheckResult:
    """Return the result of a check that counts records with a fault, and shows the first few."""
    shown = {"offending_rows": offending(rows)} if rows else {}
    advice = "Correct these rows in the source, or map its columns otherwise; then run again."
    return dg.AssetCheckResult(
        check_name=name,
        passed=not count,
        severity=severity_of(stops=stops),
        description=f"{count:,} {what}",
        metadata={
            "records": count,
            **(metadata or {}),
            **shown,
            **next_step(advice, stopped=stops and bool(count)),
        },
    )
