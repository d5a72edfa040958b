"""Index tables of served files, made with the project's own headers, footprints by rasterio."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import rasterio
import rasterio.warp
import shapely
from numpy.typing import NDArray
from rasterio.transform import Affine

from rasteret_assets.contract.settings import FetchSettings
from rasteret_assets.fetch import HeaderFetcher
from rasteret_assets.tiff.band_structs import band_structs

START = datetime(2024, 1, 1)  # noqa: DTZ001  # the tables' times are UTC without a zone


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One record: its bands' hrefs, and which sample of each."""

    id: str
    files: Mapping[str, tuple[str, int | None]]
    path: Path
    """A local copy of one of them, for the footprint."""
    days: int = 0


def index(scenes: Sequence[Scene]) -> pa.Table:
    """Return the table that a Collection of `scenes` would hold."""
    bands = sorted({band for scene in scenes for band in scene.files})
    hrefs = sorted({href for scene in scenes for href, _ in scene.files.values()})
    with HeaderFetcher(FetchSettings()) as fetcher:
        found = {one.href: one for one in fetcher.fetch(hrefs)}
    columns: dict[str, Any] = {
        "id": [scene.id for scene in scenes],
        "datetime": pa.array(
            [START + timedelta(days=scene.days) for scene in scenes], pa.timestamp("us", tz="UTC")
        ),
        "geometry": pa.array([footprint(scene.path) for scene in scenes], pa.binary()),
    }
    for band in bands:
        asked = [scene.files.get(band, ("", None)) for scene in scenes]
        outcomes = [found.get(href) for href, _ in asked]
        columns[f"{band}_metadata"] = band_structs(
            [one.header if one else None for one in outcomes],
            [one.file if one else None for one in outcomes],
            [band_index for _, band_index in asked],
        )
    return pa.table(columns)


def footprint(path: Path) -> bytes:
    """Return the outline of a file in longitude and latitude, as WKB."""
    with rasterio.open(path) as dataset:
        box = rasterio.warp.transform_bounds(dataset.crs, "OGC:CRS84", *dataset.bounds)
    return bytes(shapely.to_wkb(shapely.box(*box)))


def write(path: Path, pixels: NDArray[Any], **profile: Any) -> Path:  # noqa: ANN401  # rasterio's
    """Write `pixels` (band, y, x) as a tiled GeoTIFF at 500000, 5500000 in EPSG:32632."""
    count, height, width = pixels.shape
    plain = {
        "driver": "GTiff",
        "count": count,
        "height": height,
        "width": width,
        "dtype": pixels.dtype.name,
        "crs": "EPSG:32632",
        "transform": Affine(10, 0, 500_000, 0, -10, 5_500_000),
        "tiled": True,
        "blockxsize": 64,
        "blockysize": 64,
        "compress": "DEFLATE",
    }
    overviews = profile.pop("overviews", None)
    mask = profile.pop("mask", None)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True, GDAL_TIFF_OVR_BLOCKSIZE=64):
        with rasterio.open(path, "w", **{**plain, **profile}) as dataset:
            dataset.write(pixels)
            if mask is not None:
                dataset.write_mask(mask)
        if overviews:
            with rasterio.open(path, "r+") as dataset:
                dataset.build_overviews(overviews)
    return path


def noise(seed: int, *shape: int, dtype: str = "uint16", top: int = 4000) -> NDArray[Any]:
    """Return numbers from 1 up, the same for the same seed."""
    return np.random.default_rng(seed).integers(1, top, shape).astype(dtype)
