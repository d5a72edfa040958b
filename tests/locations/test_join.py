import posixpath
from pathlib import Path
from urllib.parse import urljoin

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rasteret_assets.locations import resolve_hrefs

SEGMENTS = st.lists(
    st.sampled_from(["a", "b.tif", "..", ".", "...", "..c", ".d", "e f", "ü"]), min_size=1
)


def resolved(hrefs: list[str | None], base: str) -> list[str | None]:
    found: list[str | None] = resolve_hrefs(pa.array(hrefs, pa.string()), base).to_pylist()
    return found


@settings(deadline=None)
@given(segments=SEGMENTS, depth=st.integers(0, 3))
def test_relative_hrefs_join_web_folders_as_the_url_standard_says(
    segments: list[str], depth: int
) -> None:
    base = "https://example.com/" + "x/" * depth
    href = "/".join(segments)
    expected = urljoin(base, href)
    assert resolved([href], base) == [expected]


@settings(deadline=None)
@given(segments=SEGMENTS)
def test_relative_hrefs_join_local_folders_as_the_file_system_does(segments: list[str]) -> None:
    href = "/".join(segments)
    (found,) = resolved([href], "/data/tables")
    assert found is not None
    assert posixpath.normpath(found) == posixpath.normpath(f"/data/tables/{href}")


@pytest.mark.parametrize(
    "href",
    [
        "https://example.com/a.tif",
        "s3://bucket/a.tif",
        "/vsicurl/https://example.com/a.tif",
        "/vsis3/bucket/a.tif",
        "file:///a.tif",
        "",
        "  ",
        None,
    ],
)
@pytest.mark.parametrize("base", ["https://host/p", "s3://b/p", "/data"])
def test_absolute_blank_and_null_hrefs_stay(href: str | None, base: str) -> None:
    assert resolved(["rel.tif", href], base)[1] == href


@pytest.mark.parametrize(
    ("href", "base", "expected"),
    [
        ("../../../../x.tif", "s3://bucket/a/b/", "s3://bucket/x.tif"),
        ("x.tif", "s3://bucket", "s3://bucket/x.tif"),
        ("x y%20.tif", "gs://bucket/a?b#c", "gs://bucket/a?b#c/x y%20.tif"),
        ("x.tif", "https://host/p?sig=abc", "https://host/p/x.tif"),
        ("x.tif?a=/../b", "https://host/p/", "https://host/p/x.tif?a=/../b"),
        ("/x.tif", "https://host/p/", "https://host/x.tif"),
        ("//cdn.host/x.tif", "https://host/p/", "https://cdn.host/x.tif"),
        ("/x.tif", "s3://bucket/p/", "/x.tif"),
        ("x%20y.tif", "file:///data%20one/", "/data one/x%20y.tif"),
    ],
)
def test_bases_of_every_kind(href: str, base: str, expected: str) -> None:
    assert resolved([href], base) == [expected]


def test_a_relative_base_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolved(["x.tif"], "tables") == [f"{tmp_path}/tables/x.tif"]


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())]
)
def test_every_string_type_and_chunking_is_taken(kind: pa.DataType) -> None:
    hrefs = pa.chunked_array([pa.array(["a"], kind), pa.array([None, "b"], kind)])
    found = resolve_hrefs(hrefs, "/d")
    assert found.type == pa.string()
    assert found.to_pylist() == ["/d/a", None, "/d/b"]


def test_an_empty_column_stays_empty() -> None:
    assert len(resolve_hrefs(pa.chunked_array([], pa.string()), "s3://b")) == 0
