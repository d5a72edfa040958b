"""A band's column of headers: images of its files, level by level, with the tiles of each."""

import re
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rasteret_assets.contract.bands import BAND_METADATA, BAND_SUFFIX
from rasteret_assets.contract.conform import conform
from rasteret_assets.errors import ProblemCode, ReadError, TiffError
from rasteret_assets.geo.grid import Grid, grid_of
from rasteret_assets.reads.control_points import ControlPoints, control_points_of
from rasteret_assets.reads.levels import Level, LevelTable, Numbers, Sample
from rasteret_assets.tiff.decode_format import (
    PLANAR,
    LevelFacts,
    TileFormat,
    sparse_fill,
    tile_format,
)

Nodata = int | float

_INDEXED: Final = re.compile(r"(?P<key>.+)\[(?P<index>\d+)\]")
_INTEGER: Final = re.compile(r"\s*[+-]?\d+\s*")
_ALPHA: Final = (1, 2)
"""ExtraSamples: associated and unassociated alpha."""
_SAMPLE_FORMATS: Final = {"u": 1, "i": 2, "f": 3, "c": 6}


class BandHeaders:
    """The headers of one band, one per row; rows without one are not to be asked for.

    Parameters
    ----------
    column
        A `{band}_metadata` column. Fields that it lacks, as those of other writers do, are
        taken as null.
    """

    def __init__(
        self, band: str, column: pa.ChunkedArray, sample: int | None, *, key: str | None = None
    ) -> None:
        self.band = band
        """As it was asked for."""
        self.key = key or band
        """The asset that it is in."""
        self._sample = sample
        whole = conform(pa.table({band: column}), pa.schema([pa.field(band, BAND_METADATA)]))
        structs = whole[band].combine_chunks()
        self._structs = structs
        self.valid = np.asarray(pc.is_valid(structs), bool)
        """Rows that have a header."""
        self.fields = {field.name: pc.struct_field(structs, field.name) for field in BAND_METADATA}

    @cached_property
    def images(self) -> LevelTable:
        """The full-size images."""
        return LevelTable(self._structs)

    @cached_property
    def masks(self) -> LevelTable:
        """Their masks."""
        return LevelTable(self.fields["mask"])

    @cached_property
    def overviews(self) -> LevelTable:
        """The overviews of all rows; those of row i are from `overview_bounds[i]` to [i + 1]."""
        return LevelTable(self.fields["overviews"].values)

    @cached_property
    def overview_masks(self) -> LevelTable:
        """Their masks."""
        return LevelTable(pc.struct_field(self.fields["overviews"].values, "mask"))

    @cached_property
    def overview_bounds(self) -> Numbers:
        """Where the overviews of each row begin."""
        bounds: Numbers = self.fields["overviews"].offsets.to_numpy()
        return bounds

    def image(self, row: int, crs: str | None) -> "BandImage":
        """Return the band of one row.

        Parameters
        ----------
        crs
            That of the record, for headers that say none.

        Raises
        ------
        TiffError
            `unsupported`, if the image has no place or its samples cannot be decoded.
        ReadError
            If the band means several samples, or a sample the file does not have.
        """
        return BandImage(self, row, self._sample, crs)


def band_headers(table: pa.Table, band: str) -> BandHeaders:
    """Return the headers of `band`, which may name a sample of it: `visual[1]`.

    Raises
    ------
    ReadError
        If the table has no such band.
    """
    name, sample = asset_of(table.schema, band)
    return BandHeaders(band, table[name + BAND_SUFFIX], sample, key=name)


def asset_of(schema: pa.Schema, band: str) -> tuple[str, int | None]:
    """Return the asset that `band` names, and the sample of it where it names one.

    Raises
    ------
    ReadError
        If there are no headers of such an asset.
    """
    name, sample = band, None
    if band + BAND_SUFFIX not in schema.names and (match := _INDEXED.fullmatch(band)):
        name, sample = match["key"], int(match["index"])
    if name + BAND_SUFFIX not in schema.names:
        known = [
            each.removesuffix(BAND_SUFFIX) for each in schema.names if each.endswith(BAND_SUFFIX)
        ]
        msg = f"no band {name!r}; the bands with headers are {known}"
        raise ReadError(msg)
    return name, sample


