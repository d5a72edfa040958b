"""What a Collection holds, said to people."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from rasteret_assets.collection import drawing
from rasteret_assets.collection.summary import Summary


@dataclass(frozen=True, slots=True)
class Description:
    """A summary that prints as a table; in a notebook, it also shows where and when."""

    summary: Mapping[str, object]
    months: Mapping[str, int]
    """`2024-06` to the number of its records."""
    draw_map: Callable[[], str]
    """Reads the footprints and returns an SVG of them; called for HTML alone."""

    def lines(self) -> list[tuple[str, str]]:
        """Return label and value of each line."""
        rows = int(str(self.summary["rows"]))
        lines = self._facts()
        lines += [
            (f"band {band}", f"{count:,} of {rows:,} records")
            for band, count in self._coverage().items()
        ]
        return [*lines, *self._problems()]

    def __str__(self) -> str:
        lines = self.lines()
        width = max(len(label) for label, _ in lines)
        return "\n".join(f"{label:<{width}}  {value}" for label, value in lines)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        rows = int(str(self.summary["rows"]))
        lines = [*self._facts(), *self._problems()]
        cells = "".join(_line(label, escape(value)) for label, value in lines)
        cells += "".join(
            _line(f"band {band}", _share(count, rows)) for band, count in self._coverage().items()
        )
        drawn = "".join(f"<div>{one}</div>" for one in (self.draw_map(), drawing.bars(self.months)))
        return (
            "<div style='display:flex;flex-wrap:wrap;gap:24px;align-items:flex-start'>"
            f"<table style='margin:0'><tbody>{cells}</tbody></table><div>{drawn}</div></div>"
        )

    def _facts(self) -> list[tuple[str, str]]:
        told = self.summary
        lines = [(label, str(told[label])) for label in ("name", "path") if told[label]]
        lines.append(("records", f"{int(str(told['rows'])):,}"))
        if isinstance(times := told["time_range"], list):
            lines.append(("time", f"{times[0]} to {times[1]}"))
        if isinstance(bounds := told["bounds"], list):
            lines.append(("bounds", ", ".join(f"{one:.6g}" for one in bounds)))
        return lines

    def _problems(self) -> list[tuple[str, str]]:
        problems = self.summary["problems"]
        if not isinstance(problems, Mapping):
            return []
        said = ", ".join(f"{count:,} {code}" for code, count in problems.items())
        return [("problems", said or "none")]

    def _coverage(self) -> Mapping[str, int]:
        coverage = self.summary["coverage"]
        return coverage if isinstance(coverage, Mapping) else {}


class Named(Protocol):
    """What a Collection says of itself without reading its records."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def path(self) -> str:
        """Where it lies."""
        ...

    @property
    def bands(self) -> list[str]:
        """The bands that have headers."""
        ...

    @property
    def problems(self) -> pa.Table:
        """What was set aside."""
        ...


def json_of(collection: Named, found: Summary) -> dict[str, object]:
    """Return the summary `found` of a Collection as JSON values."""
    codes = pc.value_counts(collection.problems["code"])
    times = found.time_range
    return {
        "name": collection.name,
        "path": collection.path,
        "rows": found.rows,
        "bands": collection.bands,
        "coverage": dict(found.coverage),
        "bounds": None if found.bounds is None else list(found.bounds),
        "time_range": None if times is None else [moment.isoformat() for moment in times],
        "problems": {str(one["values"]): one["counts"].as_py() for one in codes},
    }


def _line(label: str, value: str) -> str:
    left = "style='text-align:left'"
    return f"<tr><th {left}>{escape(label)}</th><td {left}>{value}</td></tr>"


def _share(count: int, rows: int) -> str:
    """Return a bar of how many of the rows it is, and the number."""
    share = count / rows if rows else 0.0
    return (
        "<span style='display:inline-block;width:80px;height:8px;margin-right:8px;"
        f"background:linear-gradient(to right,#2171b5 {share:.1%},rgba(128,128,128,.25) 0)'>"
        f"</span>{count:,} of {rows:,}"
    )
