"""What a materialization says of itself in the UI, from what manifests know already."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import pyarrow as pa

from rasteret_assets.assets.bars import bar, shares_table
from rasteret_assets.assets.footprints import map_of
from rasteret_assets.assets.problems import (
    header_examples,
    header_problems,
    problem_metadata,
    stage_examples,
    stage_problems,
)
from rasteret_assets.assets.sample import sample
from rasteret_assets.errors import ProblemCode
from rasteret_assets.pipeline.pieces import PieceDone
from rasteret_assets.pipeline.tables import SOURCE_ROWS_FACT
from rasteret_assets.storage import CollectionManifest, CollectionStore, Fragment, StageTable

Metadata = dict[str, Any]
"""What Dagster takes as metadata: texts, numbers and `MetadataValue`s by name."""

_SAMPLE_ROWS = 5


def stage_metadata(table: StageTable, rows_in: int | None, seconds: float) -> Metadata:
    """Return what the commit of a table stage says of itself.

    Rows in and out, problems by code, files, seconds, columns and a few rows. `rows_in` of
    None means the rows of the source files.
    """
    fragments = table.manifest.fragments
    rows = table.count_rows()
    if rows_in is None:
        rows_in = sum(fragment.facts[SOURCE_ROWS_FACT] for fragment in fragments)
    return {
        "dagster/row_count": rows,
        "rows_in": rows_in,
        "rows_out": rows,
        **problem_metadata(stage_problems(fragments), stage_examples(fragments)),
        "dagster/uri": table.url,
        "workspace_path": dg.MetadataValue.path(table.url),
        "source_files": len(fragments),
        "files": sum(len(fragment.files) for fragment in fragments),
        "bytes_decoded": sum(fragment.facts["bytes"] for fragment in fragments),
        "generation": table.manifest.generation,
        "seconds": round(seconds, 3),
        "sample": sample(_first_rows(table)),
    }


def band_metadata(
    band: str, fragments: Sequence[Fragment], done: Sequence[PieceDone], seconds: float
) -> Metadata:
    """Return what the commit of one band's headers says of itself.

    Parameters
    ----------
    fragments
        The band's headers as they will be committed.
    done
        What the run's pieces brought, for all its bands together.
    seconds
        How long they took, one after the other.
    """
    rows = sum(fragment.rows for fragment in fragments)
    problems = header_problems(fragments)
    headers = rows - problems.total()
    share = coverage_of(fragments)
    fetched = sum(one.stop - one.start for piece in done for one in piece.ranges.values())
    return {
        "dagster/partition_row_count": rows,
        "headers": headers,
        "coverage": round(headers / rows, 6) if rows else 0.0,
        "at_a_glance": dg.MetadataValue.md(f"`{bar(share)}` {headers:,} of {rows:,} records"),
        **problem_metadata(problems, header_examples(band, fragments)),
        "files": sum(len(fragment.files) for fragment in fragments),
        "requests": sum(piece.requests for piece in done),
        "bytes_fetched": sum(piece.bytes_fetched for piece in done),
        "seconds": round(seconds, 3),
        "headers_per_second": round(fetched / seconds, 1) if seconds else 0.0,
    }


def collection_metadata(
    store: CollectionStore,
    manifest: CollectionManifest,
    headers: Mapping[str, Sequence[Fragment]],
    *,
    rows_in: int,
    seconds: float,
) -> Metadata:
    """Return what the commit of a Collection says of itself.

    Parameters
    ----------
    headers
        Each band's header fragments.
    """
    problems = store.problems()["code"].value_counts()
    counts = Counter({str(one["values"]): int(one["counts"].as_py()) for one in problems})
    return {
        "dagster/row_count": manifest.rows,
        "coverage": shares_table({band: coverage_of(found) for band, found in headers.items()}),
        **problem_metadata(counts),
        "footprints": map_of(store, manifest.rows, "Where the records lie"),
        "dagster/uri": store.url,
        "workspace_path": dg.MetadataValue.path(store.url),
        "rows_in": rows_in,
        "rows_out": manifest.rows,
        "files": len(manifest.files),
        "months": len({(file.year, file.month) for file in manifest.files}),
        "generation": manifest.generation,
        "seconds": round(seconds, 3),
        "sample": sample(store.read(lambda dataset: dataset.head(_SAMPLE_ROWS))),
    }


def coverage_of(fragments: Sequence[Fragment]) -> float:
    """Return which share of the records that name a file for a band have its header."""
    problems = header_problems(fragments)
    rows = sum(fragment.rows for fragment in fragments) - problems[ProblemCode.HREF_MISSING]
    missing = problems.total() - problems[ProblemCode.HREF_MISSING]
    return 1 - missing / rows if rows else 1.0


def _first_rows(table: StageTable) -> pa.Table:
    """Return a few rows of the first fragment that has some."""
    for fragment in table.manifest.fragments:
        if fragment.rows:
            stop = min(_SAMPLE_ROWS, fragment.rows)
            return pa.concat_tables(table.batches(fragment, rows=(0, stop)))
    return table.schema.empty_table()