class BandImage:
    """One band of one file: its grid, its levels, and what its numbers mean."""

    def __init__(self, headers: BandHeaders, row: int, sample: int | None, crs: str | None) -> None:
        self.band = headers.band
        self.asked = sample
        """Sample that the band's name asks for."""
        self._headers, self._row = headers, row
        facts = headers.images.facts(row)
        dtype = self._value("dtype")
        if facts["bits_per_sample"] is None:  # a column that `rasteret` wrote
            facts["bits_per_sample"] = np.dtype(dtype).itemsize * 8
        self._kind: int = self._value("sample_format") or _SAMPLE_FORMATS[np.dtype(dtype).kind]
        self._order: Literal["<", ">"] = self._value("byte_order") or "<"
        self.indexed: int | None = self._value("band_index")
        """Sample that the index is of; None if of all."""
        self.sample, self.alpha = self._samples(facts, sample)
        self.nodata: Nodata | None = self._nodata(np.dtype(dtype))
        self._full = headers.images.level(row, self._form(facts))
        self.dtype = self._full.form.dtype
        self.control_points = self._control_points(facts, crs)
        """What places its pixels, if no transform does."""
        self.grid = self._grid(facts, crs)
        """Where its pixels lie; of control points, where GDAL would bring them."""
        self.scale: float | None = self._value("scale")
        self.offset: float | None = self._value("offset")
        self.unit: str | None = self._value("unit")
        self.description: str | None = self._value("description")
        self.href: str = self._href()
        self.etag: str | None = self._value("etag")
        self.last_modified: str | None = self._value("last_modified")
        self.file_size: int | None = self._value("file_size")

    @property
    def row(self) -> int:
        """The row of its column that it is of."""
        return self._row

    @property
    def palette(self) -> list[int] | None:
        """All reds, all greens, all blues of its colours; None if it has none."""
        palette: list[int] | None = self._value("palette")
        return palette

    @property
    def has_mask(self) -> bool:
        """Whether the file has a mask for this image."""
        return self._headers.masks.is_there(self._row)

    @property
    def overviews(self) -> range:
        """Rows of the overviews in their table, largest first."""
        bounds = self._headers.overview_bounds
        return range(int(bounds[self._row]), int(bounds[self._row + 1]))

    def grid_at(self, level: int) -> Grid:
        """Return the grid of an overview, or of the full image (0)."""
        if level == 0:
            return self.grid
        size = self._headers.overviews.size(self.overviews[level - 1])
        if self.control_points is not None:
            return self.control_points.reduced(*size).grid
        return self.grid.reduced(*size)

    def placed_at(self, level: int) -> Grid | ControlPoints:
        """Return what places the pixels of an overview, or of the full image (0)."""
        if self.control_points is None:
            return self.grid_at(level)
        if level == 0:
            return self.control_points
        return self.control_points.reduced(*self._headers.overviews.size(self.overviews[level - 1]))

    def level(self, level: int) -> Level:
        """Return an overview, or the full image (0).

        Raises
        ------
        TiffError
            `unsupported`, if its tiles cannot be decoded.
        """
        if level == 0:
            return self._full
        table, row = self._headers.overviews, self.overviews[level - 1]
        return table.level(row, self._form(table.facts(row)))

    def mask(self, level: int) -> Level | None:
        """Return the mask of an overview or of the full image (0); None if there is none."""
        table, row = self._headers.masks, self._row
        if level:
            table, row = self._headers.overview_masks, self.overviews[level - 1]
        return table.level(row, tile_format(table.facts(row))) if table.is_there(row) else None

    def _value(self, name: str) -> Any:  # noqa: ANN401  # one of the contract's types, by name
        return self._headers.fields[name][self._row].as_py()

    def _href(self) -> str:
        href: str | None = self._value("href")
        if href is None:
            raise TiffError(ProblemCode.HREF_MISSING, "the header does not say of which file it is")
        return href

    def _form(self, facts: LevelFacts) -> TileFormat:
        plain = tile_format(facts, sample_format=self._kind, byte_order=self._order)
        if self.nodata is None:
            return plain
        fill = sparse_fill(self.nodata, plain.dtype)
        return tile_format(facts, sample_format=self._kind, byte_order=self._order, fill=fill)

    def _nodata(self, dtype: np.dtype[Any]) -> Nodata | None:
        text: str | None = self._value("nodata_text")
        if text is not None and dtype.kind in "iu" and _INTEGER.fullmatch(text):
            return int(text)  # a double does not hold every 64-bit number
        number: float | None = self._value("nodata")
        return number

    def _samples(self, facts: LevelFacts, asked: int | None) -> tuple[Sample, Sample | None]:
        """Return where the band and the file's alpha lie."""
        count, indexed = facts["samples_per_pixel"] or 1, self.indexed
        if count > 1 and asked is None and indexed is None:
            names = f"{self.band}[0] to {self.band}[{count - 1}]"
            msg = f"band {self.band!r} holds {count} samples per pixel; ask for one, of {names}"
            raise ReadError(msg)
        index = asked if asked is not None else indexed or 0
        if index >= count or (indexed is not None and asked not in (None, indexed)):
            msg = f"band {self.band!r}: the index has sample {indexed or 0} of {count} samples"
            raise ReadError(msg)
        extra = self._value("extra_samples") or []
        alphas = [count - len(extra) + at for at, kind in enumerate(extra) if kind in _ALPHA]
        alpha = alphas[0] if alphas and alphas[0] != index else None
        if facts["planar_configuration"] != PLANAR or count == 1:
            return Sample(within=index), None if alpha is None else Sample(within=alpha)
        if indexed is not None:  # the index has the tiles of this plane alone
            return Sample(), None
        return Sample(plane=index), None if alpha is None else Sample(plane=alpha)

    def _control_points(self, facts: LevelFacts, crs: str | None) -> ControlPoints | None:
        numbers, named = self._value("gcps"), self._value("crs") or crs
        if not numbers or named is None or self._value("transform") is not None:
            return None
        return control_points_of(numbers, named, facts["image_width"], facts["image_height"])

    def _grid(self, facts: LevelFacts, crs: str | None) -> Grid:
        if self.control_points is not None:
            return self.control_points.grid
        transform, named = self._value("transform"), self._value("crs") or crs
        if transform is None or named is None:
            lacking = "CRS" if transform is not None else "geotransform"
            detail = f"the file has no {lacking}, so there is no telling where its pixels lie"
            raise TiffError(ProblemCode.UNSUPPORTED, detail)
        try:
            return grid_of(transform, named, facts["image_width"], facts["image_height"])
        except ValueError as error:
            raise TiffError(ProblemCode.UNSUPPORTED, str(error)) from error
