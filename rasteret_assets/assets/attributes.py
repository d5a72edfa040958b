"""Attributes of declared collections: what editors, `dg docs` and `dg check yaml` know of each."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import dagster as dg
from pydantic import Field

from rasteret_assets.assets.declared import DriftSampling
from rasteret_assets.errors import ConfigError

NAME: Final = r"^([A-Za-z0-9][A-Za-z0-9._-]{0,127}|.*\{\{.*\}\}.*)$"
"""What a name may be, or a template that becomes one."""

_NOTHING: Final = object()


def attribute(
    told: str,
    *,
    default: object = _NOTHING,
    examples: list[object] | None = None,
    **rules: object,
) -> Any:  # noqa: ANN401  # pydantic's Field is typed so, to be the value of any field
    """Return the field of a component's attribute.

    Dagster builds the schema of the YAML from the fields, but drops the description and the
    examples of those with a default; what is in `json_schema_extra` stays.

    Parameters
    ----------
    rules
        JSON Schema's words for what a value must meet, such as `minimum=1`. They are looked at
        before templates are filled in, so the declaration is checked again once it is loaded.
    """
    shown = {} if examples is None else {"examples": examples}
    extra: Any = {"description": told, **shown, **rules}
    if default is _NOTHING:
        return Field(description=told, json_schema_extra=extra)
    if default in ([], {}):
        return Field(default_factory=type(default), description=told, json_schema_extra=extra)
    return Field(default=default, description=told, json_schema_extra=extra)


_DRIFT = DriftSampling()


class DriftAttributes(dg.Model, dg.Resolvable):
    """How files that change on their servers are looked for."""

    cron: str | None = attribute(
        "When; if not given, only when the job is started by hand.",
        default=_DRIFT.cron,
        examples=["0 3 * * *"],
    )
    files: int = attribute(
        "Files asked at a time, a HEAD request each.", default=_DRIFT.files, minimum=1
    )
    per_host: int = attribute(
        "Of these, requests open at once to one host.", default=_DRIFT.per_host, minimum=1
    )


class LimitAttributes(dg.Model, dg.Resolvable):
    """How a collection's files are fetched, where that differs from the deployment."""

    max_concurrent: int | None = attribute(
        "Range requests one chunk of work has open at once; never more than the deployment's.",
        default=None,
        minimum=1,
    )
    max_per_host: int | None = attribute(
        "The same to one host; never more than the deployment's.", default=None, minimum=1
    )
    connect_timeout_s: float | None = attribute(
        "Seconds a connection may take to open.", default=None, exclusiveMinimum=0
    )
    request_timeout_s: float | None = attribute(
        "Seconds one request may take.", default=None, exclusiveMinimum=0
    )
    max_attempts: int | None = attribute("Tries of one request in all.", default=None, minimum=1)
    retry_budget_s: float | None = attribute(
        "Seconds all tries of one file may take together.", default=None, minimum=0
    )
    first_read_bytes: int | None = attribute(
        "Size of the first read of a file; adapts per host and band.", default=None, minimum=1
    )
    first_read_bytes_max: int | None = attribute(
        "What the first read may grow to.", default=None, minimum=1
    )
    requester_pays: bool | None = attribute(
        "Whether requests may be billed to the caller's account (s3 and gs).", default=None
    )
    chunk_headers: int | None = attribute(
        "Headers (records x bands) of one chunk of work: what a lost worker costs.",
        default=None,
        minimum=1,
    )
    budget: dict[str, int] = attribute(
        "What one file's header may cost before it is a problem: requests, total_bytes, ifds, "
        "entries, tag_bytes, tiles, image_bytes, tile_pixels, tile_bytes.",
        default={},
        examples=[{"requests": 12, "total_bytes": 134217728}],
    )


@contextmanager
def located(context: dg.ComponentLoadContext) -> Iterator[None]:
    """Say in which file, line and attribute the declaration is wrong, if the block finds it is.

    Raises
    ------
    ConfigError
        In place of one without a place.
    """
    try:
        yield
    except ConfigError as error:
        tree = context.resolution_context.source_position_tree
        if tree is None:  # declared in Python
            raise
        place = ["attributes", *([error.field] if error.field else [])]
        found = tree.source_error(
            yaml_path=place, inline_error_message=str(error), value_error=True
        )
        where = f"{found.file_name}:{found.start_line_no} - {found.location}"
        msg = f"{where}\n{error}\n{found.snippet}"
        raise ConfigError(msg, field=error.field) from error
