"""Where the steps of a run take place."""

from typing import Any

import dagster as dg


def _as_given(config: Any) -> Any:  # noqa: ANN401  # run config: whatever the schema allows
    return config


# Dagster's own default, the other way round: a step in a process of its own costs a second or
# two, and requests are concurrent within a step. Run config still chooses processes:
# --config-json '{"execution": {"config": {"multiprocess": {"max_concurrent": 4}}}}'
EXECUTOR = dg.multi_or_in_process_executor.configured(
    _as_given,
    config_schema=dg.Field(
        dg.multi_or_in_process_executor.config_schema.as_field().config_type,
        default_value={"in_process": {}},
    ),
)
