"""Records that have no header of a band: data like any other, and never at others' cost."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from rasteret_assets import reads
from rasteret_assets.errors import ReadError
from rasteret_assets.reads.zones import get_gdf
from tests.reads.indexing import Scene, index, noise, write
from tests.rig.http_server import RangeServer

BANDS = ("a", "b")
UTM = "EPSG:32632"
SHAPE = (100, 120)


def pixels(number: int, band: str) -> NDArray[Any]:
    return noise(10 * number + BANDS.index(band), 1, *SHAPE)


@pytest.fixture(scope="module")
def table(folder: Path, server: RangeServer) -> pa.Table:
    """Three scenes of one grid: s0 has both bands, s1 only a, s2 neither, but c."""
    scenes = []
    for number, bands in enumerate((("a", "b"), ("a",), ("c",))):
        files = {}
        for band in bands:
            data = pixels(number, "a" if band == "c" else band)
            path = write(folder / f"some{number}{band}.tif", data, nodata=0)
            files[band] = (server.url(path.name), 0)
        scenes.append(Scene(id=f"s{number}", files=files, path=path, days=number))
    return index(scenes)


def test_the_other_bands_stay_and_the_lacking_one_is_invalid(table: pa.Table) -> None:
    data = reads.get_xarray(table, bands=BANDS, masks=True)
    assert data.id.values.tolist() == ["s0", "s1"]
    assert np.array_equal(data["a"], [pixels(0, "a")[0], pixels(1, "a")[0]])
    assert np.array_equal(data["b"], [pixels(0, "b")[0], np.zeros(SHAPE)])
    assert data["b"].dtype == np.uint16
    assert data["b"].attrs["_FillValue"] == 0
    assert data["a_mask"].values.all()
    assert data["b_mask"].values.all(axis=(1, 2)).tolist() == [True, False]
    assert not data["b_mask"][1].values.any()


def test_the_attributes_name_every_record_and_band(table: pa.Table) -> None:
    data = reads.get_xarray(table, bands=BANDS)
    assert data.attrs["missing_bands"] == [
        "s1: b: no header",
        "s2: a: no header",
        "s2: b: no header",
    ]
    assert "skipped" not in data.attrs
    assert "missing_bands" not in reads.get_xarray(table.slice(0, 1), bands=BANDS).attrs


def test_what_the_problems_table_says_is_told(table: pa.Table) -> None:
    def reasons(ids: pa.Array) -> pa.Table:
        assert set(ids.to_pylist()) == {"s1", "s2"}
        rows = [
            ("s1", "b", "not_found", "HTTP 404"),
            ("s1", "a", "timeout", "of another build"),
            ("s2", "b", "href_missing", None),
        ]
        columns = ("id", "band", "code", "detail")
        return pa.table(dict(zip(columns, map(list, zip(*rows, strict=True)), strict=True)))

    data = reads.get_xarray(table, bands=BANDS, access=reads.Access(reasons=reasons))
    assert data.attrs["missing_bands"] == [
        "s1: b: not_found: HTTP 404",
        "s2: a: no header",
        "s2: b: href_missing",
    ]


def test_masked_pixels_of_a_lacking_band_are_nan(table: pa.Table) -> None:
    data = reads.get_xarray(table, bands=BANDS, masked=True)
    assert np.isnan(data["b"][1]).all()
    assert np.array_equal(data["b"][0], pixels(0, "b")[0])


@pytest.mark.parametrize(("how", "number"), [("first", 0), ("last", 1), ("median", None)])
def test_mosaics_take_the_records_that_have_the_band(
    table: pa.Table,
    how: Any,  # noqa: ANN401  # a literal type
    number: int | None,
) -> None:
    data = reads.get_xarray(table, bands=BANDS, mosaic=how)
    of_both = np.median([pixels(0, "a")[0], pixels(1, "a")[0]], axis=0)
    assert np.array_equal(data["a"][0], of_both if number is None else pixels(number, "a")[0])
    assert np.array_equal(data["b"][0], pixels(0, "b")[0])


def test_a_band_that_no_record_there_has_is_invalid_and_of_the_others_type(
    table: pa.Table,
) -> None:
    data = reads.get_xarray(table.slice(1, 1), bands=BANDS)
    assert np.array_equal(data["a"][0], pixels(1, "a")[0])
    assert data["b"].dtype == np.uint16
    assert not data["b"].values.any()
    array = reads.get_numpy(table.slice(1, 1), bands=BANDS, masks=True)
    assert np.ma.getmaskarray(array)[0, 1].all()


def test_nothing_to_read_is_refused_all_the_same(table: pa.Table) -> None:
    with pytest.raises(ReadError, match="none of 1 records there has headers"):
        reads.get_xarray(table.slice(2, 1), bands=BANDS)


def test_points_get_null_where_a_record_lacks_the_band(table: pa.Table) -> None:
    points = pa.table({"x": [500_105.0], "y": [5_499_895.0]})
    asked: dict[str, Any] = {"bands": BANDS, "geometry_crs": UTM}
    last = reads.sample_points(table, points, **asked)
    assert last["a"].to_pylist() == [pixels(1, "a")[0, 10, 10]]
    assert last["b"].to_pylist() == [pixels(0, "b")[0, 10, 10]]
    each = reads.sample_points(table, points, mosaic=None, **asked)
    assert each["record_id"].to_pylist() == ["s0", "s1"]
    assert each["b"].to_pylist() == [pixels(0, "b")[0, 10, 10], None]
    told = last.schema.metadata[b"missing_bands"].decode().splitlines()
    assert told[0] == "s1: b: no header"


def test_zones_have_no_statistics_of_a_lacking_band(table: pa.Table) -> None:
    frame = get_gdf(table, bands=BANDS, geometries=(9, 49, 10, 50), stats=["mean"])
    assert frame.id.tolist() == ["s0", "s1"]
    assert frame.a_mean.tolist() == [pixels(0, "a").mean(), pixels(1, "a").mean()]
    assert frame.b_mean.tolist()[0] == pixels(0, "b").mean()
    assert np.isnan(frame.b_mean.tolist()[1])
    assert frame.attrs["missing_bands"][0] == "s1: b: no header"
