"""The methods of a Collection that read pixels."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, Unpack

import pyarrow as pa
import xarray as xr
from numpy.typing import NDArray

from rasteret_assets import reads
from rasteret_assets.collection.choosing import Day, Geometries, lonlat_geometries
from rasteret_assets.contract.settings import FetchSettings
from rasteret_assets.errors import ConfigError
from rasteret_assets.geo.crs import LONLAT
from rasteret_assets.reads import AreaLike, PointArguments, ReadArguments, ZoneArguments

if TYPE_CHECKING:
    import geopandas

TimeRange = tuple[Day | None, Day | None]


_GEOPANDAS: Final = {"geopandas": "GeoPandas"}


def optional(
    module: str, wanted: str, extra: str = "geopandas", names: Mapping[str, str] = _GEOPANDAS
) -> ModuleType:
    """Return a module of ours that imports what is optional, for what is `wanted` of it.

    Parameters
    ----------
    extra
        That installs what it imports.
    names
        Modules that it imports, and what people call them.

    Raises
    ------
    ConfigError
        If one is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if (missing := names.get(error.name or "")) is None:
            raise
        msg = f"{wanted} needs {missing}: pip install 'rasteret-assets[{extra}]'"
        raise ConfigError(msg) from error


class PixelReads(ABC):
    """Reading pixels of records that a subclass chooses."""

    __slots__ = ()

    @abstractmethod
    def index_table(
        self,
        bands: Sequence[str] | None,
        geometries: Geometries | None,
        time_range: TimeRange | None,
        columns: Sequence[str] = (),
    ) -> tuple[pa.Table, list[str]]:
        """Return the records near `geometries` with what a read needs, and the bands meant."""

    @abstractmethod
    def access(self, fetch: FetchSettings | None) -> reads.Access:
        """Return how files are reached."""

    def get_xarray(
        self,
        geometries: AreaLike | None = None,
        bands: Sequence[str] | None = None,
        *,
        geometry_crs: object = LONLAT,
        time_range: TimeRange | None = None,
        fetch: FetchSettings | None = None,
        chunks: reads.Chunks | None = None,
        **arguments: Unpack[ReadArguments],
    ) -> xr.Dataset:
        """Return pixels as an `xarray.Dataset` of (time, y, x), a variable per band.

        Parameters
        ----------
        geometries
            A box (left, bottom, right, top), or geometries of any kind: see `reads.get_xarray`,
            which also says what the other arguments mean. None takes whole scenes.
        bands
            Asset keys; every band by default.
        geometry_crs
            CRS of `geometries`.
        time_range
            First and last day or moment, both included; None leaves a side open.
        fetch
            Limits on requests.
        chunks
            Gives dask arrays instead, which read their pixels when they are computed: `{}` for
            chunks that suit the files, "auto", a size, or sizes by dimension.

        Raises
        ------
        ReadError
            If the request cannot be met; the message says why and what to do.
        FetchError, TiffError
            If a file cannot be read.
        """
        table, wanted = self._rows(geometries, geometry_crs, bands, time_range)
        return reads.get_xarray(
            table,
            bands=wanted,
            geometries=geometries,
            geometry_crs=geometry_crs,
            access=self.access(fetch),
            chunks=chunks,
            **arguments,
        )

    def get_numpy(
        self,
        geometries: AreaLike | None = None,
        bands: Sequence[str] | None = None,
        *,
        geometry_crs: object = LONLAT,
        time_range: TimeRange | None = None,
        fetch: FetchSettings | None = None,
        **arguments: Unpack[ReadArguments],
    ) -> NDArray[Any]:  # Any: the type of the pixels
        """Return the pixels of `get_xarray` as an array (time, band, y, x)."""
        table, wanted = self._rows(geometries, geometry_crs, bands, time_range)
        return reads.get_numpy(
            table,
            bands=wanted,
            geometries=geometries,
            geometry_crs=geometry_crs,
            access=self.access(fetch),
            **arguments,
        )

    def get_gdf(
        self,
        geometries: AreaLike,
        bands: Sequence[str] | None = None,
        *,
        geometry_crs: object = LONLAT,
        time_range: TimeRange | None = None,
        fetch: FetchSettings | None = None,
        **arguments: Unpack[ZoneArguments],
    ) -> "geopandas.GeoDataFrame":
        """Return a GeoDataFrame with a row for each geometry and record that has pixels of it.

        See `reads.zones.get_gdf` for the other arguments: `stats` are such as "mean" and "p95",
        and None, the default, gives the pixels themselves.

        Raises
        ------
        ConfigError
            If GeoPandas is not installed.
        ReadError, FetchError, TiffError
            As `get_xarray` does.
        """
        zones = optional("rasteret_assets.reads.zones", "get_gdf")
        table, wanted = self._rows(geometries, geometry_crs, bands, time_range)
        return zones.get_gdf(
            table,
            bands=wanted,
            geometries=geometries,
            geometry_crs=geometry_crs,
            access=self.access(fetch),
            **arguments,
        )

    def sample_points(
        self,
        points: reads.ArrowStream | reads.GeoTable,
        bands: Sequence[str] | None = None,
        *,
        geometry_crs: object = LONLAT,
        time_range: TimeRange | None = None,
        fetch: FetchSettings | None = None,
        **arguments: Unpack[PointArguments],
    ) -> pa.Table:
        """Return the table of points with a column per band: the pixel that each lies in.

        See `reads.sample_points` for the other arguments; `points` is a GeoDataFrame, or any
        Arrow table with a `geometry` or GeoArrow column, or with x and y, lon and lat, or
        longitude and latitude.

        Raises
        ------
        ReadError, FetchError, TiffError
            As `get_xarray` does; also if the points have columns of the bands' names.
        """
        given = reads.points_of(points, geometry_crs)
        lonlat = given.area.to(LONLAT).geometries
        table, wanted = self.index_table(bands, lonlat, time_range)
        return reads.sample_points(
            table,
            given,
            bands=wanted,
            access=self.access(fetch),
            **arguments,
        )

    def _rows(
        self,
        geometries: AreaLike | None,
        crs: object,
        bands: Sequence[str] | None,
        time_range: TimeRange | None,
    ) -> tuple[pa.Table, list[str]]:
        area = None if geometries is None else lonlat_geometries(geometries, crs)
        return self.index_table(bands, area, time_range)
