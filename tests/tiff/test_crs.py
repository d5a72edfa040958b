"""CRSs written by GDAL into GeoKeys, against what GDAL reads back."""

import time
from pathlib import Path
from typing import Any

import pytest
import rasterio
from pyproj import CRS
from rasterio.transform import Affine

from tests.rig.headers import parse, struct_of
from tests.rig.same_crs import same_crs
from tests.rig.tiff_builder import ASCII, DOUBLE, SHORT, Entry, build, image

PROJECTIONS = {
    "tmerc": "+proj=tmerc +lat_0=40 +lon_0=10 +k=0.9999 +x_0=1000 +y_0=-2000 +ellps=GRS80",
    "utm_like": "+proj=tmerc +lat_0=0 +lon_0=9 +k=0.9996 +x_0=500000 +datum=WGS84",
    "omerc_a": "+proj=omerc +no_uoff +lat_0=4 +lonc=115 +alpha=53.3 +gamma=53.13 +k=0.99984 "
    "+x_0=0 +y_0=0 +ellps=evrstSS",
    "omerc_b": "+proj=omerc +lat_0=4 +lonc=115 +alpha=53.3 +gamma=53.13 +k=0.99984 "
    "+x_0=590476 +y_0=442857 +ellps=evrstSS",
    "merc_1sp": "+proj=merc +lon_0=110 +k=0.997 +x_0=3900000 +y_0=900000 +ellps=bessel",
    "merc_2sp": "+proj=merc +lat_ts=42 +lon_0=51 +ellps=krass",
    "lcc_1sp": "+proj=lcc +lat_1=18 +lat_0=18 +lon_0=-77 +k_0=0.9998 +x_0=250000 +y_0=150000 "
    "+ellps=clrk66",
    "lcc_2sp": "+proj=lcc +lat_1=33 +lat_2=45 +lat_0=39 +lon_0=-96 +x_0=1 +y_0=2 +ellps=GRS80",
    "laea": "+proj=laea +lat_0=47 +lon_0=11 +x_0=100 +y_0=200 +ellps=WGS84",
    "aea": "+proj=aea +lat_1=29.5 +lat_2=45.5 +lat_0=23 +lon_0=-96 +x_0=5 +ellps=GRS80",
    "aeqd": "+proj=aeqd +lat_0=49 +lon_0=2 +x_0=7 +ellps=WGS84",
    "eqdc": "+proj=eqdc +lat_1=20 +lat_2=60 +lat_0=40 +lon_0=10 +ellps=WGS84",
    "stere": "+proj=stere +lat_0=47 +lon_0=25 +k=0.99 +x_0=9 +ellps=krass",
    "polar": "+proj=stere +lat_0=90 +lat_ts=71 +lon_0=-39 +x_0=1 +y_0=2 +datum=WGS84",
    "south_polar": "+proj=stere +lat_0=-90 +lat_ts=-71 +lon_0=1 +datum=WGS84",
    "sterea": "+proj=sterea +lat_0=52.1 +lon_0=5.4 +k=0.9999 +x_0=155000 +ellps=bessel",
    "eqc": "+proj=eqc +lat_ts=10 +lat_0=0 +lon_0=180 +R=3396190",
    "cass": "+proj=cass +lat_0=10.4 +lon_0=-61.3 +x_0=86501 +y_0=65379 +a=6378293 +rf=294.26",
    "gnom": "+proj=gnom +lat_0=40 +lon_0=10 +R=6371000",
    "mill": "+proj=mill +lon_0=20 +R=6371000",
    "ortho": "+proj=ortho +lat_0=40 +lon_0=10 +R=6371000",
    "poly": "+proj=poly +lat_0=0 +lon_0=-54 +x_0=5000000 +y_0=10000000 +ellps=GRS80",
    "robin": "+proj=robin +lon_0=15 +R=6371000",
    "sinu": "+proj=sinu +lon_0=15 +R=6371007.181",
    "vandg": "+proj=vandg +lon_0=15 +R=6371000",
    "cea": "+proj=cea +lat_ts=30 +lon_0=12 +ellps=WGS84",
    "us_feet": "+proj=lcc +lat_1=33 +lat_2=45 +lat_0=39 +lon_0=-96 +x_0=600000 +y_0=0 "
    "+ellps=GRS80 +units=us-ft",
    "feet": "+proj=tmerc +lat_0=40 +lon_0=10 +x_0=3048 +ellps=GRS80 +units=ft",
    "odd_units": "+proj=tmerc +lat_0=40 +lon_0=10 +x_0=20 +ellps=GRS80 +to_meter=20",
    "geographic": "+proj=longlat +a=3396190 +b=3376200",
    "geographic_datum": "+proj=longlat +datum=NAD27",
}

