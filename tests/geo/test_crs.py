import json

import numpy as np
import pyproj
import pytest
import shapely

from rasteret_assets.errors import TableError
from rasteret_assets.geo.crs import to_lonlat, transform_geometries

PROJJSON = pyproj.CRS("EPSG:32633").to_json()


@pytest.mark.parametrize(
    "crs",
    ["OGC:CRS84", "EPSG:4326", "EPSG:4979", pyproj.CRS("OGC:CRS84").to_json(), "WGS84"],
)
def test_longitudes_and_latitudes_on_wgs84_need_no_transformation(crs: str) -> None:
    assert to_lonlat(crs) is None


@pytest.mark.parametrize(
    "crs",
    ["EPSG:32633", PROJJSON, pyproj.CRS("EPSG:32633").to_wkt(), "ESRI:54009", "EPSG:3031"],
    ids=["code", "PROJJSON", "WKT", "Mollweide", "polar"],
)
def test_every_vertex_goes_where_pyproj_puts_it(crs: str) -> None:
    ring = shapely.box(400_000, 1_000_000, 600_000, 1_100_000)
    transformer = to_lonlat(crs)
    assert transformer is not None
    found = transform_geometries(np.array([ring, None], object), transformer)
    independent = pyproj.Transformer.from_crs(crs, "OGC:CRS84", always_xy=True)
    wanted = [independent.transform(x, y) for x, y in ring.exterior.coords]
    assert list(found[0].exterior.coords) == wanted
    assert found[1] is None


def test_what_proj_cannot_place_becomes_infinite() -> None:
    transformer = to_lonlat("EPSG:32633")
    assert transformer is not None
    found = transform_geometries(np.array([shapely.Point(1e12, 1e12)], object), transformer)
    assert not np.isfinite(shapely.get_coordinates(found)).any()


@pytest.mark.parametrize("crs", ["EPSG:0", "nonsense", json.dumps({"type": "what"})])
def test_a_crs_that_proj_does_not_know_is_refused_by_name(crs: str) -> None:
    with pytest.raises(TableError, match="cannot be brought to longitude and latitude"):
        to_lonlat(crs)


def test_a_crs_without_a_place_on_earth_is_refused() -> None:
    with pytest.raises(TableError):
        to_lonlat('LOCAL_CS["grid",UNIT["metre",1]]')


def test_x_comes_first_even_where_the_authority_says_otherwise() -> None:
    transformer = to_lonlat("EPSG:31467")  # northing, easting by its own account
    assert transformer is not None
    points = np.array([shapely.Point(3_500_000, 5_500_000)], object)
    ((lon, lat),) = shapely.get_coordinates(transform_geometries(points, transformer))
    assert lon == pytest.approx(9, abs=0.01)
    assert lat == pytest.approx(49.6, abs=0.1)
