"""Progress on a terminal: one bar, on stderr."""

from collections.abc import Iterator
from contextlib import contextmanager

from tqdm import tqdm

from rasteret_assets.contract.tables import Progress, Report


@contextmanager
def progress_bar(*, quiet: bool = False) -> Iterator[Report]:
    """Give a `Report` that draws headers done, rate, time left and problems so far.

    Nothing is drawn where stderr is no terminal, or `quiet`.
    """
    with tqdm(unit=" headers", disable=True if quiet else None, leave=False) as bar:

        def report(progress: Progress) -> None:
            bar.total = progress.total
            bar.set_postfix(problems=progress.problems, refresh=False)
            bar.update(progress.done - bar.n)

        yield report
