"""rasteret: the same table, by its own `build_from_table`. Runs in an environment of its own."""

import logging
from pathlib import Path

import rasteret
from obstore.store import HTTPStore
from rasteret.cloud import ObstoreBackend
from rasteret.fetch import cog

from benchmarks.contenders.clock import Given, timed


def plain_http(url: str) -> ObstoreBackend:
    """Return rasteret's own client with its own options, but for plain HTTP being allowed."""
    options = {**cog._OBSTORE_CLIENT_OPTIONS, "allow_http": True}  # noqa: SLF001  # its defaults
    store = HTTPStore.from_url(url, client_options=options)
    return ObstoreBackend(store, url_prefix=f"{url}/")


def build(given: Given) -> int:
    """Build, and return the number of records."""
    collection = rasteret.build_from_table(
        given["table"],
        name="bench",
        enrich_cog=given["enrich"] == "yes",
        workspace_dir=str(Path(given["workspace"]) / "bench_records"),
        max_concurrent=int(given.get("max_concurrent", "300")),
        backend=plain_http(given["url"]) if "url" in given else None,
    )
    return int(collection.dataset.count_rows())


if __name__ == "__main__":
    logging.disable(logging.INFO)
    timed(build)
