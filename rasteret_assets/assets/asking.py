"""Runs that sensors asked for: found again, and asked for anew where they failed."""

import time
from datetime import UTC, datetime
from typing import Final

import dagster as dg

from rasteret_assets.assets.watching import TAG, SourceCursor

ASKED: Final = f"{TAG}/asked"
"""Tag of a run, and of those that follow from it: which request they are for."""

_FIRST_WAIT_S: Final = 300
_LONGEST_WAIT_S: Final = 6 * 3600


def asked_again_at(instance: dg.DagsterInstance, seen: SourceCursor) -> float | None:
    """Return when what was last asked for is to be asked for again, in seconds since 1970.

    Five minutes after it failed, and twice as long after each failure that follows, up to six
    hours. None where its newest run has not failed: it succeeded, is under way or yet to begin,
    or was ended by a person.
    """
    if not seen.asked:
        return None
    found = instance.get_run_records(dg.RunsFilter(tags={ASKED: seen.asked}), limit=1)
    if not found or found[0].dagster_run.status is not dg.DagsterRunStatus.FAILURE:
        return None
    ended = found[0].end_time or found[0].update_timestamp.timestamp()
    return float(ended) + min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2**seen.failures)


def waiting_to_ask(again_at: float) -> str | None:
    """Return what to say while it is not yet time to ask again; None once it is."""
    if time.time() >= again_at:
        return None
    moment = datetime.fromtimestamp(again_at, UTC)
    return f"the last run has failed; it is asked for again at {moment:%Y-%m-%d %H:%M:%S} UTC"


def asked_by(instance: dg.DagsterInstance, run_id: str) -> dict[str, str]:
    """Return the tag that makes a run count as part of what run `run_id` was asked for."""
    run = instance.get_run_by_id(run_id)
    asked = "" if run is None else run.tags.get(ASKED, "")
    return {ASKED: asked} if asked else {}
