"""Reads put off by dask: the same pixels, by any scheduler, of the tiles of each chunk alone."""

import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import distributed
import numpy as np
import pyarrow as pa
import pytest
import shapely
import tifffile
import xarray as xr
from numpy.typing import NDArray
from rasterio.transform import Affine

from rasteret_assets import reads
from rasteret_assets.contract.settings import FetchSettings
from rasteret_assets.errors import FetchError, ProblemCode, ReadError
from tests.reads.indexing import Scene, index, noise, write
from tests.rig.http_server import Fault, RangeServer

UTM = "EPSG:32632"
WIDTH, HEIGHT = 420, 300
POLYGON = shapely.Polygon(
    [(500_333, 5_499_871), (503_777, 5_499_111), (502_901, 5_497_312), (499_800, 5_498_600)]
)


@pytest.fixture(scope="module")
def table(folder: Path, server: RangeServer) -> pa.Table:
    """Four scenes on two days that overlap in part: r, g, b interleaved in tiles, n apart."""
    scenes = []
    for number in range(4):
        transform = Affine(10, 0, 500_000 + 1_000 * number, 0, -10, 5_500_000 + 500 * number)
        rgb, near = (
            write(
                folder / f"{name}{number}.tif",
                noise(number, count, HEIGHT, WIDTH),
                nodata=0,
                transform=transform,
                interleave="pixel",
                overviews=[2, 4],
            )
            for name, count in (("rgb", 3), ("near", 1))
        )
        files: dict[str, tuple[str, int | None]] = {"n": (server.url(near.name), 0)}
        files |= {band: (server.url(rgb.name), at) for at, band in enumerate("rgb")}
        if number == 2:
            files.pop("n")
        scenes.append(Scene(id=f"s{number}", files=files, path=rgb, days=number // 2))
    return index(scenes)


def most(values: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[Any]:
    return np.where(valid, values, 0).max(axis=0)


ASKED: dict[str, dict[str, Any]] = {
    "plain": {},
    "masks": {"masks": True, "masked": True},
    "area": {"geometries": POLYGON, "geometry_crs": UTM, "masks": True},
    "area_touched": {"geometries": POLYGON, "geometry_crs": UTM, "all_touched": True},
    "first": {"mosaic": "first"},
    "last_of_day": {"mosaic": "last", "mosaic_by": "day", "masks": True},
    "median_of_day": {"mosaic": "median", "mosaic_by": "day"},
    "function": {"mosaic": most},
    "scale": {"apply_scale": True},
    "coarse": {"resolution": 20},
    "overview": {"overview": 2},
    "bilinear": {"resolution": 13, "resampling": "bilinear"},
    "cubic": {"resolution": (7, 23), "resampling": "cubic"},
    "average": {"resolution": 37, "resampling": "average", "overview": 0},
}


@pytest.mark.parametrize("chunks", [{}, {"time": 2, "y": 100, "x": 130}], ids=["suited", "small"])
@pytest.mark.parametrize("name", ASKED)
def test_pixels_are_those_of_the_read_at_once(
    table: pa.Table, name: str, chunks: dict[str, int]
) -> None:
    asked: dict[str, Any] = {"bands": ["n", "g", "r"], **ASKED[name]}
    lazy = reads.get_xarray(table, chunks=chunks, **asked)
    eager = reads.get_xarray(table, **asked)
    assert all(variable.chunks for variable in lazy.data_vars.values())
    found = lazy.compute()
    xr.testing.assert_equal(found, eager)
    assert {str(key): value.dtype for key, value in lazy.items()} == {
        str(key): value.dtype for key, value in eager.items()
    }
    assert found.attrs == eager.attrs
    assert "s2: n: no header" in lazy.attrs["missing_bands"]


def test_chunks_in_another_crs_lie_within_gdals_tolerance(
    folder: Path, server: RangeServer
) -> None:
    y, x = np.indices((HEIGHT, WIDTH))
    path = write(folder / "slope.tif", (10 * x + 10 * y + 1).astype(np.float32)[None])
    sloped = index([Scene(id="s", files={"B": (server.url(path.name), 0)}, path=path)])
    for how in ("nearest", "bilinear", "cubic"):
        asked: dict[str, Any] = {"bands": ["B"], "crs": "EPSG:32633", "resampling": how}
        lazy = reads.get_xarray(sloped, chunks={"x": 90, "y": 70}, **asked)
        eager = reads.get_xarray(sloped, **asked)
        apart = np.abs(lazy["B"].values - eager["B"].values)
        assert np.array_equal(np.isnan(lazy["B"]), np.isnan(eager["B"]))
        # an eighth of a pixel each way in x and in y; whole pixels where the nearest is taken
        assert np.nanmax(apart) < (20.1 if how == "nearest" else 5)
        assert np.nanmean(apart) < 1


@pytest.mark.parametrize(
    "chunks",
    [{"time": 1, "y": 64, "x": 128}, {"time": -1, "y": (200, 250), "x": -1}, 100, -1],
    ids=str,
)
def test_chunks_are_those_of_xarray(table: pa.Table, chunks: Any) -> None:  # noqa: ANN401  # any of xarray's forms
    lazy = reads.get_xarray(table, bands=["r"], chunks=chunks)
    assert lazy.chunks == reads.get_xarray(table, bands=["r"]).chunk(chunks).chunks


def test_dimensions_that_are_not_named_get_chunks_that_suit(
    folder: Path, server: RangeServer
) -> None:
    path = write(folder / "wide.tif", noise(1, 1, 300, 3000))
    wide = index([Scene(id="w", files={"B": (server.url(path.name), 0)}, path=path)])
    asked: dict[str, Any] = {
        "bands": ["B"],
        "geometries": (500_100, 5_498_000, 529_000, 5_499_500),
        "geometry_crs": UTM,
    }
    found = reads.get_xarray(wide, chunks={"y": 50}, **asked)
    # 16 tiles of 64 pixels, counted from the edge of the image; the area begins at pixel 10
    assert found.chunks == {"time": (1,), "y": (50, 50, 50), "x": (1014, 1024, 852)}
    with dask.config.set({"array.chunk-size": "200 kB"}):
        sizes = reads.get_xarray(wide, chunks="auto", **asked).chunks
    assert max(sizes["x"]) * max(sizes["y"]) * 2 <= 200_000


def test_a_task_reads_the_tiles_of_its_chunk_alone(
    table: pa.Table, folder: Path, server: RangeServer
) -> None:
    box = (500_000, 5_497_000, 504_200, 5_500_000)
    server.forget()
    lazy = reads.get_xarray(
        table.slice(0, 1),
        bands=["n"],
        geometries=box,
        geometry_crs=UTM,
        chunks={"y": 64, "x": 64},
    )
    assert server.seen() == []
    with tifffile.TiffFile(folder / "near0.tif") as tiff:
        page = tiff.pages.first
        offsets, sizes, across = page.dataoffsets, page.databytecounts, page.chunked[1]
    for row, col in ((0, 0), (2, 3), (4, 6)):
        server.forget()
        lazy["n"].data.blocks[0, row, col].compute()
        tile = row * across + col
        (request,) = server.seen()
        assert request.range == f"bytes={offsets[tile]}-{offsets[tile] + sizes[tile] - 1}"


def test_bands_that_share_tiles_are_fetched_together(table: pa.Table, server: RangeServer) -> None:
    lazy = reads.get_xarray(table.slice(0, 1), bands=["r", "g", "b", "n"], chunks={})
    server.forget()
    lazy.compute()
    assert [len(server.seen(name)) for name in ("rgb0.tif", "near0.tif")] == [1, 1]
    server.forget()
    lazy["n"].compute()
    assert {one.path for one in server.seen()} == {"near0.tif"}


@pytest.fixture(scope="module")
def cluster() -> Iterator[distributed.Client]:
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=True, dashboard_address=None
        ) as workers,
        distributed.Client(workers, set_as_default=False) as client,
    ):
        yield client


@pytest.mark.parametrize("scheduler", ["synchronous", "threads", "processes"])
def test_every_scheduler_gives_the_same(table: pa.Table, scheduler: str) -> None:
    asked: dict[str, Any] = {"bands": ["r", "n"], "masks": True}
    lazy = reads.get_xarray(table, chunks={"time": 2}, **asked)
    found = lazy.compute(scheduler=scheduler, num_workers=2)
    xr.testing.assert_equal(found, reads.get_xarray(table, **asked))


@pytest.mark.filterwarnings("default")  # what a cluster warns of is its own
def test_a_cluster_gives_the_same(table: pa.Table, cluster: distributed.Client) -> None:
    lazy = reads.get_xarray(table, bands=["r", "n"], chunks={"x": 200})
    (found,) = cluster.gather(cluster.compute([lazy]))
    xr.testing.assert_equal(found, reads.get_xarray(table, bands=["r", "n"]))


def test_a_graph_is_small(table: pa.Table) -> None:
    many = pa.concat_tables([table] * 25)
    lazy = reads.get_xarray(many, bands=["n"], chunks={"y": 100, "x": 100})
    tasks = lazy["n"].data.numblocks
    assert tasks == (75, 5, 8)
    # five kilobytes a time for its headers, some hundred bytes a task
    assert len(pickle.dumps(lazy)) < 75 * 5_000 + 2 * 75 * 40 * 150


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"chunks": {"lat": 5}}, "lat"),
        ({"chunks": {"x": (5, 5)}}, "do not fit"),
        ({"chunks": "much"}, "do not fit"),
        ({"chunks": -1, "max_bytes": 100_000}, "a chunk takes"),
    ],
)
def test_chunks_that_cannot_be_are_refused(
    table: pa.Table, asked: dict[str, Any], named: str
) -> None:
    with pytest.raises(ReadError, match=named):
        reads.get_xarray(table, bands=["r"], **asked)


