"""What the declared collections run with here.

`RASTERET_ASSETS_DEPLOYMENT` says which set: `local` (if it says nothing), `test` or
`production`, each a module here. A variable named after a field sets it in any of them
(`RASTERET_ASSETS_CHUNK_HEADERS=4096`), and run config for one run:
`--config-json '{"resources": {"enrichment": {"config": {"max_concurrent": 8}}}}'`.
What nobody sets of `object_storage` is as the variables of AWS and Google say; keys always are.
"""

import os
from collections.abc import Mapping

import dagster as dg

from resources import local, production, test
from resources.environment import overridden
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
    return dg.Definitions(resources=overridden(SETS[chosen]), executor=executor())
