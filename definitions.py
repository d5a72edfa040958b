"""What Dagster loads: the collections declared under rasteret_assets/defs, in this deployment."""

from functools import cache
from pathlib import Path

import dagster as dg

import rasteret_assets.defs  # noqa: F401  # while this folder is on sys.path: the loader removes it
from resources import deployed


@dg.definitions
@cache  # a command asks for them half a dozen times, and each time takes a third of a second
def defs() -> dg.Definitions:
    """Return every declared collection with the deployment's resources."""
    declared = dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
    return dg.Definitions.merge(declared, deployed())
