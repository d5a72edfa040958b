"""Geometries of Arrow data keep their kind and CRS, whatever the process knows of GeoArrow."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import geopandas
import pyarrow as pa
import pyproj
import pytest
import shapely

from rasteret_assets import reads
from rasteret_assets.errors import ReadError
from rasteret_assets.reads.areas import Area
from tests.rig.extension_types import geoarrow_types

UTM = "EPSG:32633"
LONLAT = "EPSG:4326"
MULTIPOINT = shapely.MultiPoint([(500_105, 5_499_891), (500_777, 5_499_505)])
POLYGON = shapely.Polygon([(500_105, 5_499_891), (500_777, 5_499_505), (500_301, 5_499_012)])
ELSEWHERE = shapely.Polygon([(300_000, 5_000_000), (300_500, 5_000_000), (300_500, 5_000_900)])


@pytest.fixture(params=[True, False], ids=["types known", "types unknown"])
def registered(request: pytest.FixtureRequest) -> Iterator[None]:
    with geoarrow_types(known=request.param):
        yield


def in_utm(area: Area) -> list[shapely.Geometry]:
    """Return the geometries in UTM, by GeoPandas."""
    moved = geopandas.GeoSeries(list(area.geometries), crs=area.crs).to_crs(UTM)
    return list(moved)


def same(found: Sequence[shapely.Geometry], expected: Sequence[shapely.Geometry]) -> bool:
    """Say whether geometries are of the same kinds, and within a centimetre."""
    kinds = [list(shapely.get_type_id(list(some))) for some in (found, expected)]
    pairs = zip(found, expected, strict=True)
    return kinds[0] == kinds[1] and all(shapely.hausdorff_distance(*one) < 1e-2 for one in pairs)


def series(*geometries: shapely.Geometry, crs: str | None = UTM) -> geopandas.GeoSeries:
    return geopandas.GeoSeries(list(geometries), crs=crs)


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("encoding", ["wkb", "geoarrow"])
@pytest.mark.parametrize("geometry", [MULTIPOINT, POLYGON], ids=["multipoint", "polygon"])
def test_an_array_of_geopandas_keeps_its_crs(geometry: shapely.Geometry, encoding: str) -> None:
    given = series(geometry, geometry).to_arrow(geometry_encoding=encoding)
    assert same(in_utm(reads.area_of(given, LONLAT)), [geometry, geometry])


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("encoding", ["wkb", "geoarrow"])
def test_an_array_that_names_no_crs_has_the_one_given(encoding: str) -> None:
    given = series(POLYGON, crs=None).to_arrow(geometry_encoding=encoding)
    area = reads.area_of(given, UTM)
    assert (area.crs, same(list(area.geometries), [POLYGON])) == (UTM, True)


def tables(frame: geopandas.GeoDataFrame, encoding: str) -> dict[str, Any]:
    table = pa.table(frame.to_arrow(geometry_encoding=encoding))
    return {
        "geopandas": frame.to_arrow(geometry_encoding=encoding),
        "table": table,
        "sliced": table.slice(0, len(table)),
        "batch": table.combine_chunks().to_batches()[0],
        "reader": table.to_reader(max_chunksize=1),
    }


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("name", ["geometry", "outline"])
@pytest.mark.parametrize("encoding", ["wkb", "geoarrow"])
@pytest.mark.parametrize("kind", ["geopandas", "table", "sliced", "batch", "reader"])
def test_a_table_is_its_geometry_column(kind: str, encoding: str, name: str) -> None:
    frame = geopandas.GeoDataFrame({"number": [1, 2], name: series(POLYGON, ELSEWHERE)})
    given = tables(frame.set_geometry(name), encoding)[kind]
    assert same(in_utm(reads.area_of(given, LONLAT)), [POLYGON, ELSEWHERE])


@pytest.mark.usefixtures("registered")
def test_the_column_called_geometry_comes_before_others() -> None:
    frame = geopandas.GeoDataFrame({"other": series(ELSEWHERE), "geometry": series(POLYGON)})
    given = frame.set_geometry("other").to_arrow()
    assert same(in_utm(reads.area_of(given, LONLAT)), [POLYGON])


def test_a_table_with_the_metadata_of_geoparquet_keeps_its_crs() -> None:
    crs = json.loads(pyproj.CRS(UTM).to_json())
    said = {"primary_column": "outline", "columns": {"outline": {"encoding": "WKB", "crs": crs}}}
    wkb = pa.array([shapely.to_wkb(POLYGON)], pa.binary())
    table = pa.table({"number": [1], "outline": wkb})
    given = table.replace_schema_metadata({"geo": json.dumps(said)})
    assert same(in_utm(reads.area_of(given, LONLAT)), [POLYGON])


def test_a_table_without_geometries_is_refused() -> None:
    with pytest.raises(ReadError, match="name the column of a table geometry"):
        reads.area_of(pa.table({"name": ["a"], "size": [3]}), LONLAT)


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("name", ["geometry", "place"])
@pytest.mark.parametrize("form", ["frame", "arrow"])
def test_points_keep_their_crs(form: str, name: str) -> None:
    points = [shapely.Point(500_105, 5_499_891), shapely.Point(500_777, 5_499_505)]
    frame = geopandas.GeoDataFrame({"number": [1, 2], name: series(*points)}).set_geometry(name)
    given = reads.points_of(frame if form == "frame" else frame.to_arrow(), LONLAT)
    assert same(in_utm(given.area), points)
    assert given.rows.schema.names == ["number", name]


def test_the_points_of_a_frame_are_its_active_geometry() -> None:
    points = [shapely.Point(500_105, 5_499_891)]
    frame = geopandas.GeoDataFrame({"geometry": series(ELSEWHERE), "place": series(*points)})
    given = reads.points_of(frame.set_geometry("place"), LONLAT)
    assert (given.area.crs, list(given.area.geometries)) == (UTM, points)
