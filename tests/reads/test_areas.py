"""Areas of mixed kinds, partly outside, empty: each has one result, or one error."""

from pathlib import Path
from typing import Any

import geoarrow.pyarrow as ga
import geopandas
import numpy as np
import pyarrow as pa
import pytest
import rasterio.features
import shapely
import shapely.affinity
from rasterio.transform import Affine

from rasteret_assets import reads
from rasteret_assets.errors import ReadError
from tests.reads.indexing import Scene, index, noise, write
from tests.rig.http_server import RangeServer

UTM = "EPSG:32632"
POLYGON = shapely.Polygon([(500_105, 5_499_891), (500_777, 5_499_505), (500_301, 5_499_012)])
POINT = shapely.Point(501_003, 5_499_003)
LINE = shapely.LineString([(500_900, 5_499_900), (501_100, 5_499_650)])
PIXELS = noise(3, 1, 130, 140)


@pytest.fixture(scope="module")
def table(folder: Path, server: RangeServer) -> pa.Table:
    path = write(folder / "areas.tif", PIXELS, nodata=0)
    return index([Scene(id="a", files={"B1": (server.url(path.name), 0)}, path=path)])


def read(table: pa.Table, area: Any) -> Any:  # noqa: ANN401  # an area of any kind; a dataset
    return reads.get_xarray(table, bands=["B1"], geometries=area, geometry_crs=UTM, masks=True)


def test_geometries_of_several_kinds_are_burnt_as_rasterio_does(table: pa.Table) -> None:
    shapes = [POLYGON, POINT, LINE]
    data = read(table, shapes)
    left, top = data.x.values[0] - 5, data.y.values[0] + 5
    size = (data.sizes["y"], data.sizes["x"])
    inside = rasterio.features.geometry_mask(
        shapes, size, Affine(10, 0, left, 0, -10, top), invert=True
    )
    col, row = int((left - 500_000) / 10), int((5_500_000 - top) / 10)
    whole = PIXELS[0, row : row + size[0], col : col + size[1]]
    assert np.array_equal(data["B1"][0], np.where(inside, whole, 0))
    assert inside[int((top - POINT.y) / 10), int((POINT.x - left) / 10)]


def test_an_area_partly_outside_keeps_its_whole_extent(table: pa.Table) -> None:
    shape = shapely.box(499_000, 5_499_500, 500_200, 5_500_300)
    data = read(table, shape)
    assert (data.sizes["y"], data.sizes["x"]) == (80, 120)
    assert int(data["B1_mask"].sum()) == 50 * 20
    assert np.array_equal(data["B1"][0, 30:, 100:], PIXELS[0, :50, :20])


@pytest.mark.parametrize(
    ("area", "named"),
    [
        ([], "empty"),
        ([shapely.Polygon()], "geometry 0"),
        ([POLYGON, None], "geometry 1"),
        (pa.array([], pa.binary()), "empty"),
        (geopandas.GeoSeries([], crs=UTM), "empty"),
        (shapely.box(900_000, 5_000_000, 900_100, 5_000_100), "none of 1 records meets"),
        ([POLYGON, "POINT (1 2)"], "str"),
    ],
    ids=["nothing", "empty", "missing", "no rows", "no geometries", "elsewhere", "text"],
)
def test_what_is_no_area_is_refused(table: pa.Table, area: Any, named: str) -> None:  # noqa: ANN401  # as above
    with pytest.raises(ReadError, match=named):
        read(table, area)


GEOARROW = {
    "polygons": [POLYGON, shapely.affinity.translate(POLYGON, 300, -200)],
    "multipolygons": [shapely.MultiPolygon([POLYGON])],
    "points": [POINT, shapely.Point(500_505, 5_499_505)],
    "lines": [LINE],
}


@pytest.mark.parametrize("kind", GEOARROW)
@pytest.mark.parametrize("encoding", ["wkb", "native"])
def test_geoarrow_arrays_with_their_crs_are_areas(
    table: pa.Table, kind: str, encoding: str
) -> None:
    series = geopandas.GeoSeries(GEOARROW[kind], crs=UTM)
    array = ga.as_wkb(series) if encoding == "wkb" else ga.as_geoarrow(series)
    found = reads.get_xarray(table, bands=["B1"], geometries=array, masks=True)
    expected = reads.get_xarray(table, bands=["B1"], geometries=series, masks=True)
    # by way of degrees and back a vertex may move by nanometres
    assert found.sizes == expected.sizes
    assert np.array_equal(found["B1_mask"], expected["B1_mask"])


def test_points_tables_of_geopandas_and_geoarrow_are_sampled(table: pa.Table) -> None:
    points = geopandas.GeoDataFrame({"name": ["a", "b"]}, geometry=GEOARROW["points"], crs=UTM)
    arrow = pa.table({"name": ["a", "b"], "geometry": ga.as_geoarrow(points.geometry)})
    expected = [PIXELS[0, 99, 100], PIXELS[0, 49, 50]]
    for given in (points.to_arrow(), arrow):
        assert reads.sample_points(table, given, bands=["B1"])["B1"].to_pylist() == expected