def test_what_is_too_large_at_once_is_read_in_chunks(table: pa.Table) -> None:
    with pytest.raises(ReadError, match=r"GiB.*chunks="):
        reads.get_xarray(table, bands=["r"], max_bytes=200_000)
    lazy = reads.get_xarray(table, bands=["r"], max_bytes=200_000, chunks={"x": 150})
    xr.testing.assert_equal(lazy.compute(), reads.get_xarray(table, bands=["r"]))


def test_a_file_that_fails_meanwhile_fails_its_tasks_or_is_left_out(
    table: pa.Table, server: RangeServer, caplog: pytest.LogCaptureFixture
) -> None:
    asked: dict[str, Any] = {
        "bands": ["n"],
        "access": reads.Access(settings=FetchSettings(max_attempts=1)),
        "chunks": {"time": 2},
    }
    whole = reads.get_xarray(table, **asked).compute()
    strict, lenient = (
        reads.get_xarray(table, on_error=policy, **asked) for policy in ("raise", "skip")
    )
    server.always("near1.tif", Fault(status=404))
    try:
        for scheduler in ("threads", "processes"):
            with pytest.raises(FetchError) as caught:
                strict.compute(scheduler=scheduler)
            assert caught.value.code is ProblemCode.NOT_FOUND
        found = lenient.compute()
    finally:
        server.always("near1.tif", None)
    assert "record 's1' is left out" in caplog.text
    assert not found["n"][1].values.any()
    xr.testing.assert_equal(found.isel(time=[0, 2]), whole.isel(time=[0, 2]))


def test_without_dask_it_says_what_to_install(tmp_path: Path) -> None:
    script = """
import sys
sys.modules["dask"] = None
import pyarrow as pa
from rasteret_assets import reads
from rasteret_assets.errors import ConfigError
try:
    reads.get_xarray(pa.table({}), bands=["a"], chunks={})
except ConfigError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert "rasteret-assets[dask]" in done.stdout
