"""Where the records of a Collection lie, as a picture that the UI shows."""

import base64

import dagster as dg
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import shapely
from numpy.typing import NDArray

from rasteret_assets.collection.pictures import footprint_map
from rasteret_assets.storage import CollectionStore

_WIDTH = 480
"""Pixels: some ten kilobytes, since all metadata is sent to the UI whole."""
_OUTLINES = 5_000
"""Records drawn by their geometry; of more, boxes are enough, and cheaper to read."""
_BOXES = 1_000_000
"""Records drawn at all."""


def map_of(store: CollectionStore, rows: int, title: str) -> dg.MarkdownMetadataValue:
    """Return a map of the Collection's `rows` records as Markdown with the picture in it."""
    shapes = store.read(_outlines if rows <= _OUTLINES else _boxes)
    picture = footprint_map(shapes, title=title, width=_WIDTH)
    data = base64.b64encode(picture).decode()
    drawn = "" if rows <= _BOXES else f"\n\nthe first {_BOXES:,} of {rows:,} records"
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{data}){drawn}")


def _outlines(dataset: ds.Dataset) -> NDArray[np.object_]:
    geometry = dataset.to_table(columns=["geometry"])["geometry"]
    return np.asarray(shapely.from_wkb(geometry.to_numpy(zero_copy_only=False)))


def _boxes(dataset: ds.Dataset) -> NDArray[np.object_]:
    boxes = dataset.head(_BOXES, columns=["bbox"])["bbox"].combine_chunks()
    xmin, ymin, xmax, ymax = (_corner(boxes, name) for name in ("xmin", "ymin", "xmax", "ymax"))
    east = np.where(xmax < xmin, xmax + 360, xmax)  # across the antimeridian, RFC 7946, 5.2
    return np.asarray(shapely.box(xmin, ymin, east, ymax))


def _corner(boxes: pa.StructArray, name: str) -> NDArray[np.float64]:
    return np.asarray(pc.struct_field(boxes, name).to_numpy(zero_copy_only=False))
