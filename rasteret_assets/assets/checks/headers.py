"""Checks of `band_headers`: are they there, and are they what the records say."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import dagster as dg

from rasteret_assets.assets.bars import shares_table
from rasteret_assets.assets.checks.results import next_step, severity_of, spec_of
from rasteret_assets.assets.declared import DeclaredCollection
from rasteret_assets.assets.io_manager import WorkspaceIOManager
from rasteret_assets.assets.metadata import coverage_of
from rasteret_assets.assets.names import HEADERS, band_of, op_name
from rasteret_assets.assets.object_storage import ObjectStorageResource
from rasteret_assets.assets.offending import offending
from rasteret_assets.assets.problems import header_examples
from rasteret_assets.pipeline.agreement import AGREEMENT_STAGE, agreement_update
from rasteret_assets.pipeline.build import committed, open_inputs
from rasteret_assets.pipeline.inputs import Inputs
from rasteret_assets.storage import Fragment, Manifest, Workspace

COVERAGE: Final = "header_coverage"
AGREES: Final = "header_agrees"


def header_checks(declared: DeclaredCollection) -> dg.AssetChecksDefinition:
    """Return the checks of the headers, of all bands; those of a run can stop it."""
    agreeing = (
        "Each header has the CRS, transform and shape that its record names: proj:epsg, "
        "proj:code, proj:transform, proj:shape, of the asset or else the item. Reads follow "
        "the header."
    )

    @dg.multi_asset_check(
        name=op_name(declared.name, "check_headers"),
        specs=[
            spec_of(
                declared,
                HEADERS,
                COVERAGE,
                _coverage_told(declared),
                blocking=declared.min_coverage is not None,
            ),
            spec_of(declared, HEADERS, AGREES, agreeing),
        ],
    )
    def check_headers(
        context: dg.AssetCheckExecutionContext,
        workspace: dg.ResourceParam[WorkspaceIOManager],
        object_storage: ObjectStorageResource,  # noqa: ARG001  # live meanwhile
    ) -> Iterator[dg.AssetCheckResult]:
        place = workspace.workspace()
        bands = place.bands(declared.name)
        ran = _bands_of(context.op_execution_context) or bands
        headers = {
            band: place.stage(declared.name, HEADERS, band).open().manifest.fragments
            for band in bands
        }
        yield _coverage(declared, headers, ran)
        yield _agrees(open_inputs(declared.spec, place), bands, place)

    return check_headers


def _coverage_told(declared: DeclaredCollection) -> str:
    of = "Of the records that name a file for a band, at least"
    least = declared.min_coverage
    if least is None:
        return "Every record that names a file for a band has its header."
    if isinstance(least, Mapping):
        named = ", ".join(f"{band} {share:.2%}" for band, share in least.items())
        return f"{of} so many have their header: {named}; fewer stop the run before the Collection."
    return f"{of} {least:.2%} have their header; fewer stop the run before the Collection."


def _coverage(
    declared: DeclaredCollection, headers: Mapping[str, Sequence[Fragment]], ran: Sequence[str]
) -> dg.AssetCheckResult:
    shares = {band: coverage_of(fragments) for band, fragments in headers.items()}
    least = {band: _least(declared, band) for band in shares}
    low = {
        band: share
        for band, share in shares.items()
        if share < (1.0 if (wanted := least[band]) is None else wanted)
    }
    stops = any(least[band] is not None for band in low if band in ran)
    worst = ", ".join(f"{band} {share:.2%}" for band, share in sorted(low.items()))
    rows = [row for band in low for row in header_examples(band, headers[band])]
    shown = {"offending_rows": offending(rows)} if rows else {}
    return dg.AssetCheckResult(
        check_name=COVERAGE,
        passed=not low,
        severity=severity_of(stops=stops),
        description=f"headers are lacking: {worst}" if low else "all there that are needed",
        metadata={
            "coverage": shares_table(shares),
            **shown,
            **next_step(_TO_COVER, stopped=stops),
        },
    )


_TO_COVER: Final = (
    "See by their codes what the headers lack for. Once the files are there, run the bands again "
    'with `{"resources": {"enrichment": {"config": {"retry": "all"}}}}`; or lower `min_coverage` '
    "in the declaration. The headers that were fetched stay."
)


def _least(declared: DeclaredCollection, band: str) -> float | None:
    """Return the share that is declared for `band`; None where none is."""
    least = declared.min_coverage
    return least.get(band) if isinstance(least, Mapping) else least


def _agrees(inputs: Inputs, bands: Sequence[str], place: Workspace) -> dg.AssetCheckResult:
    counts: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    for band in bands:
        fragments = _agreement(inputs, band, place).fragments
        differ = [fragment.facts["differ"] for fragment in fragments]
        compared = sum(fragment.facts["compared"] for fragment in fragments)
        counts.append(
            {
                "band": band,
                "compared": compared,
                **{
                    what: sum(one.get(what, 0) for one in differ)
                    for what in ("crs", "transform", "shape")
                },
            }
        )
        rows += [{"band": band, **row} for f in fragments for row in f.facts["rows"]]
    total = {what: sum(one[what] for one in counts) for what in ("crs", "transform", "shape")}
    said = ", ".join(f"{count:,} another {what}" for what, count in total.items() if count)
    compared = sum(one["compared"] for one in counts)
    shown = {"offending_rows": offending(rows)} if rows else {}
    return dg.AssetCheckResult(
        check_name=AGREES,
        passed=not said,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"of {compared:,} headers {said or 'none differs'} from what the record says"
        if compared
        else "the records say nothing of CRS, transform or shape",
        metadata={"headers_compared": compared, "differences": offending(counts), **shown},
    )


def _agreement(inputs: Inputs, band: str, place: Workspace) -> Manifest:
    """Compare what was not compared yet, and return what is known of the band."""
    store = place.stage(inputs.spec.name, AGREEMENT_STAGE, band)
    manifest = committed(store, lambda base: agreement_update(inputs, band, base))
    store.sweep()
    return manifest


def _bands_of(context: dg.OpExecutionContext) -> list[str]:
    """Return the bands of the run; none where checks are run by themselves."""
    if not (context.has_partition_key or context.has_partition_key_range):
        return []
    return [band_of(key) for key in context.partition_keys]
