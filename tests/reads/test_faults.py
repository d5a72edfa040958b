"""Files that fail or changed: what a read says, and what it leaves out."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from rasteret_assets import reads
from rasteret_assets.contract.settings import FetchSettings
from rasteret_assets.errors import FetchError, ProblemCode, ReadError, TiffError
from tests.reads.indexing import Scene, index, noise, write
from tests.rig.http_server import Fault, RangeServer

IMPATIENT = reads.Access(settings=FetchSettings(max_attempts=1))


@pytest.fixture
def scenes(folder: Path, server: RangeServer) -> list[Scene]:
    found = []
    for number in range(3):
        name = f"fault{number}.tif"
        path = write(folder / name, noise(number, 1, 100, 120), nodata=0)
        server.put(name, path.read_bytes())
        server.always(name, None)
        files = {"B1": (server.url(name), 0)}
        found.append(Scene(id=f"s{number}", files=files, path=path, days=number))
    return found


def read(table: pa.Table, **asked: Any) -> Any:  # noqa: ANN401  # any of its arguments
    return reads.get_xarray(table, bands=["B1"], access=IMPATIENT, **asked)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault(status=404), ProblemCode.NOT_FOUND),
        (Fault(status=403), ProblemCode.FORBIDDEN),
        (Fault(status=503), ProblemCode.THROTTLED),
        (Fault(reset=True), ProblemCode.UNREACHABLE),
    ],
)
def test_a_failing_file_stops_the_read_or_is_left_out(
    scenes: list[Scene], server: RangeServer, fault: Fault, code: ProblemCode
) -> None:
    table = index(scenes)
    server.always("fault1.tif", fault)
    with pytest.raises(FetchError, match=r"'s1', bands 'B1'.*on_error='skip'") as caught:
        read(table)
    data = read(table, on_error="skip")
    assert caught.value.code is code
    assert data.id.values.tolist() == ["s0", "s2"]
    assert np.array_equal(data["B1"][1], noise(2, 1, 100, 120)[0])
    assert [line.split(": ")[:2] for line in data.attrs["skipped"]] == [["s1", code.value]]


def test_damaged_tiles_stop_the_read_or_are_left_out(
    scenes: list[Scene], server: RangeServer
) -> None:
    whole = scenes[1].path.read_bytes()
    table = index(scenes)
    server.put("fault1.tif", whole[:2000] + bytes(5000) + whole[7000:])
    server.always("fault1.tif", Fault(headers={"ETag": ""}))
    with pytest.raises(TiffError) as caught:
        read(table)
    assert caught.value.code is ProblemCode.CORRUPT
    assert read(table, on_error="skip").id.values.tolist() == ["s0", "s2"]


@pytest.fixture
def changed(scenes: list[Scene], server: RangeServer, folder: Path) -> pa.Table:
    """Return the index of files one of which has been written anew since."""
    table = index(scenes)
    path = write(
        folder / "anew.tif", noise(99, 1, 100, 120), nodata=0, blockxsize=32, blockysize=32
    )
    server.put("fault1.tif", path.read_bytes())
    return table


def test_a_changed_file_stops_the_read(changed: pa.Table) -> None:
    for on_error in ("raise", "skip"):
        with pytest.raises(FetchError, match="changed since it was indexed") as caught:
            read(changed, on_error=on_error)
        assert caught.value.code is ProblemCode.FILE_CHANGED


def test_a_changed_file_is_left_out_on_request(changed: pa.Table) -> None:
    data = read(changed, on_drift="skip")
    assert data.id.values.tolist() == ["s0", "s2"]
    assert "file_changed" in data.attrs["skipped"][0]


def test_a_changed_file_is_indexed_anew_on_request(changed: pa.Table) -> None:
    data = read(changed, on_drift="refresh")
    assert data.id.values.tolist() == ["s0", "s1", "s2"]
    assert np.array_equal(data["B1"][1], noise(99, 1, 100, 120)[0])


def test_a_file_that_became_shorter_has_changed(scenes: list[Scene], server: RangeServer) -> None:
    table = index(scenes)
    server.put("fault1.tif", scenes[1].path.read_bytes()[:1000])
    with pytest.raises(FetchError) as caught:
        read(table)
    assert caught.value.code is ProblemCode.FILE_CHANGED


def test_an_unknown_band_is_refused_by_name(scenes: list[Scene]) -> None:
    with pytest.raises(ReadError, match=r"no band 'B4'; .*\['B1'\]"):
        reads.get_xarray(index(scenes), bands=["B4"])


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"resampling": "best"}, "resampling"),
        ({"mosaic": "newest"}, "mosaic"),
        ({"mosaic_by": "day"}, "mosaic_by"),
        ({"overview": -1}, "overview"),
        ({"resolution": 0}, "resolution"),
        ({"on_error": "ignore"}, "on_error"),
        ({"crs": "EPSG:0"}, "EPSG:0"),
        ({"geometries": (3, 3, 1, 1), "geometry_crs": "EPSG:32632"}, "left, bottom"),
        ({"geometries": []}, "empty"),
        ({"geometries": [b"no geometry"]}, "geometry 0"),
        ({"geometries": "POINT (1 1)"}, "str"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    scenes: list[Scene], asked: dict[str, Any], named: str
) -> None:
    with pytest.raises(ReadError, match=named):
        read(index(scenes[:1]), **asked)


def test_failures_can_be_handed_between_processes() -> None:
    error = FetchError(ProblemCode.NOT_FOUND, "the server answered 404")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301  # made here
    assert (type(again), again.code, again.detail) == (FetchError, error.code, error.detail)
    assert str(again) == str(error)
