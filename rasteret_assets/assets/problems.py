"""What was set aside, and why, as metadata: from facts of fragments alone."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import dagster as dg

from rasteret_assets.assets.offending import offending
from rasteret_assets.pipeline.pieces import ranges_of
from rasteret_assets.storage import Fragment

Example = dict[str, Any]
"""A problem: source file and row, id, code, detail; of a header band and href besides."""


def stage_problems(fragments: Iterable[Fragment]) -> Counter[str]:
    """Return how many rows were set aside on the way to a table stage, by problem code."""
    counts: Counter[str] = Counter()
    for fragment in fragments:
        counts.update(fragment.facts["problems"])
    return counts


def stage_examples(fragments: Iterable[Fragment]) -> list[Example]:
    """Return a few of the rows set aside from each fragment."""
    return [one for fragment in fragments for one in fragment.facts.get("examples", ())]


def header_problems(fragments: Iterable[Fragment]) -> Counter[str]:
    """Return how many records lack a band's header, by problem code."""
    counts: Counter[str] = Counter()
    for fragment in fragments:
        for one in ranges_of(fragment):
            counts.update(one.problems)
    return counts


def header_examples(band: str, fragments: Iterable[Fragment]) -> list[Example]:
    """Return a few of the headers that `band` lacks in each fragment."""
    return [
        {
            "band": band,
            "id": example["id"],
            "code": example["code"],
            "detail": example["detail"],
            "href": example["href"],
            "source_file": fragment.source,
            "source_row": example["source_row"],
        }
        for fragment in fragments
        for one in ranges_of(fragment)
        for example in one.examples
    ]


def problem_metadata(counts: Counter[str], examples: Sequence[Example] = ()) -> dict[str, Any]:
    """Return the number of problems, a line for each code, and a few of the rows."""
    lines = [f"| {code} | {count:,} |" for code, count in counts.most_common()]
    table = "\n".join(["| code | rows |", "| --- | --- |", *lines])
    return {
        "problems": counts.total(),
        **({"problems_by_code": dg.MetadataValue.md(table)} if counts else {}),
        **({"problem_examples": offending(_of_each(examples))} if examples else {}),
    }


def _of_each(examples: Sequence[Example]) -> list[Example]:
    """Return the examples in turn by code, so that the first few have one of each."""
    turns: Counter[str] = Counter()
    ranked: list[tuple[int, int, Example]] = []
    for one in examples:
        ranked.append((turns[one["code"]], len(ranked), one))
        turns[one["code"]] += 1
    return [one for _, _, one in sorted(ranked, key=lambda rank: rank[:2])]