CODES = (4326, 3857, 32632, 25833, 2056, 3031, 2193, 27700, 2263, 4269, 3035, 5070, 6933, 4979)


def _written(folder: Path, crs: str) -> tuple[str | None, CRS | None]:
    """Write a file of this CRS; return what we say of it, and what GDAL says."""
    path = folder / "crs.tif"
    profile = {"driver": "GTiff", "width": 4, "height": 4, "count": 1, "dtype": "uint8"}
    place = Affine(10, 0, 5, 0, -10, 7)
    with rasterio.open(
        path, "w", crs=rasterio.CRS.from_user_input(crs), transform=place, **profile
    ):
        pass
    with rasterio.open(path) as dataset:
        said = CRS(dataset.crs.to_wkt()) if dataset.crs else None
    ours = struct_of(parse(path.read_bytes()))["crs"]
    assert ours is None or isinstance(ours, str)
    return ours, said


@pytest.mark.parametrize("name", PROJECTIONS)
def test_a_user_defined_crs_does_what_gdals_does(name: str, tmp_path: Path) -> None:
    ours, said = _written(tmp_path, PROJECTIONS[name])
    assert ours is not None
    assert said is not None
    assert same_crs(CRS(ours), said)
    assert same_crs(CRS(ours), CRS(PROJECTIONS[name]), metres=0.01)


@pytest.mark.parametrize("code", CODES)
def test_an_epsg_code_is_recorded_as_such(code: int, tmp_path: Path) -> None:
    ours, _ = _written(tmp_path, f"EPSG:{code}")
    # a file lies in two dimensions: the third axis of 4979 is not written
    assert ours == f"EPSG:{4326 if code == 4979 else code}"


@pytest.mark.parametrize("code", [54009, 102008, 54030])
def test_an_esri_code_is_recorded_as_wkt(code: int, tmp_path: Path) -> None:
    ours, said = _written(tmp_path, f"ESRI:{code}")
    assert ours is not None
    assert said is not None
    assert ours.startswith("PROJCRS")
    assert same_crs(CRS(ours), said)


def _spelled_out(code: int) -> str:
    """The CRS of a code as WKT without any code or name of its own."""

    def plain(said: Any) -> Any:  # noqa: ANN401  # JSON of any kind
        if isinstance(said, dict):
            return {key: plain(value) for key, value in said.items() if key not in ("id", "ids")}
        return [plain(one) for one in said] if isinstance(said, list) else said

    described = {**plain(CRS.from_epsg(code).to_json_dict()), "name": "made up"}
    return CRS.from_json_dict(described).to_wkt()


GDALS = (3857, 5070, 2056, 27700, 3031, 3413, 28992, 2154, 2263, 21781, 3067, 3347, 6933, 4258)
TURNED = (3035, 2193, 31287, 2177)
"""Of CRSs whose axes are northing and easting; GDAL names no code for these."""


@pytest.mark.parametrize("code", GDALS)
def test_a_definition_that_has_an_epsg_code_is_recorded_as_gdal_does(
    code: int, tmp_path: Path
) -> None:
    ours, said = _written(tmp_path, _spelled_out(code))
    assert said is not None
    assert ours == f"EPSG:{said.to_epsg()}" == f"EPSG:{code}"


@pytest.mark.parametrize("code", TURNED)
def test_the_order_of_axes_is_no_matter(code: int, tmp_path: Path) -> None:
    ours, _ = _written(tmp_path, _spelled_out(code))
    assert ours == f"EPSG:{code}"
    assert same_crs(CRS(ours), CRS(_spelled_out(code)))


def test_a_definition_that_differs_a_little_has_no_code(tmp_path: Path) -> None:
    wkt = _spelled_out(32633).replace(
        '"Longitude of natural origin",15', '"Longitude of natural origin",15.01'
    )
    ours, _ = _written(tmp_path, wkt)
    assert ours is not None
    assert ours.startswith("PROJCRS")
    assert same_crs(CRS(ours), CRS(wkt))


