import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rasteret_assets.errors import SourceError
from rasteret_assets.storage import SourceFile, list_sources
from rasteret_assets.storage.filesystems import filesystem_of
from tests.rig.http_server import Fault, RangeServer
from tests.rig.stores import Store

PLANETARY = "items/sentinel.parquet/part-0469_2024-06-17T10:25:31+00:00_2024-06-24T10:25:31.parquet"
NAMES = (
    "items/a.parquet",
    "items/b.geoparquet",
    "items/C.PARQUET",
    "items/year=2024/month=1/d.parquet",
    "items/_SUCCESS",
    "items/_problems/e.parquet",
    "items/.hidden/f.parquet",
    "items/.g.parquet",
    "items/readme.md",
    "items2/h.parquet",
    PLANETARY,
)


@pytest.fixture
def filled(place: str) -> Callable[[str], str]:
    """Returns URLs of files and folders that hold `NAMES`."""
    for name in NAMES:
        fs, path = filesystem_of(f"{place}/{name}")
        fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        fs.pipe_file(path, name.encode())
    return lambda name: f"{place}/{name}"


def names_of(found: tuple[SourceFile, ...], root: str) -> list[str]:
    cut = root.rstrip("/") + "/"
    return [source.uri.partition(cut.partition("://")[2] or cut)[2] for source in found]


def test_a_folder_gives_every_table_below_it_and_nothing_hidden(
    filled: Callable[[str], str], place: str
) -> None:
    found = list_sources([filled("items")])
    expected = {
        "items/C.PARQUET",
        "items/a.parquet",
        "items/b.geoparquet",
        "items/year=2024/month=1/d.parquet",
        PLANETARY,
    }
    assert set(names_of(found, place)) == expected
    assert list(found) == sorted(found, key=lambda one: one.uri)
    assert list_sources([filled("items/")]) == found


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("items/*.parquet", ["items/a.parquet", PLANETARY]),
        ("items/*.md", ["items/readme.md"]),
        ("items/**/*.parquet", ["items/a.parquet", PLANETARY, "items/year=2024/month=1/d.parquet"]),
        ("items/year=*/month=?/*.parquet", ["items/year=2024/month=1/d.parquet"]),
        ("items/year=*", ["items/year=2024/month=1/d.parquet"]),
        ("items/year=*/month=1", ["items/year=2024/month=1/d.parquet"]),
        ("item?2/*", ["items2/h.parquet"]),
        ("items/*", ["items/C.PARQUET", "items/a.parquet", "items/b.geoparquet", PLANETARY,
                     "items/year=2024/month=1/d.parquet"]),
    ],
)  # fmt: skip
def test_a_glob_gives_the_files_that_match_and_the_tables_of_folders_that_match(
    filled: Callable[[str], str], place: str, pattern: str, expected: list[str]
) -> None:
    assert names_of(list_sources([filled(pattern)]), place) == expected


def test_one_file_named_twice_and_in_its_folder_comes_once(filled: Callable[[str], str]) -> None:
    one = list_sources([filled(PLANETARY)])
    assert len(one) == 1
    assert one[0].size == len(PLANETARY)
    assert one[0] in list_sources([filled("items"), filled(PLANETARY), filled(PLANETARY)])
    assert len(list_sources([filled("items"), filled("items/a.parquet")])) == 5


def test_the_identity_changes_with_the_content_and_is_the_same_in_every_listing(
    filled: Callable[[str], str],
) -> None:
    by_name = list_sources([filled("items/a.parquet")])
    assert by_name == list_sources([filled("items/a.*")])
    assert by_name[0] in list_sources([filled("items")])
    fs, path = filesystem_of(filled("items/a.parquet"))
    fs.pipe_file(path, b"other content")
    assert list_sources([filled("items/a.parquet")])[0].identity != by_name[0].identity


