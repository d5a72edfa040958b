import pyarrow as pa
import pytest

from rasteret_assets.stages import band_candidates, band_hrefs
from rasteret_assets.stages.assets import normalise_assets

Rows = list[dict[str, dict[str, object] | None] | None]


def assets(rows: Rows) -> pa.ChunkedArray:
    return pa.chunked_array([normalise_assets(pa.array(rows))])


TYPES = {
    "image/tiff; application=geotiff; profile=cloud-optimized": True,
    "image/tiff": True,
    " IMAGE/TIFF ;application=geotiff": True,
    "image/vnd.stac.geotiff; cloud-optimized=true": True,
    "image/x.geotiff": True,
    "image/jp2": False,
    "image/png": False,
    "application/xml": False,
    "application/vnd.apache.parquet": False,
}


@pytest.mark.parametrize(("media_type", "is_raster"), TYPES.items())
def test_the_media_type_says_what_a_geotiff_is(media_type: str, is_raster: bool) -> None:  # noqa: FBT001  # a case's outcome
    href = "a.dat" if is_raster else "a.tif"
    raster, other = band_candidates(assets([{"B04": {"href": href, "type": media_type}}]))
    assert (raster, other) == ((["B04"], []) if is_raster else ([], ["B04"]))


PATHS = {
    "s3://b/a.tif": True,
    "a/b.TIFF": True,
    "https://h/a.tif?sig=x%2F": True,
    "https://h/a.tif#1": True,
    "/vsicurl/https://h/a.tif": True,
    "a.tif.aux.xml": False,
    "a.jpg": False,
    "https://h/a?file=b.tif.png": False,
    "geotiff": False,
}


@pytest.mark.parametrize(("href", "is_raster"), PATHS.items())
@pytest.mark.parametrize("media_type", [None, "", "application/octet-stream"])
def test_where_no_media_type_says_it_the_path_does(
    href: str,
    is_raster: bool,  # noqa: FBT001  # a case's outcome
    media_type: str | None,
) -> None:
    rows: Rows = [{"B04": {"href": href, "type": media_type}}, {"B04": None}]
    raster, _ = band_candidates(assets(rows))
    assert bool(raster) == is_raster


def test_a_key_counts_if_it_is_a_geotiff_for_any_record() -> None:
    rows: Rows = [
        {"mixed": {"href": "a.xml"}, "never": {"href": None}, "known": {"href": "k.tif"}},
        {"mixed": {"href": "a.tif"}, "never": {"href": "  "}},
        None,
    ]
    assert band_candidates(assets(rows), known={"known"}) == (["mixed"], [])


def test_vector_tables_have_no_raster_assets() -> None:
    parquet = "application/vnd.apache.parquet"
    rows: Rows = [{"aws": {"href": "s3://b/p.parquet", "type": parquet}, "azure": {"href": "x"}}]
    assert band_candidates(assets(rows)) == ([], ["aws", "azure"])


def test_each_row_gets_its_href_index_and_key() -> None:
    rows: Rows = [
        {"B04": {"href": "a/4.tif", "band_index": 2, "file:size": 9, "file:checksum": "1220ab"}},
        {"B04": {"href": "https://h/4.tif", "band_index": None, "file:size": 10}},
        {"B04": None},
        None,
        {"B04": {"href": "  "}},
        {"B04": {"href": " s3://b/k "}},
    ]
    found = band_hrefs(assets(rows), "B04", "s3://bucket/items/")
    assert found.schema.types == [pa.string(), pa.int32(), pa.string()]
    assert found.to_pylist() == [
        {
            "href": "s3://bucket/items/a/4.tif",
            "band_index": 2,
            "file_key": "file:checksum=1220ab",
        },
        {"href": "https://h/4.tif", "band_index": None, "file_key": "file:size=10"},
        *[{"href": None, "band_index": None, "file_key": None}] * 3,
        {"href": "s3://b/k", "band_index": None, "file_key": None},
    ]


def test_a_band_that_no_record_has_is_null_throughout() -> None:
    found = band_hrefs(assets([{"B04": {"href": "x"}}] * 3), "B99", "s3://b/")
    assert found.num_rows == 3
    assert found.to_pylist() == [{"href": None, "band_index": None, "file_key": None}] * 3


def test_names_with_dots_and_colons_are_keys_like_any_other() -> None:
    rows: Rows = [{"mtl.txt": {"href": "m"}, "eo:x-y": {"href": "e"}}]
    for key, name in (("mtl.txt", "m"), ("eo:x-y", "e")):
        assert band_hrefs(assets(rows), key, "s3://b")["href"].to_pylist() == [f"s3://b/{name}"]
