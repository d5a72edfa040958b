"""The Collection: an immutable view of stored records and the headers of their bands."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Unpack

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import xarray as xr
from numpy.typing import NDArray

from rasteret_assets import reads
from rasteret_assets.collection.description import Description
from rasteret_assets.collection.summary import Summary, summarize
from rasteret_assets.contract.bands import BAND_SUFFIX
from rasteret_assets.contract.columns import NAME_KEY
from rasteret_assets.contract.settings import FetchSettings
from rasteret_assets.errors import ReadError
from rasteret_assets.geo.crs import LONLAT
from rasteret_assets.reads import AreaLike, ReadArguments
from rasteret_assets.stages import parse_filter
from rasteret_assets.storage import CollectionStore

BBox = tuple[float, float, float, float]
"""Left, bottom, right, top in degrees of longitude and latitude."""

Day = str | date | datetime


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Collection:
    """Records with, for each band, where the tiles of its pixels lie.

    A view: `where`, `subset` and the like return another one and read nothing. Rows are read
    by `dataset`, pixels by the `get_…` methods.
    """

    store: CollectionStore
    """Where it lies."""
    whole: ds.Dataset
    """All its records."""
    chosen: pc.Expression | None = None
    """Which of them this view has; None means all."""
    keeps: object = None
    """Whatever must live as long as the files do."""

    @property
    def name(self) -> str:
        """What the Collection is called."""
        said = (self.whole.schema.metadata or {}).get(NAME_KEY)
        folder = self.store.url.rstrip("/").rsplit("/", 1)[-1]
        return said.decode() if said else folder.removesuffix("_records")

    @property
    def path(self) -> str:
        """The folder it lies in."""
        return self.store.url

    @property
    def dataset(self) -> ds.Dataset:
        """The records as a `pyarrow.dataset.Dataset`, opened lazily."""
        return self.whole if self.chosen is None else self.whole.filter(self.chosen)

    @property
    def schema(self) -> pa.Schema:
        """Columns and types of `dataset`."""
        return self.whole.schema

    @property
    def bands(self) -> list[str]:
        """The bands that have headers, in the order of their columns."""
        return [
            name.removesuffix(BAND_SUFFIX)
            for name in self.schema.names
            if name.endswith(BAND_SUFFIX)
        ]

    @property
    def problems(self) -> pa.Table:
        """Rows and headers set aside while building: see the schema contract."""
        return self.store.problems()

    def count_rows(self) -> int:
        """Return the number of records."""
        return int(self.dataset.count_rows())

    def __len__(self) -> int:
        return self.count_rows()

    def where(self, condition: pc.Expression | str) -> "Collection":
        """Return the records that meet `condition`: an Arrow expression, or CQL2 text."""
        found = parse_filter(condition) if isinstance(condition, str) else condition
        return replace(self, chosen=found if self.chosen is None else self.chosen & found)

    def subset(
        self,
        *,
        bbox: BBox | None = None,
        date_range: tuple[Day, Day] | None = None,
        cloud_cover_lt: float | None = None,
    ) -> "Collection":
        """Return the records that meet every condition given.

        Parameters
        ----------
        bbox
            Footprint boxes that touch this one; with left > right it crosses the antimeridian.
        date_range
            First and last day or moment, both included.
        cloud_cover_lt
            `eo:cloud_cover` below this, in percent.
        """
        conditions = []
        if date_range is not None:
            conditions.append(_between(*date_range))
        if cloud_cover_lt is not None:
            conditions.append(ds.field("eo:cloud_cover") < cloud_cover_lt)
        if bbox is not None:
            conditions.append(_touching(bbox))
        view = self
        for condition in conditions:
            view = view.where(condition)
        return view

    def get_xarray(
        self,
        geometries: AreaLike | None = None,
        bands: Sequence[str] | None = None,
        *,
        geometry_crs: object = LONLAT,
        time_range: tuple[Day, Day] | None = None,
        fetch: FetchSettings | None = None,
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
            First and last day or moment, both included.
        fetch
            Limits on requests.

        Raises
        ------
        ReadError
            If the request cannot be met; the message says why and what to do.
        FetchError, TiffError
            If a file cannot be read.
        """
        table, wanted = self._index(geometries, bands, geometry_crs, time_range)
        return reads.get_xarray(
            table,
            bands=wanted,
            geometries=geometries,
            geometry_crs=geometry_crs,
            access=self._access(fetch),
            **arguments,
        )

    def get_numpy(
        self,
        geometries: AreaLike | None = None,
        bands: Sequence[str] | None = None,
        *,
        geometry_crs: object = LONLAT,
        time_range: tuple[Day, Day] | None = None,
        fetch: FetchSettings | None = None,
        **arguments: Unpack[ReadArguments],
    ) -> NDArray[Any]:  # Any: the type of the pixels
        """Return the pixels of `get_xarray` as an array (time, band, y, x)."""
        table, wanted = self._index(geometries, bands, geometry_crs, time_range)
        return reads.get_numpy(
            table,
            bands=wanted,
            geometries=geometries,
            geometry_crs=geometry_crs,
            access=self._access(fetch),
            **arguments,
        )

    def summary(self) -> dict[str, object]:
        """Return what the Collection holds, as JSON values."""
        found = self._summary()
        codes = pc.value_counts(self.problems["code"])
        return {
            "name": self.name,
            "path": self.path,
            "rows": found.rows,
            "bands": self.bands,
            "coverage": dict(found.coverage),
            "bounds": None if found.bounds is None else list(found.bounds),
            "time_range": None
            if found.time_range is None
            else [moment.isoformat() for moment in found.time_range],
            "problems": {str(one["values"]): one["counts"].as_py() for one in codes},
        }

    def describe(self) -> Description:
        """Return what the Collection holds, for people: as text, or HTML in a notebook."""
        return Description(self.summary())

    def __repr__(self) -> str:
        bands = ", ".join(self.bands) or "not enriched"
        return (
            f"<Collection {self.name}: {self.count_rows():,} records, bands {bands}; {self.path}>"
        )

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Give the records to any library that speaks Arrow's C stream interface."""
        reader = self.dataset.scanner().to_reader()
        return reader.__arrow_c_stream__(requested_schema)

    def _index(
        self,
        geometries: AreaLike | None,
        bands: Sequence[str] | None,
        geometry_crs: object,
        time_range: tuple[Day, Day] | None,
    ) -> tuple[pa.Table, list[str]]:
        """Return the records a read is about, with what it needs of them, and its bands."""
        wanted = self.bands if bands is None else list(bands)
        view = self.subset(
            bbox=None if geometries is None else reads.lonlat_bounds(geometries, geometry_crs),
            date_range=time_range,
        )
        named = [f"{band.partition('[')[0]}{BAND_SUFFIX}" for band in wanted]
        missing = [
            band for band, name in zip(wanted, named, strict=True) if name not in self.schema.names
        ]
        if missing or not wanted:
            msg = f"{self.name}: no band {missing or ''} among {self.bands}; enrich it first"
            raise ReadError(msg)
        columns = ["id", "datetime", "geometry", *dict.fromkeys(named)]
        try:
            return view.dataset.to_table(columns=columns), wanted
        except FileNotFoundError:  # a commit has replaced the files: read the newest state
            newest = replace(view, whole=self.store.open())
            return newest.dataset.to_table(columns=columns), wanted

    def _access(self, fetch: FetchSettings | None) -> reads.Access:
        remote = "://" in self.path and not self.path.startswith("file:")
        return reads.Access(settings=fetch or FetchSettings(), table_is_remote=remote)

    def _summary(self) -> Summary:
        return summarize(self.dataset, self.bands)