def test_definitions_without_a_code_cost_milliseconds_each() -> None:
    """PROJ's search takes hundreds of milliseconds where it finds nothing."""
    doubles = [15.0, 0.9996, 500_000.0, 0.0]
    keys = [1024, 0, 1, 1, 2048, 0, 1, 4326, 3072, 0, 1, 32767, 3074, 0, 1, 32767, 3075, 0, 1, 1]
    for at, key in enumerate((3080, 3092, 3082, 3081)):
        keys += [key, 34736, 1, at]
    assert struct_of(parse(_with_keys(keys, doubles)))["crs"] == "EPSG:32633"
    began = time.perf_counter()
    for number in range(200):
        longitude = 15.123 + number / 1000
        found = struct_of(parse(_with_keys(keys, [longitude, *doubles[1:]])))["crs"]
        assert f"{longitude:.3f}".rstrip("0") in found
    assert (time.perf_counter() - began) / 200 < 0.1


def _with_keys(keys: list[int], doubles: list[float] | None = None, text: str = "") -> bytes:
    entries = [*image(), Entry(tag=34735, kind=SHORT, values=[1, 1, 0, len(keys) // 4, *keys])]
    if doubles:
        entries.append(Entry(tag=34736, kind=DOUBLE, values=doubles))
    if text:
        entries.append(Entry(tag=34737, kind=ASCII, values=text.encode()))
    return build(entries)


def test_the_vertical_part_is_noted_and_gives_the_unit_of_heights() -> None:
    keys = [1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32632, 4096, 0, 1, 6360]
    struct = struct_of(parse(_with_keys(keys)))
    assert struct["crs"] == "EPSG:32632"
    assert struct["unit"] == "US survey foot"
    assert struct["notes"] == ["vertical CRS EPSG:6360"]


@pytest.mark.parametrize(
    "keys",
    [
        [1024, 0, 1, 1, 3072, 0, 1, 31000],
        [1024, 0, 1, 1, 3072, 0, 1, 65000],
        [1024, 0, 1, 2, 2048, 0, 1, 1],
        [1024, 0, 1, 1, 3072, 0, 1, 32767, 2048, 0, 1, 4326, 3075, 0, 1, 99],
        [1024, 0, 1, 1, 3072, 0, 1, 32767, 2048, 0, 1, 4326, 3074, 0, 1, 31999],
        [1024, 0, 1, 2, 2048, 0, 1, 32767, 2057, 34736, 1, 0, 2059, 34736, 1, 1],
        [1024, 0, 1, 1, 3072, 34737, 8, 0],
    ],
    ids=["epsg", "private", "geographic", "method", "conversion", "ellipsoid", "text_for_code"],
)
def test_a_crs_that_makes_no_sense_is_none_and_noted(keys: list[int]) -> None:
    struct = struct_of(parse(_with_keys(keys, [float("nan"), float("nan")], "EPSG:1 or so")))
    assert struct["crs"] is None
    assert struct["notes"] is None or struct["notes"][0].startswith("CRS not understood")


@pytest.mark.parametrize(
    "keys",
    [[], [1024, 0, 1, 1], [1024, 0, 1, 32767], [1, 2, 3], [3072, 34736, 1, 9], [3072, 5, 1, 9]],
    ids=["none", "only_model", "undefined_model", "short", "beyond", "unknown_place"],
)
def test_keys_that_name_no_crs_give_none(keys: list[int]) -> None:
    struct = struct_of(parse(_with_keys(keys)))
    assert struct["crs"] is None
    assert struct["pixel_is_point"] is False


def test_a_citation_of_esri_is_read_as_wkt() -> None:
    wkt = CRS.from_authority("ESRI", 102008).to_wkt("WKT1_ESRI")
    text = f"ESRI PE String = {wkt}|"
    keys = [1024, 0, 1, 1, 3072, 0, 1, 32767, 3073, 34737, len(text), 0]
    crs = struct_of(parse(_with_keys(keys, text=text)))["crs"]
    assert same_crs(CRS(crs), CRS(wkt))


def test_many_files_of_one_crs_share_the_place() -> None:
    keys = [1024, 0, 1, 1, 3072, 0, 1, 32633]
    headers = [parse(_with_keys(keys)) for _ in range(2)]
    assert headers[0].georeference is headers[1].georeference
