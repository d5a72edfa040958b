"""Files with the headers of Sentinel-2-like COGs, whose tiles are holes.

GDAL writes one COG of 10,980 x 10,980 pixels without any stored tile; into copies of its header go
the offsets and byte counts of a full file, another place, another UTM zone. The file is then
made as long as it says. Headers are thus GDAL's, byte for byte but for those numbers, while a
file takes a few kilobytes of disk: reading its header is the work it is in an archive.
"""

import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
import tifffile
from affine import Affine

SIDE = 10_980
TILE = 1_024
FIRST_ZONE = 32_601
ZONES = 60
BANDS = 2
"""Files of one scene, one after another."""
_LEADER = 4
"""Bytes before, and after, each tile (BLOCK_LEADER, BLOCK_TRAILER of GDAL's layout)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """Where a list of numbers of one image stands in the header."""

    at: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A header, and where in it to write what differs from file to file."""

    header: bytes
    offsets: tuple[Slot, ...]
    """Full-size image first, then its overviews, larger first."""
    byte_counts: tuple[Slot, ...]
    tiepoint: int
    zone: int
    """Where the EPSG number of the CRS stands, as a SHORT."""
    sizes: tuple[int, int]
    """Bytes that a tile may take: from, to."""


def template(folder: Path, *, side: int = SIDE, tile: int = TILE) -> Template:
    """Return the header that GDAL writes for a file of `side` x `side` pixels."""
    path = folder / "template.tif"
    crs = f"EPSG:{FIRST_ZONE}"
    with rasterio.open(
        path,
        "w",
        driver="COG",
        width=side,
        height=side,
        count=1,
        dtype="uint16",
        crs=crs,
        transform=Affine(10, 0, 300_000, 0, -10, 1_500_000),
        nodata=0,
        blocksize=tile,
        compress="deflate",
        predictor="standard",
        sparse_ok="true",
    ) as file:
        file.write(np.zeros((1, side, side), np.uint16))
    header = path.read_bytes()
    with tifffile.TiffFile(path) as file:
        tags = [page.aspage().tags for page in file.pages]
        offsets = tuple(_slot(page["TileOffsets"]) for page in tags)
        byte_counts = tuple(_slot(page["TileByteCounts"]) for page in tags)
        tiepoint = tags[0]["ModelTiepointTag"].valueoffset
        keys = tags[0]["GeoKeyDirectoryTag"].valueoffset
    path.unlink()
    return Template(
        header=header,
        offsets=offsets,
        byte_counts=byte_counts,
        tiepoint=tiepoint,
        zone=header.index(struct.pack("<H", FIRST_ZONE), keys),
        sizes=(900_000 * tile**2 // TILE**2, 1_700_000 * tile**2 // TILE**2),
    )


def _slot(tag: tifffile.TiffTag) -> Slot:
    if tag.dtype != tifffile.DATATYPE.LONG:
        msg = f"{tag.name} is {tag.dtype}; 32-bit numbers were expected"
        raise ValueError(msg)
    return Slot(at=tag.valueoffset, count=tag.count)


def write_files(folder: Path, count: int) -> list[str]:
    """Write `count` files, no two alike, and return their names; those there are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{number}.tif" for number in range(count)]
    if not all((folder / name).exists() for name in names):
        form = template(folder)
        for number, name in enumerate(names):
            _write(folder / name, form, number)
    return names


def _write(path: Path, form: Template, number: int) -> None:
    scene = number // BANDS  # bands of a scene lie in one place
    corner = (300_000.0 + 109_800 * (scene % 5), 1_500_000.0 + 109_800 * (scene // 5 % 50))
    write_file(path, form, number, corner=corner, zone=FIRST_ZONE + scene % ZONES)


def write_file(
    path: Path,
    form: Template,
    seed: int,
    *,
    corner: tuple[float, float],
    zone: int,
    stored: Mapping[int, bytes] | None = None,
) -> None:
    """Write a file whose tiles are holes, but for those `stored`.

    Parameters
    ----------
    seed
        Decides how large the other tiles say they are.
    corner
        Easting and northing of the upper left corner.
    zone
        EPSG number of the CRS.
    stored
        Bytes of tiles of the full-size image, by number.
    """
    rng = np.random.default_rng(seed)
    header = bytearray(form.header)
    end = len(header)
    full = dict(stored or {})
    starts = np.empty(0, np.int64)
    # Overviews lie before the full-size image, the smallest first.
    for offsets, byte_counts in reversed(list(zip(form.offsets, form.byte_counts, strict=True))):
        sizes = rng.integers(*form.sizes, offsets.count)
        if offsets is form.offsets[0]:
            for at, data in full.items():
                sizes[at] = len(data)
        starts = end + _LEADER + np.concatenate([[0], np.cumsum(sizes[:-1] + 2 * _LEADER)])
        end = int(starts[-1] + sizes[-1] + _LEADER)
        struct.pack_into(f"<{offsets.count}I", header, offsets.at, *starts.tolist())
        struct.pack_into(f"<{offsets.count}I", header, byte_counts.at, *sizes.tolist())
    struct.pack_into("<2d", header, form.tiepoint + 24, *corner)
    struct.pack_into("<H", header, form.zone, zone)
    with path.open("wb") as file:
        file.write(header)
        os.truncate(file.fileno(), end)
        for at, data in full.items():
            file.seek(int(starts[at]) - _LEADER)
            file.write(struct.pack("<I", len(data)) + data + data[-_LEADER:])
