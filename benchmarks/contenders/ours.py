"""rasteret-assets: a table to a Collection, with or without its headers."""

from benchmarks.contenders.clock import Given, timed
from rasteret_assets import FetchSettings, build_from_table


def build(given: Given) -> int:
    """Build, and return the number of records."""
    limit = int(given.get("max_concurrent", "300"))
    fetch = FetchSettings(max_concurrent=limit, max_per_host=limit)
    collection = build_from_table(
        given["table"],
        "bench",
        enrich_cog=given["enrich"] == "yes",
        workspace_dir=given["workspace"],
        fetch=fetch,
    )
    return collection.count_rows()


if __name__ == "__main__":
    import pyarrow.dataset  # noqa: F401  # imports are not what is measured

    timed(build)
