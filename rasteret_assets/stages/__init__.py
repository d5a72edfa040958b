"""Tables in, tables out: what happens to records between the source and the Collection."""

from rasteret_assets.contract.conform import conform, unify
from rasteret_assets.stages.agreement import (
    HEADER_FIELDS,
    compared,
    disagreements,
    said_columns,
)
from rasteret_assets.stages.examine import examine, failure_cases
from rasteret_assets.stages.facts import FactKeeper
from rasteret_assets.stages.filters import parse_filter
from rasteret_assets.stages.hrefs import band_candidates, band_hrefs
from rasteret_assets.stages.ids import IdState, id_keys
from rasteret_assets.stages.remap import order_keys, remap
from rasteret_assets.stages.source import check_source
from rasteret_assets.stages.validate import validate
from rasteret_assets.stages.zipping import zip_bands

__all__ = [
    "HEADER_FIELDS",
    "FactKeeper",
    "IdState",
    "band_candidates",
    "band_hrefs",
    "check_source",
    "compared",
    "conform",
    "disagreements",
    "examine",
    "failure_cases",
    "id_keys",
    "order_keys",
    "parse_filter",
    "remap",
    "said_columns",
    "unify",
    "validate",
    "zip_bands",
]
