"""Progress of enrichment as log lines: few, and each says how far, how fast, how long still."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from logging import Logger

from rasteret_assets.contract.tables import Progress
from rasteret_assets.pipeline.pieces import PieceDone

EVERY_S = 10.0
"""Seconds between two lines."""


@dataclass(slots=True)
class ProgressLog:
    """A `Report` that writes a line now and then.

    Called from the threads that fetch, one call at a time.
    """

    logger: Logger
    every_s: float = EVERY_S
    _began: float = field(default_factory=time.monotonic)
    _said: float = field(default_factory=time.monotonic)

    def __call__(self, progress: Progress) -> None:
        """Write a line, if the last one is long enough ago."""
        now = time.monotonic()
        if now - self._said < self.every_s:
            return
        self._said = now
        self.logger.info(line(progress, now - self._began))

    def finished(self, done: Sequence[PieceDone]) -> None:
        """Write the last line: what the pieces brought."""
        if not done:
            return
        total = sum(one.stop - one.start for piece in done for one in piece.ranges.values())
        progress = Progress(
            done=total,
            total=total,
            problems=sum(
                sum(one.problems.values()) for piece in done for one in piece.ranges.values()
            ),
            requests=sum(piece.requests for piece in done),
            bytes_fetched=sum(piece.bytes_fetched for piece in done),
        )
        self.logger.info(line(progress, time.monotonic() - self._began))


def line(progress: Progress, seconds: float) -> str:
    """Return `progress` after `seconds` of work in words.

    Examples
    --------
    >>> line(Progress(done=1_500, total=6_000, problems=2, requests=1_500), 3.0)
    '1,500 of 6,000 headers (25 %), 500/s, about 9 s to go; 2 problems; 1,500 requests, 0.0 MB'
    """
    rate = progress.done / seconds if seconds > 0 else 0.0
    percent = 100 * progress.done // max(1, progress.total)
    left = progress.total - progress.done
    told = "done" if not left else "time to go unknown"
    if left and rate:
        told = f"about {_duration(left / rate)} to go"
    return (
        f"{progress.done:,} of {progress.total:,} headers ({percent} %), {rate:,.0f}/s, {told}; "
        f"{progress.problems:,} problems; {progress.requests:,} requests, "
        f"{progress.bytes_fetched / 1e6:,.1f} MB"
    )


def _duration(seconds: float) -> str:
    if seconds < 120:  # noqa: PLR2004  # two minutes: where seconds stop telling much
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"  # noqa: PLR2004  # likewise