@pytest.mark.parametrize("missing", ["nowhere", "items/z*.parquet"])
def test_a_source_that_is_not_there_is_an_error_naming_it(
    filled: Callable[[str], str], missing: str
) -> None:
    with pytest.raises(SourceError, match=r"no such file.*check the path") as caught:
        list_sources([filled("items"), filled(missing)])
    assert missing in str(caught.value)


def test_a_file_that_is_not_there_is_told_of_beside_the_others(
    filled: Callable[[str], str],
) -> None:
    found = list_sources([filled("items"), filled("items/nothing.parquet")])
    (missing,) = set(found) - set(list_sources([filled("items")]))
    assert missing.uri.endswith("items/nothing.parquet")
    assert "no such file" in str(missing.fault)
    with pytest.raises(SourceError, match=r"nothing\.parquet: no such file"):
        list_sources([filled("items/nothing.parquet")])


def test_a_local_name_with_glob_letters_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a[1].parquet").write_bytes(b"1")
    (tmp_path / "a1.parquet").write_bytes(b"2")
    (source,) = list_sources([str(tmp_path / "a[1].parquet")])
    assert source.uri.endswith("a[1].parquet")


def test_a_change_within_a_microsecond_of_the_clock_is_a_change(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"1")
    seen = set()
    for nanoseconds in (1_700_000_000_000_000_001, 1_700_000_000_000_000_002):
        os.utime(path, ns=(nanoseconds, nanoseconds))
        seen.add(list_sources([str(path)])[0].identity)
    assert len(seen) == 2


def test_ten_thousand_objects_cost_one_listing_and_no_request_each(
    s3: str, s3_server: Store
) -> None:
    bucket, key = s3.removeprefix("s3://").split("/", 1)
    for number in range(1100):
        s3_server.put(bucket, f"{key}/items/{number:05}.parquet", b"x")
    fs, _ = filesystem_of(s3)
    fs.ls(s3)
    calls: list[str] = []
    fs.s3.meta.events.register(
        "before-send.s3.*", lambda event_name, **_: calls.append(event_name.rsplit(".", 1)[-1])
    )
    assert len(list_sources([f"{s3}/items"])) == 1100
    assert calls.count("HeadObject") <= 1
    assert len(calls) <= 4  # is it a file, is it a folder, and two pages of a thousand
    calls.clear()
    assert len(list_sources([f"{s3}/ite*/0*.parquet"])) == 1100
    assert len(calls) == 2


def test_http_gives_one_file_known_by_its_etag(server: RangeServer) -> None:
    url = server.put("data/a+b:c.parquet", b"12345")
    (source,) = list_sources([f"{url}?token=a*b"])
    assert source.uri == f"{url}?token=a*b"
    assert source.size == 5
    server.put("data/a+b:c.parquet", b"54321")
    assert list_sources([f"{url}?token=a*b"])[0].identity != source.identity


def test_http_without_an_etag_goes_by_time_and_size(server: RangeServer) -> None:
    url = server.put("a.parquet", b"12345")
    server.always("a.parquet", Fault(headers={"ETag": ""}))
    (source,) = list_sources([url])
    assert source.identity == "5-Mon, 01 Jan 2024 00:00:00 GMT"


def test_http_404_and_403_say_so(server: RangeServer) -> None:
    with pytest.raises(SourceError, match="404"):
        list_sources([server.url("no.parquet")])
    server.put("a.parquet", b"1")
    server.demand_tokens()
    with pytest.raises(SourceError, match="403"):
        list_sources([server.url("a.parquet")])


def test_a_bucket_that_refuses_is_an_error_naming_the_credentials(
    s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fs, path = filesystem_of(f"{s3}/a.parquet")
    fs.pipe_file(path, b"1")
    monkeypatch.setenv("AWS_NO_SIGN_REQUEST", "YES")
    with pytest.raises(SourceError, match="credentials"):
        list_sources([f"{s3}/a.parquet"])
