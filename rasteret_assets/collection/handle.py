"""The Collection: an immutable view of stored records and the headers of their bands."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from rasteret_assets import reads
from rasteret_assets.collection import choosing
from rasteret_assets.collection.choosing import BBox, Geometries
from rasteret_assets.collection.description import Description, json_of
from rasteret_assets.collection.drawing import draw_map
from rasteret_assets.collection.export import export_parquet
from rasteret_assets.collection.foreign import read_index
from rasteret_assets.collection.origin import Origin
from rasteret_assets.collection.pixels import TimeRange, optional
from rasteret_assets.collection.summary import Summary, crs_of, summarize
from rasteret_assets.collection.training import TrainingReads
from rasteret_assets.collection.view import View, band_column, bands_of, stream
from rasteret_assets.contract.columns import NAME_KEY, SIGNER_KEY
from rasteret_assets.contract.settings import FetchSettings
from rasteret_assets.errors import ReadError
from rasteret_assets.fetch import HrefSigner, signer_of
from rasteret_assets.geo.crs import LONLAT
from rasteret_assets.reads import AreaLike
from rasteret_assets.stages import parse_filter

T = TypeVar("T")

_OF_READS = ("id", "datetime", "geometry", "proj:epsg", "crs")
"""Columns that reads look at, besides headers."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Collection(TrainingReads):
    """Records with, for each band, where the tiles of its pixels lie.

    A view: `where`, `subset` and `head` return another one and read nothing. Rows are read by
    `dataset` and the Arrow stream, pixels by the `get_…` methods. What a method reads is one
    state of the Collection: if a commit has replaced files since it was opened, the newest.
    """

    origin: Origin
    """Where it comes from."""
    whole: ds.Dataset
    """All its records, as they were when it was opened."""
    view: View = field(default_factory=View)
    """Which of them are looked at."""
    keeps: object = None
    """Whatever must live as long as the files do."""
    signs: tuple[HrefSigner | str, ...] = ()
    """What signs hrefs that need it, or its name; empty: what the files' metadata names."""

    @property
    def name(self) -> str:
        """What the Collection is called."""
        said = (self.whole.schema.metadata or {}).get(NAME_KEY)
        folder = self.origin.url.rstrip("/").rsplit("/", 1)[-1]
        return said.decode() if said else folder.removesuffix(".parquet").removesuffix("_records")

    @property
    def path(self) -> str:
        """The folder or file it lies in; empty for what is in memory."""
        return self.origin.url

    @property
    def dataset(self) -> ds.Dataset:
        """The records as a `pyarrow.dataset.Dataset`, opened lazily.

        Its files are those of the state that the Collection was opened in: once a commit has
        replaced them, reading raises FileNotFoundError; `load` the Collection again.
        """
        return self.view.of(self.whole)

    @property
    def schema(self) -> pa.Schema:
        """Columns and types of `dataset`."""
        return self.view.schema(self.whole.schema)

    @property
    def bands(self) -> list[str]:
        """The bands that have headers, in the order of their columns, or of `subset(bands=)`."""
        return bands_of(self.schema) if self.view.bands is None else list(self.view.bands)

    @property
    def problems(self) -> pa.Table:
        """Rows and headers set aside while building: see the schema contract."""
        return self.origin.problems()

    @property
    def crs(self) -> set[str]:
        """The CRSs of the bands' pixels, as `EPSG:32633` or WKT."""
        bands = [column for band in self.bands if (column := band_column(band, self.schema))]
        return self.read(lambda rows: crs_of(rows, bands))

    @property
    def bounds(self) -> BBox | None:
        """Left, bottom, right, top of the footprints in degrees; None without records.

        All longitudes, if one crosses the antimeridian.
        """
        return self.read(lambda rows: summarize(rows, {})).bounds

    @property
    def time_range(self) -> tuple[datetime, datetime] | None:
        """Times of the first and last record; None without records."""
        return self.read(lambda rows: summarize(rows, {})).time_range

    def count_rows(self) -> int:
        """Return the number of records."""
        known = None if self.view.steps else self.origin.known_rows(self.whole)
        return self.read(lambda rows: int(rows.count_rows())) if known is None else known

    def __len__(self) -> int:
        return self.count_rows()

    def where(self, condition: pc.Expression | str) -> "Collection":
        """Return the records that meet `condition`: an Arrow expression, or CQL2 text.

        Raises
        ------
        ConfigError
            If it cannot be understood, or does not suit the columns.
        """
        found = parse_filter(condition) if isinstance(condition, str) else condition
        sound = choosing.checked(found, self.whole.schema)
        return replace(self, view=self.view.where(sound))

    def head(self, n: int = 5) -> "Collection":
        """Return the first `n` records, in the order they are stored in."""
        if n < 0:
            msg = f"n is {n}; a number of records is 0 or more"
            raise ReadError(msg)
        return replace(self, view=self.view.head(n))

    def subset(
        self,
        *,
        bbox: BBox | None = None,
        geometries: AreaLike | None = None,
        geometry_crs: object = LONLAT,
        date_range: TimeRange | None = None,
        cloud_cover_lt: float | None = None,
        bands: Sequence[str] | None = None,
        split: str | Sequence[str] | None = None,
    ) -> "Collection":
        """Return the records that meet every condition given.

        Files and row groups that hold none of them are not read, where `bbox`, the folders of
        months, or the statistics of a column can tell.

        Parameters
        ----------
        bbox
            Left, bottom, right, top in degrees: records whose own box touches it. With left >
            right it crosses the antimeridian.
        geometries
            Records whose footprint meets one of them: anything that `get_xarray` takes.
        geometry_crs
            CRS of `geometries`.
        date_range
            First and last day or moment, both included; None leaves a side open.
        cloud_cover_lt
            `eo:cloud_cover` below this, in percent; records that say none are left out.
        bands
            Asset keys: of other bands, headers are neither shown nor read.
        split
            Value, or values, of the column `split`.

        Raises
        ------
        ReadError
            If an area, date or band is none.
        ConfigError
            If the column that a condition is about is missing.
        """
        conditions = []
        if date_range is not None:
            conditions.append(choosing.between(*date_range, self.whole))
        if cloud_cover_lt is not None:
            conditions.append(ds.field("eo:cloud_cover") < cloud_cover_lt)
        if split is not None:
            conditions.append(choosing.one_of("split", split))
        if bbox is not None:
            conditions.append(choosing.touching(choosing.checked_box(bbox)))
        if geometries is not None:
            found = choosing.lonlat_geometries(geometries, geometry_crs)
            conditions.append(choosing.meeting(found))
        view = self
        for condition in conditions:
            view = view.where(condition)
        if bands is None:
            return view
        return replace(view, view=view.view.of_bands(bands, self.whole.schema))

    def summary(self) -> dict[str, object]:
        """Return what the Collection holds, as JSON values."""
        return json_of(self, self._summary())

    def describe(self) -> Description:
        """Return what the Collection holds, for people: as text, or HTML in a notebook."""
        found = self._summary()
        return Description(json_of(self, found), found.months, partial(self._map, found.bounds))

    def _summary(self) -> Summary:
        columns = {band: band_column(band, self.schema) or "" for band in self.bands}
        return self.read(lambda rows: summarize(rows, columns))

    def _map(self, bounds: BBox | None) -> str:
        return "" if bounds is None else self.read(partial(draw_map, bounds=bounds))

    def export(self, path: str | Path, *, format: Literal["parquet", "gti"] = "parquet") -> None:  # noqa: A002  # what others call it
        """Write the records to a local path, `s3://` or `gs://`, where nothing is yet.

        Parameters
        ----------
        format
            "parquet" is GeoParquet and STAC GeoParquet 1.1, those near each other together: one
            file if `path` ends in `.parquet`, else a folder `year=…/month=…`; `load`, and the
            peer `rasteret`, open both. "gti" is a GeoPackage that GDAL 3.9 opens as rasters,
            one per band: `GTI:{path}` with the option LAYER; it needs GeoPandas.

        Raises
        ------
        WorkspaceError
            If there is something already, or storage fails; nothing stays then.
        ReadError
            If a band has no image to index.
        """
        if format == "parquet":
            self.read(lambda rows: export_parquet(rows, str(path)))
            return
        index = optional("rasteret_assets.collection.tile_index", "export(format='gti')")
        view = self.subset(bands=self.bands)
        columns = {band: band_column(band, view.schema) or "" for band in view.bands}
        self.read(lambda rows: index.export_tile_index(rows, columns, self.path, str(path)))

    def __repr__(self) -> str:
        bands = ", ".join(self.bands) or "not enriched"
        said = f"<Collection {self.name}: {self.count_rows():,} records, bands {bands}"
        return f"{said}; {self.path}>" if self.path else f"{said}>"

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Give the records to any library that speaks Arrow's C stream interface."""
        reader = self.read(partial(stream, keeps=self.keeps))
        return reader.__arrow_c_stream__(requested_schema)

    def read(self, use: Callable[[ds.Dataset], T]) -> T:
        """Return what `use` makes of `dataset`; once more of the newest, if files are gone.

        Raises
        ------
        WorkspaceError
            If files are missing still.
        """
        try:
            return use(self.dataset)
        except FileNotFoundError:
            return self.origin.read(lambda whole: use(self.view.of(whole)))

    def index_table(
        self,
        bands: Sequence[str] | None,
        geometries: Geometries | None,
        time_range: TimeRange | None,
        columns: Sequence[str] = (),
    ) -> tuple[pa.Table, list[str]]:
        """Return the records near `geometries` with what a read needs, and the bands meant.

        Of `columns`, those there are come too.

        Raises
        ------
        ReadError
            If a band has no headers.
        """
        view = self.subset(bands=self.bands if bands is None else bands, date_range=time_range)
        if geometries is not None:
            view = view.where(choosing.near(geometries))
        wanted = view.bands
        schema = view.schema
        named = [column for band in wanted if (column := band_column(band, schema))]
        plain = [name for name in (*_OF_READS, *columns) if name in schema.names]
        headers = list(dict.fromkeys(named))
        table = view.read(lambda rows: read_index(rows, plain, headers, self.path))
        return table, wanted

    def access(self, fetch: FetchSettings | None) -> reads.Access:
        """Return how files are reached; raise ConfigError where no signer they need is had."""
        remote = "://" in self.path and not self.path.startswith("file:")
        return reads.Access(
            settings=fetch or FetchSettings(),
            signer=signer_of(self.signers),
            table_is_remote=remote,
            reasons=self.origin.problems,
        )

    @property
    def signers(self) -> tuple[HrefSigner | str, ...]:
        """What signs hrefs that need it, or its name."""
        said = (self.whole.schema.metadata or {}).get(SIGNER_KEY)
        return self.signs if self.signs or said is None else (said.decode(),)
