"""Which rows of an index table a read is about, and the images of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray

from rasteret_assets.contract.bands import BAND_SUFFIX
from rasteret_assets.errors import ProblemError, ReadError
from rasteret_assets.geo.crs import LONLAT
from rasteret_assets.geo.footprints import footprints
from rasteret_assets.geo.geoparquet import geometry_form, storage_of
from rasteret_assets.geo.grid import Grid
from rasteret_assets.reads.areas import Area
from rasteret_assets.reads.headers import BandHeaders, BandImage, asset_of, band_headers
from rasteret_assets.reads.options import ReadOptions

_PROJ_EPSG: Final = "proj:epsg"
_OF_RECORDS: Final = ("id", "datetime", "crs", _PROJ_EPSG)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A row with what is to be read of it."""

    id: str
    time: np.datetime64
    images: tuple[BandImage | None, ...]
    """One per band asked for, in that order; None where the record has no header of it."""

    @property
    def there(self) -> tuple[BandImage, ...]:
        """The images it has; at least one."""
        return tuple(image for image in self.images if image is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A record left out, and why."""

    id: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lacking:
    """A band that a record has no header of."""

    id: str
    band: str
    key: str
    """The asset that the band is, or is in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The records of a read, by time."""

    table: pa.Table
    """The rows whose footprint meets the area; those of the records' images."""
    records: tuple[Record, ...]
    """Those that have one of the bands at least."""
    skipped: tuple[Skipped, ...]
    lacking: tuple[Lacking, ...]
    """Of records there and of those that have none of the bands."""


def select(
    table: pa.Table, bands: Sequence[str], area: Area | None, options: ReadOptions
) -> Selection:
    """Return the records whose footprint meets `area`, with the images of `bands`.

    Raises
    ------
    ReadError
        If a band is unknown or ambiguous.
    TiffError
        If an image cannot be read, unless `options` say to skip.
    """
    if not bands or len(set(bands)) < len(bands):
        msg = f"bands is {list(bands)}; name at least one, each once"
        raise ReadError(msg)
    if area is not None:
        table = table.filter(pa.array(_meets(table, area)))
    rows = _Rows(table, bands)
    valid = np.stack([column.valid for column in rows.headers])
    records: list[Record] = []
    skipped: list[Skipped] = []
    for row in np.argsort(rows.times, kind="stable").tolist():
        if not valid[:, row].any():
            continue
        try:
            records.append(rows.record(row))
        except ProblemError as error:
            if options.on_error == "raise":
                raise
            skipped.append(Skipped(id=rows.ids[row], code=error.code, detail=error.detail))
    lacking = tuple(
        Lacking(id=rows.ids[row], band=rows.headers[at].band, key=rows.headers[at].key)
        for row, at in np.argwhere(~valid.T).tolist()
    )
    return Selection(table=table, records=tuple(records), skipped=tuple(skipped), lacking=lacking)


def records_of(table: pa.Table, bands: Sequence[str]) -> list[Record]:
    """Return the records of all rows, in their order; some may have none of the bands.

    Raises
    ------
    TiffError
        If an image cannot be read.
    """
    rows = _Rows(table, bands)
    return [rows.record(row) for row in range(table.num_rows)]


def index_columns(schema: pa.Schema, bands: Sequence[str]) -> list[str]:
    """Return the columns that `records_of` looks at."""
    columns = {asset_of(schema, band)[0] + BAND_SUFFIX for band in bands}
    return [name for name in schema.names if name in columns or name in _OF_RECORDS]


class _Rows:
    """The rows of an index table, column by column."""

    def __init__(self, table: pa.Table, bands: Sequence[str]) -> None:
        self.headers = [band_headers(table, band) for band in bands]
        self.times = utc_times_of(table["datetime"])
        self.ids: list[str] = table["id"].cast(pa.string()).to_pylist()
        self._crs = crs_of_records(table)

    def record(self, row: int) -> Record:
        images = images_of(self.headers, row, self._crs[row], self.ids[row])
        return Record(id=self.ids[row], time=self.times[row], images=images)


def images_of(
    headers: Sequence[BandHeaders], row: int, crs: str | None, name: str
) -> tuple[BandImage | None, ...]:
    """Return the images of the record called `name`; None where it has no header of a band.

    Raises
    ------
    TiffError
        If one cannot be read.
    """
    images = []
    for column in headers:
        try:
            images.append(column.image(row, crs) if column.valid[row] else None)
        except ProblemError as error:
            raise _told(error, name, column.band) from error
    return tuple(images)


def _told(error: ProblemError, record: str, band: str) -> ProblemError:
    """Return the error with where it happened and what can be done."""
    detail = f"record {record!r}, band {band!r}: {error.detail}; on_error='skip' reads the others"
    return type(error)(error.code, detail)


def within(records: Sequence[Record], area: Area | None) -> list[Record]:
    """Return the records that have a pixel in the box around `area`."""
    if area is None:
        return list(records)
    boxes: dict[str, Area] = {}
    return [
        record
        for record in records
        if any(_touches(image.grid, area, boxes) for image in record.there)
    ]


def _touches(grid: Grid, area: Area, boxes: dict[str, Area]) -> bool:
    if grid.crs not in boxes:
        boxes[grid.crs] = area.to(grid.crs)
    return not grid.window_of(boxes[grid.crs].bounds).intersect(grid.window).is_empty


def _meets(table: pa.Table, area: Area) -> NDArray[np.bool_]:
    """Return which footprints meet the area; where there is no telling they are kept."""
    try:
        lonlat = area.to(LONLAT).geometries
    except ReadError:  # another planet, or beyond the edge of the Earth's disk
        return np.ones(table.num_rows, bool)
    field = table.schema.field("geometry")
    column = table["geometry"].combine_chunks()
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    form = geometry_form(field, None)
    found = footprints(getattr(column, "storage", column).cast(storage_of(field)), form)
    if not (sound := shapely.is_valid(lonlat)).all():  # far cheaper than making all valid
        lonlat = np.where(sound, lonlat, shapely.make_valid(lonlat))
    wanted = shapely.union_all(lonlat)
    shapely.prepare(wanted)
    met: NDArray[np.bool_] = shapely.intersects(wanted, found.geometries)
    return met | ~found.sound


def utc_times_of(column: pa.ChunkedArray) -> NDArray[np.datetime64]:
    """Return times in UTC, without a zone as NumPy and xarray have them."""
    times: NDArray[np.datetime64] = (
        column.cast(pa.timestamp("us")).to_numpy().astype("datetime64[us]")
    )
    return times


def crs_of_records(table: pa.Table) -> list[str | None]:
    """Return the CRS each record says its files are in."""
    names = table.schema.names
    codes = pa.nulls(table.num_rows, pa.string())
    if _PROJ_EPSG in names:
        numbers = table[_PROJ_EPSG].cast(pa.int64()).cast(pa.string())
        codes = pc.binary_join_element_wise("EPSG", numbers, ":")
    if "crs" in names and pa.types.is_string(table.schema.field("crs").type):
        codes = pc.coalesce(table["crs"], codes)
    said: list[str | None] = codes.to_pylist()
    return said
