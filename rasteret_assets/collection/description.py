"""What a Collection holds, said to people."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True, slots=True)
class Description:
    """A summary that prints as a table, and shows as one in a notebook."""

    summary: Mapping[str, object]

    def lines(self) -> list[tuple[str, str]]:
        """Return label and value of each line."""
        told = self.summary
        rows = int(str(told["rows"]))
        lines = [(label, str(told[label])) for label in ("name", "path")]
        lines.append(("records", f"{rows:,}"))
        if isinstance(times := told["time_range"], list):
            lines.append(("time", f"{times[0]} to {times[1]}"))
        if isinstance(bounds := told["bounds"], list):
            lines.append(("bounds", ", ".join(f"{one:.6g}" for one in bounds)))
        if isinstance(coverage := told["coverage"], Mapping):
            lines += [
                (f"band {band}", f"{count:,} of {rows:,} records")
                for band, count in coverage.items()
            ]
        if isinstance(problems := told["problems"], Mapping):
            said = ", ".join(f"{count:,} {code}" for code, count in problems.items())
            lines.append(("problems", said or "none"))
        return lines

    def __str__(self) -> str:
        lines = self.lines()
        width = max(len(label) for label, _ in lines)
        return "\n".join(f"{label:<{width}}  {value}" for label, value in lines)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{escape(label)}</th><td>{escape(value)}</td></tr>"
            for label, value in self.lines()
        )
        return f"<table>{rows}</table>"
