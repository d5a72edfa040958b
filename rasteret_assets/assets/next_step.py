"""What to do about a stage that failed, said where it failed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import dagster as dg

from rasteret_assets.errors import (
    CommitConflictError,
    ConfigError,
    RasteretAssetsError,
    SourceError,
    TableError,
)

_MEND: Final = (
    (SourceError, "Make the source readable: its address, its files, the credentials."),
    (TableError, "Correct the table, or map its columns with column_map in the declaration."),
    (ConfigError, "Correct the declaration, the resource or the run's configuration."),
    (CommitConflictError, "Let the other run of this collection end."),
    (RasteretAssetsError, "Make the workspace whole and writable."),
)
_HOPELESS: Final = (ConfigError, TableError)
"""What another attempt cannot mend."""


@contextmanager
def telling_next_step(name: str, stage: str) -> Iterator[None]:
    """Fail the step, if the block fails, with what is wrong and what to do next.

    Raises
    ------
    dagster.Failure
        In place of an error of this package, which is its cause. Steps with a retry policy try
        again unless that cannot help.
    """
    try:
        yield
    except RasteretAssetsError as error:
        mend = next(told for kind, told in _MEND if isinstance(error, kind))
        again = (
            f"{mend} Then run again from {name}/{stage} on, by 'Re-execute from failure' or:\n"
            f"dg launch --assets 'key:\"{name}/{stage}\"+' (with the partitions of this run). "
            "What is done stays: earlier stages, and every header fetched so far."
        )
        raise dg.Failure(
            description=f"{type(error).__name__}: {error}\nNext step: {again}",
            metadata={"next_step": dg.MetadataValue.md(again)},
            allow_retries=not isinstance(error, _HOPELESS),
        ) from error
