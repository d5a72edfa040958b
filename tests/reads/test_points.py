"""Values at points, against rasterio's own sampling."""

from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pyarrow as pa
import pytest
import rasterio
import shapely
from rasterio.transform import Affine

from rasteret_assets import reads
from rasteret_assets.errors import FetchError, ReadError
from tests.reads.indexing import Scene, index, noise, write
from tests.rig.http_server import Fault, RangeServer

UTM = "EPSG:32632"


@pytest.fixture(scope="module")
def scenes(folder: Path, server: RangeServer) -> list[Scene]:
    found = []
    for number in range(3):
        pixels = noise(number + 7, 2, 300, 250)
        pixels[0, 50:100] = 0
        transform = Affine(10, 0, 500_000 + 600 * number, 0, -10, 5_500_000)
        path = write(folder / f"points{number}.tif", pixels, nodata=0, transform=transform)
        files = {band: (server.url(path.name), at) for at, band in enumerate(("a", "b"))}
        found.append(Scene(id=f"p{number}", files=files, path=path, days=number))
    return found


@pytest.fixture(scope="module")
def points() -> pa.Table:
    rng = np.random.default_rng(5)
    x = 499_000 + rng.random(400) * 5_000
    y = 5_496_800 + rng.random(400) * 3_500
    return pa.table({"name": [f"n{i}" for i in range(400)], "x": x, "y": y})


def by_rasterio(scene: Scene, points: pa.Table, band: int) -> np.ndarray[Any, Any]:
    """Return the value at each point, 0 outside."""
    pairs = zip(points["x"].to_pylist(), points["y"].to_pylist(), strict=True)
    with rasterio.open(scene.path) as dataset:
        return np.array([value[0] for value in dataset.sample(pairs, band)])


@pytest.mark.parametrize("mosaic", ["first", "last"])
def test_points_get_the_pixels_they_lie_in(
    scenes: list[Scene],
    points: pa.Table,
    mosaic: Any,  # noqa: ANN401  # a literal type
) -> None:
    found = reads.sample_points(
        index(scenes), points, bands=["a", "b"], geometry_crs=UTM, mosaic=mosaic
    )
    for at, band in enumerate(("a", "b")):
        expected = np.zeros(400, int)
        for scene in scenes if mosaic == "last" else scenes[::-1]:
            values = by_rasterio(scene, points, at + 1)
            expected = np.where(values, values, expected)
        assert np.array_equal(found[band].fill_null(0), expected)
        assert found[band].null_count == (expected == 0).sum()
    assert found.select(points.schema.names).equals(points)


def test_each_record_gives_a_row_where_none_is_chosen(
    scenes: list[Scene], points: pa.Table
) -> None:
    found = reads.sample_points(
        index(scenes), points, bands=["a"], geometry_crs=UTM, mosaic=None
    ).to_pandas()
    for scene in scenes:
        rows = found[found.record_id == scene.id]
        with rasterio.open(scene.path) as dataset:
            left, bottom, right, top = dataset.bounds
        x, y = points["x"].to_numpy(), points["y"].to_numpy()
        inside = (x > left) & (x < right) & (y > bottom) & (y < top)
        expected = by_rasterio(scene, points, 1)[inside]
        assert rows.name.tolist() == np.array(points["name"])[inside].tolist()
        assert np.array_equal(rows.a.fillna(0), expected)


def test_geometries_are_points_too(scenes: list[Scene], points: pa.Table) -> None:
    wkb = shapely.to_wkb(shapely.points(points["x"].to_numpy(), points["y"].to_numpy()))
    as_wkb = pa.table({"geometry": pa.array(wkb, pa.binary())})
    asked: dict[str, Any] = {"bands": ["b"], "geometry_crs": UTM}
    found = reads.sample_points(index(scenes), as_wkb, **asked)
    expected = reads.sample_points(index(scenes), points, **asked)
    assert found["b"].equals(expected["b"])


@pytest.mark.parametrize("mosaic", ["last", None])
def test_a_geodataframe_is_points_in_its_own_crs(
    scenes: list[Scene],
    points: pa.Table,
    mosaic: Any,  # noqa: ANN401  # a literal type
) -> None:
    x, y = points["x"].to_numpy(), points["y"].to_numpy()
    frame = geopandas.GeoDataFrame(
        {"name": points["name"].to_pylist(), "place": geopandas.points_from_xy(x, y)}
    ).set_geometry("place", crs=UTM)
    asked: dict[str, Any] = {"bands": ["a"], "mosaic": mosaic}
    found = reads.sample_points(index(scenes), frame, geometry_crs="EPSG:4326", **asked)
    expected = reads.sample_points(index(scenes), points, geometry_crs=UTM, **asked)
    assert found["a"].equals(expected["a"])
    assert found["name"].to_pylist() == expected["name"].to_pylist()
    back = geopandas.GeoDataFrame.from_arrow(found)
    assert back.crs == UTM
    assert np.array_equal(back.geometry.x, expected["x"])


def test_each_tile_is_fetched_once(
    scenes: list[Scene], points: pa.Table, server: RangeServer
) -> None:
    table = index(scenes)
    server.forget()
    reads.sample_points(table, points, bands=["a", "b"], geometry_crs=UTM)
    size = sum(scene.path.stat().st_size for scene in scenes)
    assert server.body_bytes() <= size


def test_a_failing_file_is_left_out_on_request(
    scenes: list[Scene], points: pa.Table, server: RangeServer
) -> None:
    table = index(scenes)
    server.always("points1.tif", Fault(status=404))
    with pytest.raises(FetchError):
        reads.sample_points(table, points, bands=["a"], geometry_crs=UTM)
    found = reads.sample_points(table, points, bands=["a"], geometry_crs=UTM, on_error="skip")
    server.always("points1.tif", None)
    expected = reads.sample_points(
        index([scenes[0], scenes[2]]), points, bands=["a"], geometry_crs=UTM
    )
    assert found["a"].equals(expected["a"])


@pytest.mark.parametrize(
    ("points", "named"),
    [
        (pa.table({"name": ["a"]}), "no points"),
        (geopandas.GeoSeries([shapely.Point(0, 0)]), r"to_frame\('geometry'\)"),
        (pa.table({"x": [1.0], "y": [2.0], "a": [3]}), r"\['a'\]"),
        (
            pa.table({"geometry": pa.array([shapely.to_wkb(shapely.box(0, 0, 1, 1))])}),
            "other things",
        ),
    ],
)
def test_what_is_no_points_is_refused(scenes: list[Scene], points: pa.Table, named: str) -> None:
    with pytest.raises(ReadError, match=named):
        reads.sample_points(index(scenes), points, bands=["a"], geometry_crs=UTM)
