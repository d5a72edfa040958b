"""What is worth knowing of a fragment later without reading it again."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rasteret_assets.contract.tables import StageBatch
from rasteret_assets.geo.bounds import total_bounds
from rasteret_assets.geo.geoparquet import wkb_types
from rasteret_assets.stages.hrefs import band_candidates

_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_TOLD = ("source_file", "source_row", "id", "code", "detail")
_EXAMPLES = 5
"""Rows that are remembered of each problem code, at most."""


@dataclass(slots=True)
class FactKeeper:
    """Adds up facts over the batches of one fragment.

    Of a table that is not remapped yet only rows and problems are kept.
    """

    _rows: int = 0
    _bytes: int = 0
    _problems: Counter[str] = field(default_factory=Counter)
    _examples: list[dict[str, object]] = field(default_factory=list)
    _months: Counter[str] = field(default_factory=Counter)
    _bounds: list[tuple[float, float, float, float]] = field(default_factory=list)
    _times: list[str] = field(default_factory=list)
    _types: set[str] = field(default_factory=set)
    _raster: dict[str, None] = field(default_factory=dict)
    _other: dict[str, None] = field(default_factory=dict)

    def add(self, batch: StageBatch) -> None:
        """Take the facts of one more batch."""
        self._rows += batch.rows.num_rows
        self._bytes += batch.rows.nbytes
        if batch.problems.num_rows:
            self._add_problems(batch.problems)
        if batch.rows.num_rows and _is_remapped(batch.rows.schema):
            self._add_records(batch.rows)

    def facts(self) -> dict[str, object]:
        """Return the facts so far, as JSON values.

        `rows`; `bytes` they take when decoded; `problems` by code; `examples`: the first few
        problems of each code, with source file and row, id and detail; `months`: rows by
        `2024-06`; `bounds`: left, bottom, right, top in degrees, or null; `time_range`: first
        and last datetime as ISO 8601, or null; `geometry_types` as GeoParquet spells them;
        `raster` and `other`: asset keys that are GeoTIFFs, and those that are not.
        """
        bounds = total_bounds(np.array(self._bounds, np.float64).reshape(-1, 4))
        return {
            "rows": self._rows,
            "bytes": self._bytes,
            "problems": dict(sorted(self._problems.items())),
            "examples": self._examples,
            "months": dict(sorted(self._months.items())),
            "bounds": None if bounds is None else list(bounds),
            "time_range": [min(self._times), max(self._times)] if self._times else None,
            "geometry_types": sorted(self._types),
            "raster": list(self._raster),
            "other": [key for key in self._other if key not in self._raster],
        }

    def _add_problems(self, problems: pa.Table) -> None:
        for code, count in _counts(problems["code"]).items():
            room = max(0, _EXAMPLES - self._problems[code])
            some = problems.filter(pc.equal(problems["code"], code)).slice(0, room)
            self._examples += some.select(_TOLD).to_pylist()
            self._problems[code] += count

    def _add_records(self, rows: pa.Table) -> None:
        months = rows["datetime"].to_numpy().astype("datetime64[M]")
        for month, count in zip(*np.unique(months, return_counts=True), strict=True):
            self._months[str(month)] += int(count)
        span = pc.min_max(rows["datetime"])
        self._times += [f"{span[end].as_py():%Y-%m-%dT%H:%M:%S.%fZ}" for end in ("min", "max")]
        corners = [pc.struct_field(rows["bbox"], name).to_numpy() for name in _CORNERS]
        bounds = total_bounds(np.stack(corners, axis=1))
        if bounds is not None:
            self._bounds.append(bounds)
        self._types |= wkb_types(rows["geometry"])
        raster, other = band_candidates(rows["assets"], known=self._raster)
        self._raster.update(dict.fromkeys(raster))
        self._other.update(dict.fromkeys(other))


def _is_remapped(schema: pa.Schema) -> bool:
    return schema.names[:5] == ["id", "datetime", "geometry", "assets", "bbox"]


def _counts(values: pa.ChunkedArray) -> dict[str, int]:
    """Return how often each value occurs; there are few different ones."""
    counted = pc.value_counts(values.drop_null())
    return {str(one["values"]): one["counts"].as_py() for one in counted}
