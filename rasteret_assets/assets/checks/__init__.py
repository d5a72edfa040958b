"""Checks of a collection's stages, answered from facts that are kept for each fragment.

One op per Dagster asset answers all its checks: under most executors an op is a process. A
check that guards what later stages build on, or whose threshold is declared, stops the run
where it fails; the others warn.
"""

import dagster as dg

from rasteret_assets.assets.checks.finished import finished_checks
from rasteret_assets.assets.checks.headers import header_checks
from rasteret_assets.assets.checks.records import record_checks
from rasteret_assets.assets.checks.rows import row_checks
from rasteret_assets.assets.declared import DeclaredCollection


def collection_checks(declared: DeclaredCollection) -> list[dg.AssetChecksDefinition]:
    """Return the checks of a collection, an op per Dagster asset."""
    checks = [row_checks(declared), record_checks(declared), finished_checks(declared)]
    return [*checks, header_checks(declared)] if declared.spec.enrich else checks
