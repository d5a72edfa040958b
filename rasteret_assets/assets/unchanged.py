"""What an earlier run has said of a state that is still the same.

Samples, maps and scans read files. Where a commit has changed nothing, what was found at the
last one still holds, and Dagster's event log has it.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import dagster as dg
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecordStatus as _Status,  # not public, but the history's own filter
)

from rasteret_assets.contract.spec import digest
from rasteret_assets.storage import CollectionManifest, Manifest

STATE: Final = "state"
"""Metadata that stands for the state something was said of."""


def state_of(url: str, manifest: Manifest | CollectionManifest | None, *more: object) -> str:
    """Return what stands for one commit in the folder `url`, and for no other.

    Parameters
    ----------
    more
        What else that which is said of the state depends on, as JSON values.
    """
    if manifest is None:
        return digest(url, *more)
    return digest(url, manifest.generation, manifest.created_at.isoformat(), *more)


def told_before(
    instance: dg.DagsterInstance, asset: dg.AssetKey, state: str
) -> Mapping[str, dg.MetadataValue] | None:
    """Return the metadata of the last materialization of `asset`, if it was of the same state."""
    event = instance.get_latest_materialization_event(asset)
    told = event.asset_materialization if event is not None else None
    if told is None or not _is_of(told.metadata, state):
        return None
    return told.metadata


def answered(
    context: dg.AssetCheckExecutionContext,
    asset: dg.AssetKey,
    check: str,
    state: str,
    answer: Callable[[], dg.AssetCheckResult],
) -> Iterator[dg.AssetCheckResult]:
    """Give the result of `check` on `asset`: the last one, if it was of the same state.

    Parameters
    ----------
    answer
        Finds it out by reading; it is asked only if there is no such result.
    """
    told = _last_evaluation(context.op_execution_context.instance, dg.AssetCheckKey(asset, check))
    if told is not None and _is_of(told.metadata, state):
        yield dg.AssetCheckResult(
            check_name=check,
            passed=told.passed,
            severity=told.severity,
            description=told.description,
            metadata=told.metadata,
        )
        return
    made = answer()
    yield made._replace(metadata={**made.metadata, STATE: dg.MetadataValue.text(state)})


def _last_evaluation(
    instance: dg.DagsterInstance, key: dg.AssetCheckKey
) -> dg.AssetCheckEvaluation | None:
    found = instance.event_log_storage.get_asset_check_execution_history(
        key, limit=1, status={_Status.SUCCEEDED, _Status.FAILED}
    )
    event = found[0].event if found else None
    return event.asset_check_evaluation if event is not None else None


def _is_of(metadata: Mapping[str, dg.MetadataValue], state: str) -> bool:
    return STATE in metadata and metadata[STATE].value == state
