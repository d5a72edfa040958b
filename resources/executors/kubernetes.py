"""A Kubernetes job for each step: `pip install dagster-k8s`, of the version that goes with dagster.

For runs that `K8sRunLauncher` has launched: image, variables, volumes and service account of a
step's pod are those of its run's. deploy/kubernetes/values.yaml is such a deployment. Steps at
once, of one run, are at most `RASTERET_ASSETS_MAX_PODS`.
"""

from dagster_k8s import k8s_job_executor

EXECUTOR = k8s_job_executor.configured({"max_concurrent": {"env": "RASTERET_ASSETS_MAX_PODS"}})
