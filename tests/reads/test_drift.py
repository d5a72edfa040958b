"""Files written anew since they were indexed: what each kind of read does with them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import rasterio
import shapely
from numpy.typing import NDArray

from rasteret_assets import reads
from rasteret_assets.errors import FetchError, ProblemCode
from rasteret_assets.reads.zones import get_gdf
from tests.reads.indexing import Scene, index, noise, write
from tests.rig.http_server import RangeServer

UTM = "EPSG:32632"
SHAPE = (100, 120)
BOX = shapely.box(500_100, 5_499_500, 500_700, 5_499_900)
ROWS, COLS = slice(10, 50), slice(10, 70)
CELLS = (np.array([12, 47, 30]), np.array([15, 69, 40]))
POINTS = pa.table({"x": 500_000 + 10 * CELLS[1] + 5, "y": 5_500_000 - 10 * CELLS[0] - 5})
NAME = "drift.tif"

Answer = tuple[list[str], list[NDArray[Any]]]
"""Ids of the records that a read gave, and pixels of each."""


def whole(table: pa.Table, **asked: Any) -> Answer:  # noqa: ANN401  # any of a read's arguments
    data = reads.get_xarray(table, bands=["B1"], **asked)
    return list(data.id.values), list(data["B1"].values)


def in_chunks(table: pa.Table, **asked: Any) -> Answer:  # noqa: ANN401  # as above
    data = reads.get_xarray(table, bands=["B1"], chunks={"y": 37}, **asked).compute()
    there = (data["B1"] != 0).any(("y", "x")).values
    return list(data.id.values[there]), list(data["B1"].values[there])


def by_zone(table: pa.Table, **asked: Any) -> Answer:  # noqa: ANN401  # as above
    frame = get_gdf(table, bands=["B1"], geometries=[BOX], geometry_crs=UTM, **asked)
    return list(frame["id"]), [cell.data for cell in frame["B1"]]


def at_points(table: pa.Table, **asked: Any) -> Answer:  # noqa: ANN401  # as above
    asked = {"bands": ["B1"], "geometry_crs": UTM, "mosaic": None, **asked}
    rows = reads.sample_points(table, POINTS, **asked).to_pandas()
    ids = sorted(set(rows["record_id"]))
    return ids, [rows["B1"][rows["record_id"] == one].to_numpy() for one in ids]


KINDS: dict[str, tuple[Callable[..., Answer], Any]] = {
    "whole": (whole, slice(None)),
    "chunks": (in_chunks, slice(None)),
    "zones": (by_zone, (ROWS, COLS)),
    "points": (at_points, CELLS),
}
EACH = pytest.mark.parametrize(("read", "part"), KINDS.values(), ids=KINDS)


def pixels_of(path: Path) -> NDArray[Any]:
    with rasterio.open(path) as dataset:
        found: NDArray[Any] = dataset.read(1)
    return found


@pytest.fixture
def paths(folder: Path, server: RangeServer) -> list[Path]:
    """Two files of 8-bit pixels, as they are when they are indexed."""
    made = []
    for number, name in enumerate(("steady.tif", NAME)):
        made.append(
            write(folder / name, noise(number, 1, *SHAPE, dtype="uint8", top=250), nodata=0)
        )
        server.put(name, made[-1].read_bytes())
    return made


@pytest.fixture
def table(paths: list[Path], server: RangeServer) -> pa.Table:
    return index(
        [
            Scene(id=f"s{n}", files={"B1": (server.url(path.name), 0)}, path=path, days=n)
            for n, path in enumerate(paths)
        ]
    )


@pytest.fixture
def anew(table: pa.Table, folder: Path, server: RangeServer) -> Callable[..., Path]:  # noqa: ARG001  # indexed before
    """Return what writes the second file anew."""

    def written(seed: int = 77, *, dtype: str = "uint8", top: int = 250, **profile: Any) -> Path:  # noqa: ANN401  # rasterio's
        pixels = noise(seed, 1, *SHAPE, dtype=dtype, top=top)
        profile = {"nodata": 0, "blockxsize": 32, "blockysize": 32, **profile}
        tags = {name: profile.pop(name) for name in ("scale", "offset") if name in profile}
        path = write(folder / "anew.tif", pixels, **profile)
        if tags:
            with rasterio.open(path, "r+") as dataset:
                dataset.scales, dataset.offsets = (tags["scale"],), (tags["offset"],)
        server.put(NAME, path.read_bytes())
        return path

    return written


@EACH
def test_a_changed_file_stops_the_read(
    table: pa.Table, anew: Callable[..., Path], read: Callable[..., Answer], part: object
) -> None:
    anew()
    assert part is not None
    with pytest.raises(FetchError, match="changed since it was indexed") as caught:
        read(table)
    assert caught.value.code is ProblemCode.FILE_CHANGED


@EACH
def test_a_changed_file_is_left_out_on_request(
    table: pa.Table,
    paths: list[Path],
    anew: Callable[..., Path],
    read: Callable[..., Answer],
    part: Any,  # noqa: ANN401  # any index of NumPy's
) -> None:
    anew()
    ids, pixels = read(table, on_drift="skip")
    assert ids == ["s0"]
    assert np.array_equal(pixels[0], pixels_of(paths[0])[part])


@EACH
def test_a_changed_file_is_indexed_anew_on_request(
    table: pa.Table,
    paths: list[Path],
    anew: Callable[..., Path],
    read: Callable[..., Answer],
    part: Any,  # noqa: ANN401  # as above
) -> None:
    path = anew()
    ids, pixels = read(table, on_drift="refresh")
    assert ids == ["s0", "s1"]
    assert np.array_equal(pixels[0], pixels_of(paths[0])[part])
    assert np.array_equal(pixels[1], pixels_of(path)[part])


@pytest.mark.parametrize("read", [whole, in_chunks])
@pytest.mark.parametrize(
    "asked", [{}, {"mosaic": "last", "resolution": 7}], ids=["plain", "mosaic"]
)
def test_a_type_that_the_result_cannot_hold_stops_the_read(
    table: pa.Table,
    anew: Callable[..., Path],
    read: Callable[..., Answer],
    asked: dict[str, Any],
) -> None:
    anew(dtype="uint16", top=4000)
    with pytest.raises(FetchError, match=r"'s1'.*uint16 now.*update the Collection") as caught:
        read(table, on_drift="refresh", **asked)
    assert caught.value.code is ProblemCode.FILE_CHANGED


@pytest.mark.parametrize("kind", ["zones", "points"])
def test_pixels_of_a_wider_type_are_given_as_they_are(
    table: pa.Table, anew: Callable[..., Path], kind: str
) -> None:
    path = anew(dtype="uint16", top=4000)
    read, part = KINDS[kind]
    _, pixels = read(table, on_drift="refresh")
    assert np.array_equal(pixels[1], pixels_of(path)[part])
    assert pixels[1].max() > 255


def test_a_type_that_floats_hold_is_read(table: pa.Table, anew: Callable[..., Path]) -> None:
    path = anew(dtype="uint16", top=4000)
    data = reads.get_xarray(table, bands=["B1"], masked=True, on_drift="refresh")
    assert np.array_equal(data["B1"][1], pixels_of(path))


def test_scale_and_nodata_are_those_of_the_file_as_it_is(
    table: pa.Table, anew: Callable[..., Path]
) -> None:
    path = anew(scale=0.5, offset=3.0, nodata=9)
    data = reads.get_xarray(table, bands=["B1"], on_drift="refresh", masks=True)
    assert data["B1_scale_factor"].values.tolist() == [1, 0.5]
    assert data["B1_add_offset"].values.tolist() == [0, 3]
    assert np.array_equal(data["B1_mask"][1], pixels_of(path) != 9)


def test_chunks_refuse_a_scale_that_the_dataset_does_not_say(
    table: pa.Table, anew: Callable[..., Path]
) -> None:
    path = anew(scale=0.5, offset=3.0)
    asked: dict[str, Any] = {"bands": ["B1"], "chunks": {}, "on_drift": "refresh"}
    with pytest.raises(FetchError, match=r"'s1'.*another scale.*update the Collection"):
        reads.get_xarray(table, **asked).compute()
    scaled = reads.get_xarray(table, apply_scale=True, **asked).compute()
    assert np.array_equal(scaled["B1"][1], pixels_of(path) * np.float32(0.5) + 3)
