"""Pixels or statistics for each geometry and record, as a GeoDataFrame."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal

import geopandas
import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray
from rasterio.features import geometry_mask
from rasterio.transform import Affine

from rasteret_assets.errors import ProblemCode, ReadError, TiffError
from rasteret_assets.geo.crs import LONLAT
from rasteret_assets.geo.grid import Grid, Window
from rasteret_assets.reads.areas import Area, AreaLike, area_of
from rasteret_assets.reads.driver import FilePlans, Finish, Images, read_records
from rasteret_assets.reads.headers import BandImage
from rasteret_assets.reads.left_out import left_out
from rasteret_assets.reads.options import MAX_BYTES, ReadOptions
from rasteret_assets.reads.plan import nothing_found
from rasteret_assets.reads.quiet import quiet
from rasteret_assets.reads.records import Record, select, within
from rasteret_assets.reads.scene import Canvas, Placement, canvas_of, quantities
from rasteret_assets.reads.statistics import statistic, statistics
from rasteret_assets.reads.transfer import Access
from rasteret_assets.reads.validity import Mask

_POINTS: Final = (shapely.GeometryType.POINT, shapely.GeometryType.MULTIPOINT)

Cell = NDArray[Any] | dict[str, float]


def get_gdf(  # noqa: PLR0913  # a public door owes its callers names
    table: pa.Table,
    *,
    bands: Sequence[str],
    geometries: AreaLike,
    geometry_crs: object = LONLAT,
    stats: Sequence[str] | None = None,
    all_touched: bool = False,
    apply_scale: bool = False,
    on_error: Literal["raise", "skip"] = "raise",
    on_drift: Literal["raise", "refresh", "skip"] = "raise",
    max_bytes: int = MAX_BYTES,
    access: Access | None = None,
) -> geopandas.GeoDataFrame:
    """Return a row for each geometry and each record whose image has pixels of it.

    Pixels are those of the record's own grid, not resampled; what reaches beyond its images is
    not among them.

    Parameters
    ----------
    stats
        Statistics of the valid pixels inside: "count", "mean", "min", "max", "std", "sum",
        "median", percentiles such as "p5". None gives the pixels themselves.
    all_touched
        Whether pixels touched by a geometry count, not only those with their centre inside;
        points always mean the pixel they lie in.
    table, bands, geometries, geometry_crs, apply_scale, on_error, on_drift, max_bytes, access
        As for `get_xarray`.

    Returns
    -------
    geopandas.GeoDataFrame
        `geometry_index`, `geometry`, `id`, `datetime` (UTC, without a zone), and for each band
        `{band}_{statistic}`, or `{band}` with masked arrays (y, x) of the geometry's box; nan
        or None where a record has no such band. `attrs` has `skipped` and `missing_bands`
        where there are such; see `get_xarray`.

    Raises
    ------
    ReadError
        If the request cannot be met: unknown band or statistic, nothing there, too large.
    FetchError, TiffError
        If a file cannot be read.
    """
    for name in stats or ():
        if name != "count":
            statistic(name)
    options = ReadOptions(
        all_touched=all_touched,
        apply_scale=apply_scale,
        on_error=on_error,
        on_drift=on_drift,
        max_bytes=max_bytes,
    )
    area = area_of(geometries, geometry_crs)
    selection = select(table, bands, area, options)
    records = within(selection.records, area)
    work = _Zones(records, area, stats, options)
    access = access or Access()
    failed = read_records(records, work, options, access)
    if len(failed) == len(records):
        raise ReadError(nothing_found(table, selection))
    frame = work.frame(bands)
    skipped = (*selection.skipped, *failed.values())
    frame.attrs = dict(left_out(skipped, selection.lacking, access.reasons))
    return frame


@dataclass(frozen=True, slots=True, kw_only=True)
class _Zone:
    """One geometry in one image."""

    geometry: int
    canvas: Canvas
    inside: Mask


class _Zones:
    """Takes the pixels of geometries from images."""

    def __init__(
        self,
        records: Sequence[Record],
        area: Area,
        stats: Sequence[str] | None,
        options: ReadOptions,
    ) -> None:
        self._records, self._area, self._stats = records, area, stats
        self._options = options
        self._areas: dict[str, Area] = {}
        self._bytes = 0
        self._rows: dict[tuple[int, int], list[Cell | None]] = {}

    def scratch_bytes(self, index: int, images: Images) -> int:  # noqa: ARG002  # of the protocol
        """Return what pixels take that are given up after their statistics are known."""
        if self._stats is None:
            return 0
        return sum(
            window.width * window.height * image.dtype.itemsize
            for image in images
            if image is not None
            for _, window in self._windows(image)
        )

    def plan(self, index: int, images: Images, files: FilePlans) -> Finish:
        """Plan the windows of all geometries in one record's images."""
        zones = [
            []
            if image is None
            else [
                self._zone(image, number, window, files) for number, window in self._windows(image)
            ]
            for image in images
        ]
        return partial(self._take, index, zones)

    def _windows(self, image: BandImage) -> list[tuple[int, Window]]:
        """Return geometries by number, and their pixels in the image."""
        grid = image.grid
        if image.control_points is not None:
            detail = "ground control points place it, so it has no grid of its own; use get_xarray"
            raise TiffError(ProblemCode.UNSUPPORTED, detail)
        bounds = shapely.bounds(self._area_in(grid.crs).geometries)
        left, bottom, right, top = grid.bounds
        meets = (bounds[:, 0] < right) & (bounds[:, 2] >= left)
        meets &= (bounds[:, 1] <= top) & (bounds[:, 3] > bottom)
        found = []
        for number in np.flatnonzero(meets).tolist():
            one = bounds[number].tolist()
            window = grid.window_of((one[0], one[1], one[2], one[3])).intersect(grid.window)
            if not window.is_empty:
                found.append((number, window))
        return found

    def _area_in(self, crs: str) -> Area:
        if crs not in self._areas:
            self._areas[crs] = self._area.to(crs)
        return self._areas[crs]

    def _zone(self, image: BandImage, number: int, window: Window, files: FilePlans) -> _Zone:
        if self._stats is None:
            self._bytes += window.width * window.height * (image.dtype.itemsize + 1)
            if self._bytes > self._options.max_bytes:
                msg = (
                    f"the pixels take more than {self._options.max_bytes / 2**30:,.1f} GiB: ask "
                    "for stats, smaller geometries or fewer records, or raise max_bytes"
                )
                raise ReadError(msg)
        placement = Placement(image=image, level=0, source=window, target=window, exact=True)
        canvas = canvas_of(placement, image.grid, files.of(image), None)
        geometry = self._area_in(image.grid.crs).geometries[number]
        inside = self._inside(geometry, image.grid.cut(window))
        return _Zone(geometry=number, canvas=canvas, inside=inside)

    def _inside(self, geometry: shapely.Geometry, grid: Grid) -> Mask:
        """Return which pixels belong to a geometry; all that a box touches."""
        shape = (grid.height, grid.width)
        if not self._area.clips:
            return np.ones(shape, bool)
        point = shapely.get_type_id(geometry) in _POINTS
        with quiet():
            inside: Mask = geometry_mask(
                [geometry],
                shape,
                Affine(*grid.transform),
                all_touched=point or self._options.all_touched,
                invert=True,
            )
        return inside

    def _take(self, index: int, zones: Sequence[Sequence[_Zone]]) -> None:
        for band, of_band in enumerate(zones):
            for zone in of_band:
                row = self._rows.setdefault((index, zone.geometry), [None] * len(zones))
                row[band] = self._cell(zone)

    def _cell(self, zone: _Zone) -> Cell:
        values, valid = zone.canvas.pixels("nearest")
        taken = zone.inside if valid is None else zone.inside & valid
        if self._options.apply_scale:
            kind = np.result_type(values.dtype, np.float32)
            values = quantities(zone.canvas.placement.image, values, kind)
        if self._stats is None:
            return np.ma.MaskedArray(values, ~taken)
        return statistics(values[taken], self._stats)

    def frame(self, bands: Sequence[str]) -> geopandas.GeoDataFrame:
        """Return the rows, by record and geometry."""
        keys = sorted(self._rows)
        numbers = [geometry for _, geometry in keys]
        columns: dict[str, object] = {
            "geometry_index": numbers,
            "id": [self._records[index].id for index, _ in keys],
            "datetime": np.array([self._records[index].time for index, _ in keys], "M8[us]"),
        }
        for at, band in enumerate(bands):
            cells = [self._rows[key][at] for key in keys]
            if self._stats is None:
                arrays = np.empty(len(cells), object)
                arrays[:] = cells
                columns[band] = arrays
            for name in self._stats or ():
                columns[f"{band}_{name}"] = [
                    cell[name] if isinstance(cell, dict) else np.nan for cell in cells
                ]
        geometries = self._area.geometries[numbers]
        return geopandas.GeoDataFrame(columns, geometry=geometries, crs=self._area.crs)
