"""Checks of a collection's stages, answered from what manifests know and a few thin columns.

One op per Dagster asset answers all its checks: under most executors an op is a process.
A check whose threshold is declared stops the run where it fails; the others warn.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Final

import dagster as dg

from rasteret_assets.assets.declared import DeclaredCollection
from rasteret_assets.assets.io_manager import WorkspaceIOManager
from rasteret_assets.assets.metadata import header_problems, problem_metadata, stage_problems
from rasteret_assets.assets.names import (
    COLLECTION,
    HEADERS,
    REMAPPED,
    VALIDATED,
    band_of,
    op_name,
    stage_key,
)
from rasteret_assets.assets.scans import Finding, crs_disagreements, repeated_ids
from rasteret_assets.assets.unchanged import answered, state_of
from rasteret_assets.errors import ProblemCode
from rasteret_assets.pipeline.build import open_inputs
from rasteret_assets.pipeline.inputs import Inputs
from rasteret_assets.storage import Fragment

SET_ASIDE: Final = "rows_set_aside"
IDS: Final = "ids_unique"
COVERAGE: Final = "header_coverage"
COMPLETE: Final = "records_complete"
CURRENT: Final = "bands_current"
CRS: Final = "crs_agrees"


def collection_checks(declared: DeclaredCollection) -> list[dg.AssetChecksDefinition]:
    """Return the checks of a collection, an op per Dagster asset."""
    checks = [_row_checks(declared), _record_checks(declared), _collection_checks(declared)]
    return [*checks, _header_checks(declared)] if declared.spec.enrich else checks


def _row_checks(declared: DeclaredCollection) -> dg.AssetChecksDefinition:
    most = declared.max_set_aside
    told = "Every row meets the contract."
    if most is not None:
        told = f"At most {most:.2%} of the rows are set aside; more stop the run."

    @dg.multi_asset_check(
        name=op_name(declared.name, "check_rows"),
        specs=[_spec(declared, VALIDATED, SET_ASIDE, told, blocking=most is not None)],
    )
    def check_rows(
        workspace: dg.ResourceParam[WorkspaceIOManager],
    ) -> Iterator[dg.AssetCheckResult]:
        manifest = workspace.workspace().stage(declared.name, VALIDATED).open().manifest
        problems = stage_problems(manifest.fragments)
        share = problems.total() / max(1, manifest.rows + problems.total())
        yield dg.AssetCheckResult(
            check_name=SET_ASIDE,
            passed=share <= (most or 0),
            severity=_severity(most),
            description=f"{problems.total():,} rows ({share:.2%}) are set aside",
            metadata={"share": share, **problem_metadata(problems)},
        )

    return check_rows


def _record_checks(declared: DeclaredCollection) -> dg.AssetChecksDefinition:
    told = "No (collection, id) occurs twice, in whatever source files; all are kept if one does."

    @dg.multi_asset_check(
        name=op_name(declared.name, "check_records"),
        specs=[_spec(declared, REMAPPED, IDS, told)],
    )
    def check_records(
        context: dg.AssetCheckExecutionContext,
        workspace: dg.ResourceParam[WorkspaceIOManager],
    ) -> Iterator[dg.AssetCheckResult]:
        table = workspace.workspace().stage(declared.name, REMAPPED).open()

        def ids() -> dg.AssetCheckResult:
            what = "records repeat an id of another file"
            return _warning(IDS, repeated_ids(table.dataset()), what)

        state = state_of(table.url, table.manifest)
        yield from answered(context, stage_key(declared.name, REMAPPED), IDS, state, ids)

    return check_records


def _header_checks(declared: DeclaredCollection) -> dg.AssetChecksDefinition:
    least = declared.min_coverage
    told = "Every record that names a file for a band has its header."
    if least is not None:
        told = (
            f"Of the records that name a file for a band, at least {least:.2%} have its header; "
            "fewer stop the run before the Collection."
        )

    @dg.multi_asset_check(
        name=op_name(declared.name, "check_headers"),
        specs=[_spec(declared, HEADERS, COVERAGE, told, blocking=least is not None)],
    )
    def check_headers(
        context: dg.AssetCheckExecutionContext,
        workspace: dg.ResourceParam[WorkspaceIOManager],
    ) -> Iterator[dg.AssetCheckResult]:
        place = workspace.workspace()
        bands = _bands_of(context.op_execution_context) or place.bands(declared.name)
        shares = {
            band: _coverage(place.stage(declared.name, HEADERS, band).open().manifest.fragments)
            for band in bands
        }
        low = {band: share for band, share in shares.items() if share < _or_one(least)}
        worst = ", ".join(f"{band} {share:.2%}" for band, share in sorted(low.items()))
        yield dg.AssetCheckResult(
            check_name=COVERAGE,
            passed=not low,
            severity=_severity(least),
            description=f"headers are lacking: {worst}" if low else "all there that are needed",
            metadata={"coverage": dg.MetadataValue.md(_table(shares))},
        )

    return check_headers


def _collection_checks(declared: DeclaredCollection) -> dg.AssetChecksDefinition:
    @dg.multi_asset_check(
        name=op_name(declared.name, "check_collection"),
        specs=[
            _spec(declared, COLLECTION, COMPLETE, "It has every record."),
            _spec(declared, COLLECTION, CURRENT, "Every band's headers are those of its records."),
            _spec(declared, COLLECTION, CRS, "proj:epsg and the files' headers name one CRS."),
        ],
    )
    def check_collection(
        context: dg.AssetCheckExecutionContext,
        workspace: dg.ResourceParam[WorkspaceIOManager],
    ) -> Iterator[dg.AssetCheckResult]:
        inputs = open_inputs(declared.spec, workspace.workspace())
        store = workspace.workspace().collection(declared.name)
        manifest = store.latest()
        rows, records = 0 if manifest is None else manifest.rows, inputs.remapped.count_rows()
        yield dg.AssetCheckResult(
            check_name=COMPLETE,
            passed=rows == records,
            severity=dg.AssetCheckSeverity.ERROR,
            description=f"{rows:,} of {records:,} records",
        )
        lagging = _lagging(inputs)
        yield dg.AssetCheckResult(
            check_name=CURRENT,
            passed=not lagging,
            severity=dg.AssetCheckSeverity.WARN,
            description="; ".join(
                f"{band} lacks {count:,} records: run band_headers for it"
                for band, count in lagging.items()
            ),
        )

        def crs() -> dg.AssetCheckResult:
            found = [store.read(partial(crs_disagreements, band=band)) for band in inputs.headers]
            worst = max(found, key=lambda one: one.count, default=Finding(count=0, ids=()))
            return _warning(CRS, worst, "records name another CRS than a file's header")

        state = state_of(store.url, manifest, list(inputs.headers))
        yield from answered(context, stage_key(declared.name, COLLECTION), CRS, state, crs)

    return check_collection


def _spec(
    declared: DeclaredCollection, stage: str, name: str, told: str, *, blocking: bool = False
) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name, asset=stage_key(declared.name, stage), description=told, blocking=blocking
    )


def _severity(threshold: float | None) -> dg.AssetCheckSeverity:
    """Return how bad a failure is: an error stops the run where a threshold was declared."""
    return dg.AssetCheckSeverity.WARN if threshold is None else dg.AssetCheckSeverity.ERROR


def _or_one(threshold: float | None) -> float:
    return 1.0 if threshold is None else threshold


def _warning(check: str, finding: Finding, what: str) -> dg.AssetCheckResult:
    some = f": {', '.join(finding.ids)}" if finding.ids else ""
    return dg.AssetCheckResult(
        check_name=check,
        passed=not finding.count,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{finding.count:,} {what}{some}",
        metadata={"records": finding.count},
    )


def _coverage(fragments: tuple[Fragment, ...]) -> float:
    """Return which share of the records that name a file have its header."""
    problems = header_problems(fragments)
    rows = sum(fragment.rows for fragment in fragments) - problems[ProblemCode.HREF_MISSING]
    missing = problems.total() - problems[ProblemCode.HREF_MISSING]
    return 1 - missing / rows if rows else 1.0


def _bands_of(context: dg.OpExecutionContext) -> list[str]:
    """Return the bands of the run; none where checks are run by themselves."""
    if not (context.has_partition_key or context.has_partition_key_range):
        return []
    return [band_of(key) for key in context.partition_keys]


def _lagging(inputs: Inputs) -> dict[str, int]:
    """Return for each band how many records its headers were never made for."""
    lagging = {}
    for band in inputs.headers:
        without = [f for f in inputs.fragments if inputs.header_fragment(band, f) is None]
        if count := sum(fragment.rows for fragment in without):
            lagging[band] = count
    return lagging


def _table(shares: Mapping[str, float]) -> str:
    lines = [f"| {band} | {share:.2%} |" for band, share in shares.items()]
    return "\n".join(["| band | records with a header |", "| --- | --- |", *lines])
