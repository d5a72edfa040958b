"""A view written as GDAL tile indexes (GTI): each band a layer that opens as one raster.

Needs GeoPandas and pyogrio; imported when such an index is asked for.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import geopandas
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyproj
import shapely
from numpy.typing import NDArray

from rasteret_assets.collection.foreign import read_index
from rasteret_assets.collection.temporary import TemporaryFolder
from rasteret_assets.errors import ReadError, WorkspaceError
from rasteret_assets.geo.crs import LONLAT
from rasteret_assets.reads.extents import affine_of
from rasteret_assets.storage.filesystems import STORE_ERRORS, filesystem_of

_STORES: Final = ((r"^s3a?://", "/vsis3/"), (r"^gs://", "/vsigs/"), (r"^file://", ""))
_WEB: Final = r"^(https?://)"
_OF_RECORDS: Final = ("id", "datetime", "proj:epsg", "crs")
_OF_HEADERS: Final = ("transform", "image_width", "image_height", "crs", "href")
_METRES_PER_DEGREE: Final = 111_320.0


def export_tile_index(rows: ds.Dataset, bands: Mapping[str, str], base_uri: str, path: str) -> None:
    """Write a GeoPackage with a layer for each band: open it as `GTI:{path}`, option LAYER.

    Images of one CRS keep it, with the finest pixel size; of several, the layer is in degrees.
    Later images lie on top of earlier ones.

    Parameters
    ----------
    bands
        Band to its column of headers.
    base_uri
        The folder that relative hrefs of `assets` are joined to, if headers say none.

    Raises
    ------
    ReadError
        If a band has no image with a place.
    WorkspaceError
        If there is something at `path` already, or it cannot be written.
    """
    fs, place = filesystem_of(path)
    folder = TemporaryFolder()
    draft = Path(folder.path) / "index.gti.gpkg"
    try:
        if fs.exists(place):
            msg = f"{path}: there is something already; remove it, or choose another path"
            raise WorkspaceError(msg)
        for band, column in bands.items():
            frame, resolution = _layer(_images(rows, column, base_uri), band, column)
            frame.to_file(
                draft, layer=band, driver="GPKG", engine="pyogrio", layer_metadata=resolution
            )
        fs.makedirs(fs._parent(place), exist_ok=True)  # noqa: SLF001  # fsspec's own
        fs.put_file(str(draft), place)
    except STORE_ERRORS as error:
        if isinstance(error, WorkspaceError | FileNotFoundError):
            raise  # files that are gone: the caller opens the newest state
        msg = f"{path}: cannot be written ({error})"
        raise WorkspaceError(msg) from error


def _images(rows: ds.Dataset, column: str, base_uri: str) -> pa.Table:
    """Return what an index says of each record, without the offsets of tiles."""
    plain = [name for name in _OF_RECORDS if name in rows.schema.names]
    kind = rows.schema.field(column).type
    if kind.get_field_index("href") < 0:
        return read_index(rows, plain, [column], base_uri)
    known = [name for name in _OF_HEADERS if kind.get_field_index(name) >= 0]
    members = [ds.field(column, name) for name in known]
    header = pc.make_struct(*members, options=pc.MakeStructOptions(known))
    return rows.to_table(columns={**{name: ds.field(name) for name in plain}, column: header})


def _layer(
    table: pa.Table, band: str, column: str
) -> tuple[geopandas.GeoDataFrame, dict[str, str]]:
    """Return the images of a band, and what GTI has to know of their mosaic."""
    table = table.filter(pc.is_valid(pc.struct_field(table[column], "transform")))
    headers = table[column].combine_chunks()
    if not len(headers):
        msg = f"band {band}: no image says where it lies, so there is nothing to index"
        raise ReadError(msg)
    affine = affine_of(pc.struct_field(headers, "transform"))
    corners = _corners(affine, headers)
    crs = _crs(table, headers)
    found = np.unique(crs)
    sizes = np.hypot(affine[:, [0, 1]], affine[:, [3, 4]])
    if len(found) > 1:
        sizes = np.where(_is_projected(crs)[:, None], sizes / _METRES_PER_DEGREE, sizes)
    shapes = geopandas.GeoSeries(index=range(len(crs)), crs=found[0] if len(found) == 1 else LONLAT)
    for one in found:
        chosen = crs == one
        own = geopandas.GeoSeries(shapely.polygons(corners[chosen]), crs=one)
        shapes[chosen] = own.to_crs(shapes.crs).to_numpy()
    frame = geopandas.GeoDataFrame(
        {
            "location": _locations(pc.struct_field(headers, "href")).to_numpy(zero_copy_only=False),
            "id": table["id"].to_numpy(),
            "datetime": table["datetime"].cast(pa.timestamp("ms", "UTC")).to_pandas(),
        },
        geometry=shapes,
    )
    metadata = {"RESX": repr(float(sizes[:, 0].min())), "RESY": repr(float(sizes[:, 1].min()))}
    return frame, {**metadata, "SORT_FIELD": "datetime"}


def _corners(affine: NDArray[np.float64], headers: pa.StructArray) -> NDArray[np.float64]:
    """Return the five points (x, y) of each image's outline."""
    width, height = (
        pc.struct_field(headers, name).to_numpy(zero_copy_only=False)[:, None]
        for name in ("image_width", "image_height")
    )
    cols, rows = width * np.array([0, 1, 1, 0, 0]), height * np.array([0, 0, 1, 1, 0])
    a, b, c, d, e, f = affine.T[:, :, None]
    return np.stack([a * cols + b * rows + c, d * cols + e * rows + f], axis=2)


def _crs(table: pa.Table, headers: pa.StructArray) -> NDArray[np.object_]:
    found = pa.chunked_array([pa.nulls(len(table), pa.string())])
    if "proj:epsg" in table.schema.names:
        code = table["proj:epsg"].cast(pa.int64()).cast(pa.string())
        found = pc.binary_join_element_wise("EPSG", code, ":")
    if "crs" in table.schema.names:
        found = pc.coalesce(table["crs"].cast(pa.string()), found)
    if headers.type.get_field_index("crs") >= 0:
        found = pc.coalesce(pa.chunked_array([pc.struct_field(headers, "crs")]), found)
    if found.null_count:
        msg = f"{found.null_count} images say no CRS; leave them out by a condition"
        raise ReadError(msg)
    names: NDArray[np.object_] = found.to_numpy()
    return names


def _is_projected(crs: NDArray[np.object_]) -> NDArray[np.bool_]:
    names, which = np.unique(crs, return_inverse=True)
    return np.array([pyproj.CRS.from_user_input(name).is_projected for name in names])[which]


def _locations(hrefs: pa.Array) -> pa.Array:
    """Return hrefs as GDAL reads them."""
    for pattern, prefix in _STORES:
        hrefs = pc.replace_substring_regex(hrefs, pattern, prefix)
    return pc.replace_substring_regex(hrefs, _WEB, r"/vsicurl/\1")
