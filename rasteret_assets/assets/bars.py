"""Shares as bars that are read at a glance, in Markdown."""

from collections.abc import Mapping

import dagster as dg

_WIDTH = 20


def bar(share: float) -> str:
    """Return a bar of blocks for a share, 0 to 1; full only where nothing is lacking.

    Examples
    --------
    >>> bar(0.5), bar(0.999)
    ('██████████░░░░░░░░░░', '███████████████████░')
    """
    filled = _WIDTH if share >= 1 else min(_WIDTH - 1, round(share * _WIDTH))
    return "█" * filled + "░" * (_WIDTH - filled)


def shares_table(shares: Mapping[str, float]) -> dg.MarkdownMetadataValue:
    """Return the share of each band's files whose header is there, as a table with bars."""
    lines = [f"| {band} | `{bar(share)}` | {share:.2%} |" for band, share in shares.items()]
    head = ["| band | of the files that records name | have a header |", "| --- | --- | --- |"]
    return dg.MetadataValue.md("\n".join([*head, *lines]))
