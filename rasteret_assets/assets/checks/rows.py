"""The check of `validated_table`: how many rows of the source do not meet the contract."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import dagster as dg
import numpy as np
import pyarrow as pa

from rasteret_assets.assets.checks.results import next_step, severity_of, spec_of
from rasteret_assets.assets.declared import DeclaredCollection
from rasteret_assets.assets.io_manager import WorkspaceIOManager
from rasteret_assets.assets.names import VALIDATED, op_name
from rasteret_assets.assets.object_storage import ObjectStorageResource
from rasteret_assets.assets.offending import offending
from rasteret_assets.assets.problems import problem_metadata, stage_examples, stage_problems
from rasteret_assets.contract.rows import ROW, ROW_FAULTS
from rasteret_assets.stages import failure_cases

SET_ASIDE: Final = "rows_set_aside"


def row_checks(declared: DeclaredCollection) -> dg.AssetChecksDefinition:
    """Return the check of how many source rows are set aside."""
    most = declared.max_set_aside
    told = "Every row of the source meets the contract: id, time, geometry, assets."
    if most is not None:
        told = (
            f"At most {most:.2%} of the source's rows do not meet the contract and are set aside; "
            "more stop the run."
        )

    @dg.multi_asset_check(
        name=op_name(declared.name, "check_rows"),
        specs=[spec_of(declared, VALIDATED, SET_ASIDE, told, blocking=most is not None)],
    )
    def check_rows(
        workspace: dg.ResourceParam[WorkspaceIOManager],
        object_storage: ObjectStorageResource,  # noqa: ARG001  # live meanwhile
    ) -> Iterator[dg.AssetCheckResult]:
        manifest = workspace.workspace().stage(declared.name, VALIDATED).open().manifest
        problems = stage_problems(manifest.fragments)
        share = problems.total() / max(1, manifest.rows + problems.total())
        cases = contract_failures(stage_examples(manifest.fragments))
        shown = {"failure_cases": offending(cases)} if cases else {}
        passed = share <= (most or 0)
        advice = (
            "Correct the rows shown in the source, map its columns otherwise, or raise "
            "`max_set_aside` in the declaration; then run again."
        )
        yield dg.AssetCheckResult(
            check_name=SET_ASIDE,
            passed=passed,
            severity=severity_of(stops=most is not None),
            description=f"{problems.total():,} rows ({share:.2%}) are set aside",
            metadata={
                "share": share,
                **problem_metadata(problems),
                **shown,
                **next_step(advice, stopped=most is not None and not passed),
            },
        )

    return check_rows


def contract_failures(examples: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return pandera's failure cases of some rows set aside, each with its source row."""
    faults = [code.value for code in ROW_FAULTS]
    flags = {fault: [one["code"] == fault for one in examples] for fault in faults}
    rows = np.arange(len(examples), dtype=np.int64)
    kinds = dict.fromkeys(faults, pa.bool_())
    table = pa.table({ROW: rows, **{name: pa.array(flags[name], kinds[name]) for name in faults}})
    cases = failure_cases(table, faults).sort_by(ROW).to_pylist()
    return [
        {
            "source_file": examples[case[ROW]]["source_file"],
            "source_row": examples[case[ROW]]["source_row"],
            "id": examples[case[ROW]]["id"],
            "column": case["column"],
            "check": case["check"],
            "detail": examples[case[ROW]]["detail"],
        }
        for case in cases
    ]
