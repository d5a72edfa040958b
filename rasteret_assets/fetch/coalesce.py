"""Ranges near each other as one request."""

from collections.abc import Iterable


def coalesce(ranges: Iterable[tuple[int, int]], gap: int) -> list[tuple[int, int]]:
    """Return the fewest half-open ranges that cover `ranges`, joined across gaps up to `gap`.

    Examples
    --------
    >>> coalesce([(90, 95), (0, 10), (12, 20)], gap=4)
    [(0, 20), (90, 95)]
    """
    joined: list[tuple[int, int]] = []
    for start, stop in sorted(ranges):
        if joined and start <= joined[-1][1] + gap:
            joined[-1] = (joined[-1][0], max(joined[-1][1], stop))
        else:
            joined.append((start, stop))
    return joined
