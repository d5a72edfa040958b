"""Pixels by way of the handle."""

from pathlib import Path

import geopandas
import numpy as np

import rasteret_assets
from rasteret_assets import Collection
from tests.rig.http_server import RangeServer
from tests.rig.scenes import pixels, record_table, write_table

BOX = (77.583, 13.0105, 77.585, 13.0120)


def test_a_file_that_is_gone_costs_its_record_that_band_alone(
    archive: RangeServer, tmp_path: Path
) -> None:
    gone = (1, "B08")
    table = record_table(2, lambda n, b: archive.url(f"{n}/{b}.tif" if (n, b) != gone else "gone"))
    made = rasteret_assets.build_from_table(
        write_table(table, tmp_path / "items.parquet"),
        "holes",
        enrich_cog=True,
        workspace_dir=tmp_path / "workspace",
    )
    data = made.get_xarray(BOX)
    told = made.problems.select(["id", "band", "code"]).to_pylist()
    assert told == [{"id": "scene-001", "band": "B08", "code": "not_found"}]
    (line,) = data.attrs["missing_bands"]
    assert line.startswith("scene-001: B08: not_found: ")
    sound = made.get_xarray(BOX, ["B04"])
    assert sound["B04"].identical(data["B04"])
    assert (data["B08"][1] == data["B08"].attrs["_FillValue"]).all()


def test_a_geodataframe_gets_the_pixels_its_points_lie_in(enriched: Collection) -> None:
    rows, cols = np.array([3, 60, 95]), np.array([0, 41, 95])
    x, y = 780_000 + 10 * cols + 5, 1_440_000 - 10 * rows - 5
    places = geopandas.points_from_xy(x, y)
    frame = geopandas.GeoDataFrame({"name": ["a", "b", "c"], "place": places})
    frame = frame.set_geometry("place", crs="EPSG:32643")
    found = enriched.sample_points(frame, ["B04"], mosaic="first")
    assert found.schema.names == ["name", "place", "B04"]
    assert np.array_equal(found["B04"], pixels(0)[rows, cols])
