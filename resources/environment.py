"""Values of resources that the environment sets, in whichever deployment."""

import os
from collections.abc import Mapping
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError, create_model

from rasteret_assets.assets import EnrichmentResource, ObjectStorageResource, WorkspaceIOManager

PREFIX: Final = "RASTERET_ASSETS_"

_Ours = EnrichmentResource | ObjectStorageResource | WorkspaceIOManager


def overridden(given: Mapping[str, object]) -> dict[str, object]:
    """Return the resources, their fields as variables have them: RASTERET_ASSETS_MAX_ATTEMPTS=2.

    They are read when definitions load, which every process of a run does for itself: Dagster
    reads no decimal numbers from the environment later. Run config goes before them.

    Raises
    ------
    ValueError
        If a variable's text is no value of its field.
    """
    return {key: _overridden(one) if isinstance(one, _Ours) else one for key, one in given.items()}


def _overridden(resource: _Ours) -> object:
    kind = type(resource)
    found: dict[str, Any] = {}
    for name, field in kind.model_fields.items():
        variable = PREFIX + name.upper()
        if variable in os.environ:
            found[name] = (field.annotation, _value(variable, field.annotation))
    # a subclass: run config that sets one field would reset arguments
    return create_model(kind.__name__, __base__=kind, **found)() if found else resource


def _value(variable: str, kind: Any) -> object:  # noqa: ANN401  # an annotation
    text = os.environ[variable]
    try:
        return TypeAdapter(kind).validate_python(text)
    except ValidationError as error:
        msg = f"{variable} is {text!r}: {error.errors()[0]['msg']}"
        raise ValueError(msg) from error