def open_collection(store: CollectionStore, keeps: object = None) -> Collection:
    """Return the Collection that lies in `store`.

    Parameters
    ----------
    keeps
        Lives as long as the Collection does: the temporary folder of one without a name.

    Raises
    ------
    WorkspaceError
        If there is none.
    """
    return Collection(store=store, whole=store.open(), keeps=keeps)


def _between(first: Day, last: Day) -> pc.Expression:
    """Return the condition on `datetime`; year and month let whole folders be passed over."""
    start, stop = _moment(first, end=False), _moment(last, end=True)
    if start > stop:
        msg = f"date_range begins at {start} and ends before, at {stop}; swap them"
        raise ReadError(msg)
    folders = (ds.field("year") >= start.year) & (ds.field("year") <= stop.year)
    kind = pa.timestamp("us", tz="UTC")
    times = (ds.field("datetime") >= pa.scalar(start, kind)) & (
        ds.field("datetime") <= pa.scalar(stop, kind)
    )
    return folders & times


def _moment(day: Day, *, end: bool) -> datetime:
    text_day = isinstance(day, str) and len(day) == len("2024-01-31")
    whole_day = text_day or (isinstance(day, date) and not isinstance(day, datetime))
    try:
        found = datetime.fromisoformat(day) if isinstance(day, str) else day
    except ValueError as error:
        msg = f"{day!r} is no date; write 2024-01-31 or 2024-01-31T10:00:00Z"
        raise ReadError(msg) from error
    if not isinstance(found, datetime):
        found = datetime(found.year, found.month, found.day, tzinfo=UTC)
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return found + timedelta(days=1, microseconds=-1) if whole_day and end else found


def _touching(bbox: BBox) -> pc.Expression:
    left, bottom, right, top = bbox
    if left > right:
        return _touching((left, bottom, 180.0, top)) | _touching((-180.0, bottom, right, top))
    xmin, xmax = ds.field("bbox", "xmin"), ds.field("bbox", "xmax")
    across = xmin > xmax
    beside = (xmin <= right) & (xmax >= left)
    return (
        (ds.field("bbox", "ymin") <= top)
        & (ds.field("bbox", "ymax") >= bottom)
        & (beside | (across & ((xmin <= right) | (xmax >= left))))
    )
