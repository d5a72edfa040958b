"""Tables of points: their rows, and where the points are."""

from dataclasses import dataclass
from typing import Any, Final, Protocol, runtime_checkable

import pyarrow as pa
import shapely

from rasteret_assets.errors import ReadError
from rasteret_assets.fetch.collector import seldom_collected
from rasteret_assets.reads.areas import Area, area_of
from rasteret_assets.reads.geometry_columns import ArrowStream, geo_of, geometry_column

_AXES: Final = (("x", "y"), ("lon", "lat"), ("longitude", "latitude"))


@runtime_checkable
class GeoTable(Protocol):
    """A GeoDataFrame, as far as it is used here."""

    crs: Any
    geometry: Any

    def to_arrow(self) -> ArrowStream:
        """Return its columns as Arrow."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Points:
    """A table of points."""

    rows: pa.Table
    area: Area
    """A point for each row."""


@seldom_collected()  # a geometry for each point is no reason to look for garbage
def points_of(points: ArrowStream | GeoTable, crs: object) -> Points:
    """Return the points of a table or GeoDataFrame.

    Parameters
    ----------
    crs
        Theirs, unless the GeoDataFrame or the geometry column names its own.

    Raises
    ------
    ReadError
        If there are none, or other geometries.
    """
    if isinstance(points, GeoTable):
        columns = points.to_arrow()
        if not isinstance(columns, ArrowStream):
            msg = "a GeoSeries is no table; give points.to_frame('geometry')"
            raise ReadError(msg)
        return Points(rows=pa.table(columns), area=_only_points(area_of(points, crs)))
    rows = points if isinstance(points, pa.Table) else pa.table(points)
    if (name := geometry_column(rows.schema, geo_of(rows.schema))) is not None:
        return Points(rows=rows, area=_only_points(area_of(rows.select([name]), crs)))
    names = rows.schema.names
    for across, up in _AXES:
        if across in names and up in names:
            x, y = (rows[one].cast(pa.float64()).to_numpy() for one in (across, up))
            return Points(rows=rows, area=area_of(shapely.points(x, y), crs))
    msg = f"no points among the columns {names}; name them geometry, x and y, or lon and lat"
    raise ReadError(msg)


def _only_points(area: Area) -> Area:
    if (shapely.get_type_id(area.geometries) != shapely.GeometryType.POINT).any():
        msg = "geometry holds other things than points; take their centroids first"
        raise ReadError(msg)
    return area
