"""Any window of any flavour, overviews and masks too: bit for bit what rasterio reads."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import rasterio
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from rasterio.windows import Window

from rasteret_assets import reads
from tests.reads.test_real_files import places, quiet, tables_of
from tests.rig.flavours import FLAVOURS, Flavour, write_flavour

__all__ = ["quiet"]  # a fixture

NOWHERE = {"geo_none", "geo_rotated", "geo_gcps"}
"""No grid of their own that lies upright; read elsewhere."""
PLACED = [
    flavour for flavour in FLAVOURS if flavour.oracle == "gdal" and flavour.name not in NOWHERE
]
LOSSY_MEAN_DIFFERENCE = 9.0
"""Of any window. rasterio's libjpeg enlarges subsampled colour by its DCT, libjpeg-turbo by a
filter; tifffile has the latter too, so it tells whether every pixel is in its place."""

share = st.floats(0, 1)
corner = st.tuples(share, share, share, share)


@dataclass(frozen=True, kw_only=True)
class Served:
    """A file, its index, and how exactly it decodes."""

    path: Path
    table: pa.Table
    lossy: bool

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ANN401, ARG002, FBT001  # Hypothesis's protocol
        printer.text(self.path.name)  # whole tables it refuses to print


def test_there_are_enough_flavours() -> None:
    assert len({flavour.name for flavour in PLACED}) >= 150


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Served]:
    folder = tmp_path_factory.mktemp("flavours")
    for flavour in PLACED:
        write_flavour(flavour, folder)
    tables = tables_of(folder, [f"{flavour.name}.tif" for flavour in PLACED])
    return {
        flavour.name: Served(
            path=folder / f"{flavour.name}.tif",
            table=tables[f"{flavour.name}.tif"],
            lossy=flavour.lossy,
        )
        for flavour in PLACED
    }


@pytest.fixture(scope="module")
def real(data_dir: Path) -> list[Served]:
    facts = places(data_dir, readable=True)
    tables = tables_of(data_dir / "geotiff", [fact["file"] for fact in facts])
    return [
        Served(
            path=data_dir / "geotiff" / fact["file"],
            table=tables[fact["file"]],
            lossy=bool(fact["lossy"]),
        )
        for fact in facts
    ]


def compare(served: Served, corners: tuple[float, float, float, float], pick: float) -> None:
    """Compare one window of one band at one level, both chosen by shares of what there is."""
    header = served.table["data_metadata"][0]
    with rasterio.open(served.path) as dataset:
        levels = 1 + len(dataset.overviews(1))
        count = dataset.count
        apart_in_file = dataset.profile.get("interleave") == "band" and count > 1
    choice = int(pick * levels * count * 0.999)
    level, band = choice % levels, choice // levels
    options = {"overview_level": level - 1} if level else {}
    with rasterio.open(served.path, **options) as dataset:
        window = window_of(dataset, corners)
        expected = dataset.read(band + 1, window=window)
        valid = dataset.read_masks(band + 1, window=window) != 0
        left, bottom, right, top = dataset.window_bounds(window)
        crs = header["crs"].as_py() or dataset.crs.to_wkt()
    found, there = ours(
        served.table,
        f"data[{band}]",
        level,
        box=(min(left, right), min(bottom, top), max(left, right), max(bottom, top)),
        crs=crs,
    )
    if expected.dtype.kind in "fc":
        valid &= ~np.isnan(expected)
    assert found.shape == expected.shape
    assert np.array_equal(there, valid)
    if served.lossy:
        apart = np.abs(found[valid].astype(float) - expected[valid].astype(float))
        assert not apart.size or apart.mean() < LOSSY_MEAN_DIFFERENCE
        if not apart_in_file:  # where each band is grey, the libraries agree
            expected = by_tifffile(served.path, level, band)[window.toslices()]
    assert np.array_equal(found[valid].astype(expected.dtype), expected[valid])


def by_tifffile(path: Path, level: int, band: int) -> NDArray[Any]:
    """Return a band of an image (y, x), decoded by libjpeg-turbo and libwebp."""
    with tifffile.TiffFile(path) as file:
        series = file.series[0].levels[level]
        pixels = series.asarray()
    axis = series.axes.find("S")
    return pixels if axis < 0 else np.take(pixels, band, axis)


def window_of(dataset: Any, corners: tuple[float, float, float, float]) -> Window:  # noqa: ANN401  # rasterio has no types
    """Return a window of at least one pixel, at most 300 a side."""
    col, row = int(corners[0] * (dataset.width - 1)), int(corners[1] * (dataset.height - 1))
    width = 1 + int(corners[2] * min(dataset.width - col - 1, 300))
    height = 1 + int(corners[3] * min(dataset.height - row - 1, 300))
    return Window(col, row, width, height)


def ours(
    table: pa.Table, band: str, level: int, *, box: tuple[float, ...], crs: str
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    data = reads.get_xarray(
        table,
        bands=[band],
        geometries=shrunk(box),
        geometry_crs=crs,
        overview=level,
        masks=True,
    )
    return data[band].values[0], data[f"{band}_mask"].values[0]


def shrunk(box: tuple[float, ...]) -> tuple[float, ...]:
    """Return a box that touches the same pixels, without their outermost edge."""
    across, down = (box[2] - box[0]) * 1e-5, (box[3] - box[1]) * 1e-5
    return box[0] + across, box[1] + down, box[2] - across, box[3] - down


@pytest.mark.parametrize("flavour", PLACED, ids=lambda flavour: flavour.name)
@settings(max_examples=4, deadline=None)
@given(corners=corner, pick=share)
def test_any_window_of_any_flavour_is_what_rasterio_reads(
    generated: dict[str, Served],
    flavour: Flavour,
    corners: tuple[float, float, float, float],
    pick: float,
) -> None:
    compare(generated[flavour.name], corners, pick)


@settings(max_examples=100, deadline=None)
@given(corners=corner, pick=share, which=st.integers(0, 10_000))
def test_any_window_of_real_files_is_what_rasterio_reads(
    real: list[Served], corners: tuple[float, float, float, float], pick: float, which: int
) -> None:
    assert len(real) >= 50
    compare(real[which % len(real)], corners, pick)
