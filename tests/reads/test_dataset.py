"""What the result says of itself, and areas of Arrow's kinds."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyproj
import pytest
import rasterio
import shapely
from rasterio.transform import Affine

from rasteret_assets import reads
from rasteret_assets.contract.bands import BAND_METADATA
from rasteret_assets.errors import ReadError
from tests.reads.indexing import Scene, index, noise, write
from tests.rig.http_server import RangeServer

UTM = "EPSG:32632"


def described(path: Path, scale: float, offset: float, unit: str) -> Path:
    write(path, noise(2, 1, 80, 90, dtype="int16"), nodata=-9999)
    with rasterio.open(path, "r+") as dataset:
        dataset.scales, dataset.offsets, dataset.units = (scale,), (offset,), (unit,)
        dataset.descriptions = ("Reflectance",)
    return path


@pytest.fixture(scope="module")
def scenes(folder: Path, server: RangeServer) -> list[Scene]:
    found = []
    for number, (scale, offset) in enumerate([(0.5, -10.0), (0.5, -10.0), (0.25, 0.0)]):
        path = described(folder / f"facts{number}.tif", scale, offset, "K")
        files = {"B1": (server.url(path.name), 0)}
        found.append(Scene(id=f"f{number}", files=files, path=path, days=number))
    return found


def test_facts_of_the_files_are_attributes(scenes: list[Scene]) -> None:
    band = reads.get_xarray(index(scenes[:2]), bands=["B1"])["B1"]
    assert band.attrs == {
        "units": "K",
        "long_name": "Reflectance",
        "scale_factor": 0.5,
        "add_offset": -10.0,
        "_FillValue": np.int16(-9999),
    }
    assert band.encoding["grid_mapping"] == "spatial_ref"
    assert band.dtype == "int16"


def test_scales_that_differ_stand_beside_the_time(scenes: list[Scene]) -> None:
    data = reads.get_xarray(index(scenes), bands=["B1"])
    assert data["B1_scale_factor"].values.tolist() == [0.5, 0.5, 0.25]
    assert data["B1_add_offset"].values.tolist() == [-10, -10, 0]
    assert "scale_factor" not in data["B1"].attrs
    with pytest.raises(ReadError, match="apply_scale"):
        reads.get_xarray(index(scenes), bands=["B1"], mosaic="first")


def test_scales_are_applied_record_by_record(scenes: list[Scene]) -> None:
    data = reads.get_xarray(index(scenes), bands=["B1"], apply_scale=True)
    numbers = noise(2, 1, 80, 90, dtype="int16")[0].astype("float32")
    assert data["B1"].dtype == "float32"
    assert np.array_equal(data["B1"][0], numbers * 0.5 - 10)
    assert np.array_equal(data["B1"][2], numbers * 0.25)


def test_masked_numbers_keep_nodata_for_writing(scenes: list[Scene]) -> None:
    data = reads.get_xarray(index(scenes[:1]), bands=["B1"], masked=True)
    assert data["B1"].encoding["_FillValue"] == -9999
    assert "_FillValue" not in data["B1"].attrs


def test_places_follow_cf(scenes: list[Scene]) -> None:
    data = reads.get_xarray(index(scenes[:1]), bands=["B1"])
    with rasterio.open(scenes[0].path) as dataset:
        transform = dataset.transform
    mapping = data.spatial_ref.attrs
    assert Affine.from_gdal(*map(float, mapping["GeoTransform"].split())) == transform
    assert pyproj.CRS.from_cf(mapping) == pyproj.CRS(UTM)
    assert data.x.attrs["standard_name"] == "projection_x_coordinate"
    assert data.x.values[0] == transform.c + 5
    assert data.y.values[0] == transform.f - 5
    assert data.time.dtype == "datetime64[ns]"


POLYGON = shapely.Polygon([(9.001, 49.648), (9.005, 49.6485), (9.003, 49.645)])


class Foreign:
    """A column of another Arrow library."""

    def __init__(self, array: pa.Array) -> None:
        self._array = array

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        capsules: tuple[object, object] = self._array.__arrow_c_array__(requested_schema)
        return capsules


ARROW: dict[str, Any] = {
    "wkb": pa.array([shapely.to_wkb(POLYGON)], pa.binary()),
    "chunked": pa.chunked_array([[shapely.to_wkb(POLYGON)]], pa.binary()),
    "geoarrow": pa.array([[[{"x": x, "y": y} for x, y in POLYGON.exterior.coords]]]),
    "foreign": Foreign(pa.array([shapely.to_wkb(POLYGON)], pa.binary())),
}


@pytest.mark.parametrize("form", ARROW)
def test_arrow_arrays_are_areas(scenes: list[Scene], form: str) -> None:
    table = index(scenes[:1])
    found = reads.get_xarray(table, bands=["B1"], geometries=ARROW[form])
    assert found.identical(reads.get_xarray(table, bands=["B1"], geometries=POLYGON))


def test_headers_of_another_writer_are_read_as_far_as_they_go(scenes: list[Scene]) -> None:
    table = index(scenes[:1])
    fewer = pa.struct([*list(BAND_METADATA)[:17], BAND_METADATA.field("href")])
    column = table["B1_metadata"].combine_chunks()
    plain = pa.StructArray.from_arrays(
        [column.field(field.name) for field in fewer], fields=list(fewer)
    )
    other = table.set_column(3, "B1_metadata", plain).append_column("proj:epsg", pa.array([32632]))
    found = reads.get_numpy(other, bands=["B1"])
    assert np.array_equal(found, reads.get_numpy(table, bands=["B1"]))


def test_a_box_may_cross_the_antimeridian(folder: Path, server: RangeServer) -> None:
    pixels = noise(3, 1, 100, 120)
    transform = Affine(1000, 0, 660_000, 0, -1000, 5_550_000)
    path = write(folder / "fiji.tif", pixels, crs="EPSG:32660", transform=transform)
    table = index([Scene(id="f", files={"B1": (server.url(path.name), 0)}, path=path)])
    split = table.set_column(2, "geometry", pa.nulls(1, pa.binary()))
    found = reads.get_xarray(split, bands=["B1"], geometries=(179.5, 49.4, -179.9, 49.8))
    assert 40 < found.sizes["x"] < 60
    assert found.sizes["time"] == 1
    with pytest.raises(ReadError, match="projected crs"):
        reads.get_xarray(
            split, bands=["B1"], geometries=(179.5, 49.4, -179.9, 49.8), crs="EPSG:4326"
        )


def test_a_box_without_extent_is_the_pixel_it_lies_in(scenes: list[Scene]) -> None:
    found = reads.get_numpy(
        index(scenes[:1]), bands=["B1"], geometries=(9.001, 49.65, 9.001, 49.65)
    )
    assert found.shape == (1, 1, 1, 1)
