"""Celery workers: `pip install dagster-celery`, of the minor version that goes with dagster.

`RASTERET_ASSETS_CELERY` names the YAML file that the workers are started with, too, so that
both sides agree; deploy/celery.yaml is such a file, with Redis named in the environment:

    dagster-celery worker start -A dagster_celery.app -y celery.yaml

Workers need this code, the same `DAGSTER_HOME` storage, the workspace, and the folder or bucket
of `summaries`. A chunk may start twice, which does no harm, if the broker's visibility timeout
is shorter than the chunk takes.
"""

import os
from pathlib import Path

import yaml  # type: ignore[import-untyped]  # the stubs are a package of their own
from dagster_celery import celery_executor

_FILE = Path(os.environ["RASTERET_ASSETS_CELERY"])

EXECUTOR = celery_executor.configured(yaml.safe_load(_FILE.read_text())["execution"]["config"])
