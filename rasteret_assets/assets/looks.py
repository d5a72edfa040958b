"""A look at the pixels of one record: proof that it can be read, and a small picture."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import dagster as dg
import numpy as np
import pyarrow.dataset as ds
from numpy.typing import NDArray

from rasteret_assets.collection import Collection, open_collection, quicklooks
from rasteret_assets.collection.view import band_column
from rasteret_assets.contract.settings import FetchSettings
from rasteret_assets.errors import ProblemError, ReadError, WorkspaceError
from rasteret_assets.geo.crs import LONLAT
from rasteret_assets.geo.grid import Bounds, Grid, Window
from rasteret_assets.storage import CollectionStore

FAILURES: Final = (ReadError, ProblemError, WorkspaceError)
"""What a look can meet that is no fault of the run."""

_SIDE: Final = 256
"""Pixels across, about, and of a file without overviews a window of as many."""
_LARGEST: Final = 4
"""Times as many pixels are still read as a whole."""
_UPRIGHT: Final = 4
"""Numbers of a transform that is not rotated: scale x, origin x, scale y, origin y."""
_WIDTH: Final = 320
"""Pixels of the picture: some tens of kilobytes, since all metadata is sent to the UI whole."""
_MOST_BYTES: Final = 60_000
_TRUE_COLOUR: Final = (("B04", "B03", "B02"), ("red", "green", "blue"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Pixels of one record."""

    id: str
    bands: tuple[str, ...]
    values: NDArray[Any]  # Any: the type of the pixels
    """(band, y, x)."""
    valid: NDArray[np.bool_]
    """(band, y, x), True where there is data."""

    def told(self) -> str:
        """Return what was seen, in words."""
        rows, columns = self.values.shape[1:]
        share = f"{self.valid.mean():.0%} of {columns} x {rows} pixels have data"
        return f"{self.id}, {', '.join(self.bands)}: {share}"


def look(collection: Collection, fetch: FetchSettings) -> Look | None:
    """Return coarse pixels of a late record that has headers; None if no record has any.

    Of a file with overviews the coarsest sufficient one is read, of another a small window:
    a few requests in all, none of which is waited for long.

    Raises
    ------
    ReadError, FetchError, TiffError, WorkspaceError
        If it cannot be read.
    """
    for band in _colours_first(collection.bands):
        chosen = _latest(collection, band)
        if chosen is not None:
            return _read(collection, band, chosen, _impatient(fetch))
    return None


def quicklook(store: CollectionStore, fetch: FetchSettings) -> dict[str, dg.MarkdownMetadataValue]:
    """Return metadata with a picture of a late record; where it cannot be had, why.

    A run never fails for it: the files' servers may be down.
    """
    try:
        seen = look(open_collection(store), fetch)
    except FAILURES as error:
        return {"quicklook": dg.MetadataValue.md(f"no picture: {error}")}
    if seen is None:
        return {"quicklook": dg.MetadataValue.md("no picture: no record has a header yet")}
    return {"quicklook": picture_of(seen)}


def picture_of(seen: Look) -> dg.MarkdownMetadataValue:
    """Return the pixels as Markdown with the picture in it."""
    title, together = seen.id, seen.bands in _TRUE_COLOUR
    image = quicklooks.quicklook(
        seen.values,
        seen.valid,
        title=title,
        bands=seen.bands,
        together=together,
        width=_WIDTH,
    )
    if len(image) > _MOST_BYTES:  # noisy pixels hardly compress
        half = (slice(None), slice(None, None, 2), slice(None, None, 2))
        image = quicklooks.quicklook(
            seen.values[half],
            seen.valid[half],
            title=title,
            bands=seen.bands,
            together=together,
            width=_WIDTH // 2,
        )
    data = base64.b64encode(image).decode()
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{data})\n\n{seen.told()}")


def _impatient(fetch: FetchSettings) -> FetchSettings:
    return replace(
        fetch,
        max_attempts=min(2, fetch.max_attempts),
        retry_budget_s=min(10.0, fetch.retry_budget_s),
        request_timeout_s=min(10.0, fetch.request_timeout_s),
        connect_timeout_s=min(5.0, fetch.connect_timeout_s),
    )


def _colours_first(bands: Sequence[str]) -> list[str]:
    """Return the bands, with those that make a picture in true colours before the others."""
    triple: set[str] = next(({*triple} for triple in _TRUE_COLOUR if {*triple} <= {*bands}), set())
    return sorted(bands, key=lambda band: band not in triple)


def _latest(collection: Collection, band: str) -> dict[str, Any] | None:
    """Return what is known of a record of the last month that has a header of `band`."""
    column = band_column(band, collection.schema)
    if column is None:
        return None
    header = {
        name: ds.field(column, name)
        for name in ("image_width", "image_height", "transform", "crs", "overviews")
    }
    has_header = ds.field(column, "image_width").is_valid()

    def last(rows: ds.Dataset) -> dict[str, Any] | None:
        for part in reversed(list(rows.get_fragments())):
            columns = {"id": ds.field("id"), **header}
            found = part.head(1, columns=columns, filter=has_header)
            if found.num_rows:
                return dict(found.to_pylist()[0])
        return None

    return collection.read(last)


def _read(
    collection: Collection, band: str, record: Mapping[str, Any], fetch: FetchSettings
) -> Look:
    one = collection.where(ds.field("id") == record["id"]).head(1)
    triples = [triple for triple in _TRUE_COLOUR if {*triple} <= {*collection.bands}]
    bands = triples[0] if triples and band in triples[0] else (band,)
    level, area = _extent(record)
    values = one.get_numpy(
        area,
        list(bands),
        geometry_crs=record["crs"] or LONLAT,
        overview=level,
        masked=True,
        fetch=fetch,
    )[0]
    return Look(id=record["id"], bands=bands, values=values, valid=~np.isnan(values))


def _extent(record: Mapping[str, Any]) -> tuple[int, Bounds | None]:
    """Return which level to read, and of which area: all of it, if it is small enough."""
    levels = [record, *(record["overviews"] or [])]
    sides = [max(level["image_width"], level["image_height"]) for level in levels]
    enough = [level for level, side in enumerate(sides) if side >= _SIDE]
    level = enough[-1] if enough else 0
    if sides[level] <= _LARGEST * _SIDE or not record["transform"] or not record["crs"]:
        return level, None
    grid = _grid(record)
    middle = Window(
        col_off=(grid.width - _SIDE) // 2,
        row_off=(grid.height - _SIDE) // 2,
        width=_SIDE,
        height=_SIDE,
    )
    return 0, grid.cut(middle).bounds


def _grid(record: Mapping[str, Any]) -> Grid:
    numbers = record["transform"]
    if len(numbers) == _UPRIGHT:
        a, c, e, f = numbers
        b = d = 0.0
    else:
        a, b, c, d, e, f = numbers
    size = {"width": record["image_width"], "height": record["image_height"]}
    return Grid(crs=record["crs"], a=a, b=b, c=c, d=d, e=e, f=f, **size)
