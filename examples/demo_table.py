"""The demo archive's table: STAC items as GeoParquet, hrefs relative to the table itself."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
import shapely

COLLECTION = "demo-archive"
_COG = "image/tiff; application=geotiff; profile=cloud-optimized"
_UTC = pa.timestamp("us", tz="UTC")
_LINK = pa.struct([("href", pa.string()), ("rel", pa.string()), ("type", pa.string())])


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What the table says of one scene, files aside."""

    name: str
    at: datetime
    cloud_cover: float
    """Percent."""
    epsg: int
    transform: tuple[float, ...]
    """Affine coefficients a, b, c, d, e, f of the 10 m grid; b and d are 0."""
    shape: tuple[int, int]
    """Rows, columns of the 10 m grid."""


def write_table(path: Path, scenes: Sequence[Scene]) -> None:
    """Write one row per scene (STAC GeoParquet 1.1.0, GeoParquet 1.1.0)."""
    outlines = shapely.polygons([_outline(scene) for scene in scenes])
    edges = shapely.bounds(outlines)
    boxes = {name: edges[:, i] for i, name in enumerate(("xmin", "ymin", "xmax", "ymax"))}
    many = len(scenes)
    table = pa.table(
        {
            "stac_version": ["1.1.0"] * many,
            "stac_extensions": pa.array([_EXTENSIONS] * many),
            "type": ["Feature"] * many,
            "id": [scene.name for scene in scenes],
            "collection": [COLLECTION] * many,
            "geometry": pa.array(shapely.to_wkb(outlines), pa.binary()),
            "bbox": pa.StructArray.from_arrays([pa.array(v) for v in boxes.values()], list(boxes)),
            "links": pa.array([_links(scene) for scene in scenes], pa.list_(_LINK)),
            "assets": pa.array([_assets(scene) for scene in scenes]),
            "datetime": pa.array([scene.at for scene in scenes], _UTC),
            "created": pa.array([scene.at for scene in scenes], _UTC),
            "constellation": ["demo"] * many,
            "gsd": pa.array([10.0] * many),
            "eo:cloud_cover": [scene.cloud_cover for scene in scenes],
            "proj:code": [f"EPSG:{scene.epsg}" for scene in scenes],
            "proj:epsg": pa.array([scene.epsg for scene in scenes], pa.int64()),
            "proj:shape": pa.array([scene.shape for scene in scenes], pa.list_(pa.int64())),
            "proj:transform": pa.array(
                [[*scene.transform, 0.0, 0.0, 1.0] for scene in scenes], pa.list_(pa.float64())
            ),
        }
    )
    pq.write_table(table.replace_schema_metadata(_footer(edges)), path, compression="zstd")


_EXTENSIONS = [
    "https://stac-extensions.github.io/eo/v1.1.0/schema.json",
    "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
]


def _outline(scene: Scene) -> list[tuple[float, float]]:
    """Return the scene's corners as longitude and latitude, counter-clockwise."""
    rows, columns = scene.shape
    width, _, west, _, height, north = scene.transform
    east, south = west + columns * width, north + rows * height
    to_degrees = pyproj.Transformer.from_crs(scene.epsg, "OGC:CRS84", always_xy=True)
    corners = ((west, south), (east, south), (east, north), (west, north))
    return [to_degrees.transform(*corner) for corner in corners]


def _links(scene: Scene) -> list[dict[str, str]]:
    about = f"{scene.name}/metadata.json"
    return [{"href": about, "rel": "via", "type": "application/json"}]


def _assets(scene: Scene) -> dict[str, dict[str, object]]:
    """Return the scene's assets; red, green and blue are samples of one file."""
    image: dict[str, object] = {"type": _COG, "roles": ["data"]}
    bands: dict[str, dict[str, object]] = {
        band: {"href": f"{scene.name}/{band}.tif", "gsd": gsd, **image}
        for band, gsd in (("B04", 10.0), ("B08", 10.0), ("B11", 20.0))
    }
    samples = {
        colour: {"href": f"{scene.name}/visual.tif", "band_index": index, **image}
        for index, colour in enumerate(("red", "green", "blue"))
    }
    others: dict[str, dict[str, object]] = {
        "thumbnail": {
            "href": f"{scene.name}/thumbnail.png",
            "type": "image/png",
            "roles": ["thumbnail"],
        },
        "metadata": {
            "href": f"{scene.name}/metadata.json",
            "type": "application/json",
            "roles": ["metadata"],
        },
    }
    return {**bands, **samples, **others}


def _footer(edges: np.ndarray) -> dict[str, str]:
    """Return the two keys of the Parquet footer that make it GeoParquet, and STAC's."""
    extent = [*edges.min(axis=0)[:2].tolist(), *edges.max(axis=0)[2:].tolist()]
    covering = {"bbox": {side: ["bbox", side] for side in ("xmin", "ymin", "xmax", "ymax")}}
    column = {
        "encoding": "WKB",
        "geometry_types": ["Polygon"],
        "crs": pyproj.CRS("OGC:CRS84").to_json_dict(),
        "bbox": extent,
        "covering": covering,
    }
    geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
    collection = {
        "type": "Collection",
        "stac_version": "1.1.0",
        "id": COLLECTION,
        "description": "Invented scenes of two places, for trying things out.",
        "license": "CC0-1.0",
        "extent": {
            "spatial": {"bbox": [extent]},
            "temporal": {"interval": [["2024-01-01T00:00:00Z", "2024-07-01T00:00:00Z"]]},
        },
        "links": [],
    }
    stac = {"version": "1.1.0", "collections": {COLLECTION: collection}}
    return {"geo": json.dumps(geo), "stac-geoparquet": json.dumps(stac)}
