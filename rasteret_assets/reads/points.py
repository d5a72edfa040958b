"""Values at points: the pixels they lie in, each tile fetched once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from rasteret_assets.errors import ReadError
from rasteret_assets.fetch.collector import seldom_collected
from rasteret_assets.geo.crs import LONLAT
from rasteret_assets.geo.grid import Grid
from rasteret_assets.reads.areas import Area
from rasteret_assets.reads.control_points import ControlPoints
from rasteret_assets.reads.driver import FilePlans, Finish, Images, read_records
from rasteret_assets.reads.geometry_columns import ArrowStream
from rasteret_assets.reads.headers import BandImage
from rasteret_assets.reads.left_out import left_out
from rasteret_assets.reads.levels import Sample
from rasteret_assets.reads.options import ReadOptions
from rasteret_assets.reads.plan import nothing_found
from rasteret_assets.reads.point_tables import GeoTable, Points, points_of
from rasteret_assets.reads.records import Record, select
from rasteret_assets.reads.scene import quantities
from rasteret_assets.reads.transfer import Access
from rasteret_assets.reads.validity import Mask, valid_pixels

Numbers = NDArray[np.int64]


@seldom_collected()
def sample_points(  # noqa: PLR0913  # a public door owes its callers names
    table: pa.Table,
    points: ArrowStream | GeoTable | Points,
    *,
    bands: Sequence[str],
    geometry_crs: object = LONLAT,
    mosaic: Literal["first", "last"] | None = "last",
    apply_scale: bool = False,
    on_error: Literal["raise", "skip"] = "raise",
    on_drift: Literal["raise", "refresh", "skip"] = "raise",
    access: Access | None = None,
) -> pa.Table:
    """Return the table of points with a column per band: the pixel that each point lies in.

    Parameters
    ----------
    table
        Rows of a Collection.
    points
        A GeoDataFrame; or a table with a `geometry` column of points, or one of a GeoArrow
        type, or with columns `x` and `y`, `lon` and `lat`, or `longitude` and `latitude`.
    geometry_crs
        CRS of the points, unless a GeoDataFrame or GeoArrow column names its own.
    mosaic
        Which record counts where several have a valid pixel: the "last" or "first" in time.
        None gives a row for each point and record whose image the point lies in, with the
        record's `record_id` and `record_datetime`.
    apply_scale
        Whether to give quantities (numbers x scale + offset), as floats.
    on_error, on_drift, access
        As for `get_xarray`.

    Returns
    -------
    pyarrow.Table
        Null where no record has a valid pixel. The schema's metadata has `skipped` and
        `missing_bands`, a line each, where there are such; see `get_xarray`.

    Raises
    ------
    ReadError
        If there are no points, or a band is unknown.
    FetchError, TiffError
        If a file cannot be read.
    """
    given = points if isinstance(points, Points) else points_of(points, geometry_crs)
    rows, area = given.rows, given.area
    options = ReadOptions(
        mosaic=mosaic, apply_scale=apply_scale, on_error=on_error, on_drift=on_drift
    )
    if taken := {*bands, "record_id", "record_datetime"} & set(rows.schema.names):
        msg = f"the points have columns {sorted(taken)} already; rename them"
        raise ReadError(msg)
    selection = select(table, bands, area, options)
    work = _Points(selection.records, area, options)
    access = access or Access()
    failed = read_records(selection.records, work, options, access)
    if len(failed) == len(selection.records) and (failed or selection.skipped):
        raise ReadError(nothing_found(table, selection))
    made = work.each_record if mosaic is None else work.one_record
    told = left_out((*selection.skipped, *failed.values()), selection.lacking, access.reasons)
    return _with_metadata(made(rows, bands), told)


def _with_metadata(rows: pa.Table, told: Mapping[str, list[str]]) -> pa.Table:
    added = {name.encode(): "\n".join(lines).encode() for name, lines in told.items()}
    return rows.replace_schema_metadata({**(rows.schema.metadata or {}), **added} or None)


@dataclass(slots=True, kw_only=True)
class _Picked:
    """What one image gave."""

    image: BandImage
    points: Numbers
    """Which points lie in it."""
    values: NDArray[Any]
    mask: Mask | None = None
    alpha: NDArray[Any] | None = None

    def valid(self) -> Mask:
        found = valid_pixels(
            self.values, mask=self.mask, nodata=self.image.nodata, alpha=self.alpha
        )
        return np.ones(len(self.points), bool) if found is None else found


class _Plane:
    """All points in one CRS, to be had by where they lie."""

    def __init__(self, points: NDArray[np.float64]) -> None:
        self._points = points
        self._order = np.argsort(points[:, 0])
        self._sorted_x = points[self._order, 0]

    def near(self, placed: Grid | ControlPoints) -> tuple[Numbers, NDArray[np.float64]]:
        """Return the numbers of the points that an image may hold, and where they lie (n, 2)."""
        which = self._order
        if isinstance(placed, Grid):
            left, _, right, _ = placed.bounds
            margin = max(placed.resolution)  # rounding may carry a point over an edge
            first = np.searchsorted(self._sorted_x, left - margin)
            which = which[first : np.searchsorted(self._sorted_x, right + margin, side="right")]
        return which, self._points[which]


class _Points:
    """Picks pixels of images."""

    def __init__(self, records: Sequence[Record], area: Area, options: ReadOptions) -> None:
        self._records, self._area, self._options = records, area, options
        self._planes: dict[str, _Plane] = {}
        self._picked: dict[int, list[_Picked | None]] = {}

    def scratch_bytes(self, index: int, images: Images) -> int:  # noqa: ARG002  # of the protocol
        """Return nothing to speak of."""
        return 0

    def plan(self, index: int, images: Images, files: FilePlans) -> Finish:
        """Plan the pixels of one record's images."""
        picked = [None if image is None else self._pick(image, files) for image in images]
        return partial(self._picked.__setitem__, index, picked)

    def _pick(self, image: BandImage, files: FilePlans) -> _Picked:
        crs, placed = image.grid.crs, image.placed_at(0)
        if (plane := self._planes.get(crs)) is None:
            plane = _Plane(shapely.get_coordinates(self._area.to(crs).geometries))
            self._planes[crs] = plane
        near, points = plane.near(placed)
        exact_cols, exact_rows = placed.pixels_of(points[:, 0], points[:, 1])
        all_cols, all_rows = np.floor(exact_cols), np.floor(exact_rows)
        inside = (all_cols >= 0) & (all_cols < placed.width)
        inside &= (all_rows >= 0) & (all_rows < placed.height)
        which = near[inside]
        cols, rows = all_cols[inside].astype(np.int64), all_rows[inside].astype(np.int64)
        picked = _Picked(image=image, points=which, values=np.empty(len(which), image.dtype))
        if not len(which):
            return picked
        plan, level = files.of(image), image.level(0)
        plan.add_pixels(level, image.sample, cols, rows, picked.values)
        if (mask := image.mask(0)) is not None:
            picked.mask = np.empty(len(which), bool)
            plan.add_pixels(mask, Sample(), cols, rows, picked.mask)
        elif image.nodata is None and image.alpha is not None:
            picked.alpha = np.empty(len(which), image.dtype)
            plan.add_pixels(level, image.alpha, cols, rows, picked.alpha)
        return picked

    def one_record(self, rows: pa.Table, bands: Sequence[str]) -> pa.Table:
        """Return `rows` with the value of the first or last record that has a valid one."""
        order = sorted(self._picked, reverse=self._options.mosaic == "first")
        for at, band in enumerate(bands):
            kind = self._kind(at)
            values, found = np.zeros(len(rows), kind), np.zeros(len(rows), bool)
            for index in order:
                if (picked := self._picked[index][at]) is None:
                    continue
                valid = picked.valid()
                values[picked.points[valid]] = self._meant(picked, kind)[valid]
                found[picked.points[valid]] = True
            rows = rows.append_column(band, pa.array(values, mask=~found))
        return rows

    def each_record(self, rows: pa.Table, bands: Sequence[str]) -> pa.Table:
        """Return a row for each record and each point in one of its images."""
        indexes = sorted(self._picked)
        union = [
            np.unique(
                np.concatenate([one.points for one in self._picked[index] if one is not None])
            )
            for index in indexes
        ]
        counts = [len(points) for points in union]
        which = np.concatenate([np.empty(0, np.int64), *union])
        ids = np.repeat([self._records[index].id for index in indexes], counts)
        times = np.repeat(
            np.array([self._records[index].time for index in indexes], "M8[us]"), counts
        )
        rows = rows.take(pa.array(which))
        rows = rows.append_column("record_id", pa.array(ids.tolist(), pa.string()))
        moments = pa.array(times, pa.timestamp("us")).cast(pa.timestamp("us", tz="UTC"))
        rows = rows.append_column("record_datetime", moments)
        starts = np.concatenate([[0], np.cumsum(counts)])
        for at, band in enumerate(bands):
            kind = self._kind(at)
            values, found = np.zeros(len(which), kind), np.zeros(len(which), bool)
            for index, points, start in zip(indexes, union, starts, strict=False):
                if (picked := self._picked[index][at]) is None:
                    continue
                places = start + np.searchsorted(points, picked.points)
                values[places] = self._meant(picked, kind)
                found[places] = picked.valid()
            rows = rows.append_column(band, pa.array(values, mask=~found))
        return rows

    def _kind(self, band: int) -> np.dtype[Any]:
        """Return the type that holds the values of all images of a band."""
        picked = [of_record[band] for of_record in self._picked.values()]
        kinds = {one.values.dtype for one in picked if one is not None}
        kind = np.result_type(*kinds) if kinds else np.dtype(np.float64)
        if kind.kind == "c":
            msg = "complex samples have no Arrow type; read them with get_numpy"
            raise ReadError(msg)
        return np.result_type(kind, np.float32) if self._options.apply_scale else kind

    def _meant(self, picked: _Picked, kind: np.dtype[Any]) -> NDArray[Any]:
        if not self._options.apply_scale:
            return picked.values
        return quantities(picked.image, picked.values, kind)
