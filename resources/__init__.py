"""What the declared collections run with here.

`RASTERET_ASSETS_DEPLOYMENT` says which set: `local` (if it says nothing), `test` or
`production`, each a module here. All values can be set for one run, too:
`--config-json '{"resources": {"enrichment": {"config": {"max_concurrent": 8}}}}'`.
"""

import os
from collections.abc import Mapping

import dagster as dg

from resources import local, production, test
from resources.executors import executor

VARIABLE = "RASTERET_ASSETS_DEPLOYMENT"
SETS: Mapping[str, Mapping[str, object]] = {
    "local": local.RESOURCES,
    "test": test.RESOURCES,
    "production": production.RESOURCES,
}


def deployed() -> dg.Definitions:
    """Return the resources of the deployment, and the executor of its runs."""
    chosen = os.environ.get(VARIABLE) or "local"
    if chosen not in SETS:
        msg = f"{VARIABLE} is {chosen!r}; the deployments are {', '.join(SETS)}"
        raise ValueError(msg)
    return dg.Definitions(resources=SETS[chosen], executor=executor())
