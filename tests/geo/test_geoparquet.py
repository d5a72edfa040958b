import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
import pytest
import shapely

from rasteret_assets.errors import TableError
from rasteret_assets.geo.geoparquet import (
    EXTENSION_METADATA,
    EXTENSION_NAME,
    geo_metadata,
    geometry_form,
    parse_geo,
    wkb_types,
)

UTM = pyproj.CRS("EPSG:32633").to_json_dict()


def field(name: str = "geometry", extension: str = "", said: str = "") -> pa.Field:
    metadata = {EXTENSION_NAME: extension, EXTENSION_METADATA: said} if extension else None
    return pa.field(name, pa.binary(), metadata=metadata)


def geo(**column: object) -> dict[str, object]:
    return {"columns": {"geometry": {"encoding": "WKB", **column}}}


def test_an_absent_crs_means_longitude_and_latitude() -> None:
    assert geometry_form(field(), geo()).crs is None
    assert geometry_form(field(), None).crs is None


def test_a_null_crs_is_unknown_and_taken_for_longitude_and_latitude() -> None:
    assert geometry_form(field(), geo(crs=None)).crs is None


def test_the_geo_key_goes_before_the_extension_type() -> None:
    said = json.dumps({"crs": "EPSG:3857"})
    form = geometry_form(field(extension="geoarrow.wkb", said=said), geo(crs=UTM))
    assert form.crs is not None
    assert pyproj.CRS(form.crs).to_epsg() == 32633


def test_the_extension_type_says_it_where_no_geo_key_does() -> None:
    said = json.dumps({"crs": UTM})
    form = geometry_form(field(extension="geoarrow.wkb", said=said), None)
    assert form.encoding == "wkb"
    assert form.crs is not None
    assert pyproj.CRS(form.crs).to_epsg() == 32633


@pytest.mark.parametrize("said", ["", "{}", "not json", "[]"])
def test_an_extension_that_says_nothing_leaves_longitude_and_latitude(said: str) -> None:
    assert geometry_form(field(extension="ogc.wkb", said=said), None).crs is None


def test_the_column_is_looked_up_under_its_own_name() -> None:
    metadata = {"columns": {"footprint": {"encoding": "WKB", "crs": UTM}}}
    assert geometry_form(field("footprint"), metadata).crs is not None
    assert geometry_form(field("geometry"), metadata).crs is None


@pytest.mark.parametrize("text", ["{", "[]", '"geo"'])
def test_a_broken_geo_key_is_refused_with_the_name_of_the_file(text: str) -> None:
    with pytest.raises(TableError, match=r"records\.parquet: the 'geo' key"):
        parse_geo(text, "records.parquet")


def test_no_geo_key_is_none() -> None:
    assert parse_geo(None, "records.parquet") is None


def test_what_a_collection_says_names_its_covering_and_no_crs() -> None:
    said = json.loads(geo_metadata({"Polygon", "MultiPolygon"}, (1, 2, 3, 4))[b"geo"])
    assert said["version"] == "1.1.0"
    column = said["columns"][said["primary_column"]]
    assert column["geometry_types"] == ["MultiPolygon", "Polygon"]
    assert column["covering"]["bbox"]["xmax"] == ["bbox", "xmax"]
    assert column["bbox"] == [1, 2, 3, 4]
    assert "crs" not in column


def test_types_are_told_from_their_wkb() -> None:
    geometries = [
        shapely.Point(0, 0),
        shapely.box(0, 0, 1, 1),
        shapely.Polygon([(0, 0, 5), (1, 0, 5), (1, 1, 5)]),
        shapely.MultiPolygon([shapely.box(0, 0, 1, 1)]),
        shapely.LineString([(0, 0), (1, 1)]),
    ]
    encoded = shapely.to_wkb(np.array(geometries, object), byte_order=1, flavor="iso")
    column = pa.chunked_array([pa.array([*encoded, None], pa.binary())])
    wanted = {"Point", "Polygon", "Polygon Z", "MultiPolygon", "LineString"}
    assert wkb_types(column) == wanted


def test_pyarrow_keeps_the_key_through_a_file(tmp_path: Path) -> None:
    table = pa.table({"geometry": pa.array([b""])})
    pq.write_table(table.replace_schema_metadata(geo_metadata((), None)), tmp_path / "a.parquet")
    footer = pq.ParquetFile(tmp_path / "a.parquet").metadata.metadata
    found = parse_geo(footer[b"geo"].decode(), "a.parquet")
    assert found is not None
    assert found["primary_column"] == "geometry"
