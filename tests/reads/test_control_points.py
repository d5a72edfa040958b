"""Files placed by ground control points alone, against GDAL's warped datasets."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import rasterio
import rasterio.warp
import shapely
from rasterio.control import GroundControlPoint
from rasterio.transform import Affine, GCPTransformer
from rasterio.vrt import WarpedVRT

from rasteret_assets import reads
from rasteret_assets.errors import ProblemCode, TiffError
from rasteret_assets.reads.zones import get_gdf
from tests.reads.test_real_files import tables_of

REAL = ("odc-geo__au-gcp.tif", "rio-tiler__cog_gcps.tif")


@pytest.fixture(params=[*REAL, "curved.tif"])
def path(request: pytest.FixtureRequest, data_dir: Path, tmp_path: Path) -> Path:
    if request.param != "curved.tif":
        return data_dir / "geotiff" / str(request.param)
    file = tmp_path / "curved.tif"
    rng = np.random.default_rng(8)
    points = [
        GroundControlPoint(row, col, 9 + col / 5000 + (row / 900) ** 2, 49 - row / 6000, 0)
        for row in range(0, 161, 40)
        for col in range(0, 201, 50)
    ]
    with rasterio.open(
        file, "w", driver="GTiff", width=200, height=160, count=1, dtype="uint16", tiled=True,
        blockxsize=64, blockysize=64, nodata=0, gcps=points, crs="EPSG:4326",
    ) as dataset:  # fmt: skip
        dataset.write(rng.integers(1, 4000, (1, 160, 200), dtype=np.uint16))
    return file


def table_of(path: Path) -> pa.Table:
    return tables_of(path.parent, [path.name])[path.name]


def test_pixels_are_those_of_gdals_warped_dataset(path: Path) -> None:
    data = reads.get_xarray(table_of(path), bands=["data[0]"], masks=True, overview=0)
    with (
        rasterio.open(path) as dataset,
        WarpedVRT(dataset, crs=dataset.gcps[1], add_alpha=dataset.nodata is None) as warped,
    ):
        expected, valid = warped.read(1), warped.dataset_mask() != 0
        transform = warped.transform
    found = Affine.from_gdal(*map(float, data.spatial_ref.attrs["GeoTransform"].split()))
    assert found.almost_equals(transform, 1e-9)
    ours, there = data["data[0]"].values[0], data["data[0]_mask"].values[0]
    assert 0.2 < valid.mean() < 1
    assert (there == valid).mean() > 0.9999
    # GDAL places pixels within an eighth of one: more or less exactly with another source window
    assert (ours == expected)[there & valid].mean() > 0.95


def test_another_crs_is_what_gdal_warps(path: Path) -> None:
    data = reads.get_xarray(
        table_of(path), bands=["data[0]"], masks=True, overview=0, crs="EPSG:3857"
    )
    expected = np.zeros((data.sizes["y"], data.sizes["x"]), data["data[0]"].dtype)
    transform = data.spatial_ref.attrs["GeoTransform"].split()
    with rasterio.open(path) as dataset:
        points, crs = dataset.gcps
        rasterio.warp.reproject(
            rasterio.band(dataset, 1),
            expected,
            gcps=points,
            src_crs=crs,
            dst_transform=Affine.from_gdal(*map(float, transform)),
            dst_crs="EPSG:3857",
        )
    there = data["data[0]_mask"].values[0]
    assert there.mean() > 0.2
    assert (data["data[0]"].values[0] == expected)[there].mean() > 0.95


def test_a_part_is_read_of_the_tiles_under_it(path: Path) -> None:
    table = table_of(path)
    whole = reads.get_xarray(table, bands=["data[0]"], overview=0)
    half = whole.isel(x=slice(10, 60), y=slice(20, 50))
    x, y = half.x.values, half.y.values
    step = abs(x[1] - x[0]) / 2
    box = (x.min() - step, y.min() - step, x.max() + step, y.max() + step)
    part = reads.get_xarray(
        table,
        bands=["data[0]"],
        overview=0,
        geometries=box,
        geometry_crs=whole.spatial_ref.attrs["spatial_ref"],
    )
    assert part.sizes == half.sizes
    assert (part["data[0]"].values == half["data[0]"].values).mean() > 0.97


def test_points_are_found_by_the_polynomial(path: Path) -> None:
    with rasterio.open(path) as dataset:
        points, crs = dataset.gcps
        first = dataset.read(1)
    rng = np.random.default_rng(1)
    rows, cols = rng.integers(5, np.array(first.shape)[:, None] - 5, (2, 50))
    with GCPTransformer(points) as fitted:
        x, y = fitted.xy(rows, cols, offset="center")
        back = np.array(fitted.rowcol(x, y, op=np.asarray))
    near = np.abs(back - [rows + 0.5, cols + 0.5]).max(axis=0) < 0.4  # it is no exact inverse
    found = reads.sample_points(
        table_of(path),
        pa.table({"x": x, "y": y}),
        bands=["data[0]"],
        geometry_crs=crs.to_wkt(),
    )
    expected = first[rows, cols]
    assert near.sum() > 20
    assert np.array_equal(found["data[0]"].fill_null(0).to_numpy()[near], expected[near])


def test_zones_are_refused_by_name(path: Path) -> None:
    world = shapely.box(-180, -85, 180, 85)
    with pytest.raises(TiffError, match="ground control points") as caught:
        get_gdf(table_of(path), bands=["data[0]"], geometries=world, stats=["mean"])
    assert caught.value.code is ProblemCode.UNSUPPORTED
