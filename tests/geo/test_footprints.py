import json
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyproj
import pytest
import shapely
from geoarrow import pyarrow as geoarrow
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon, Point, Polygon, box

from rasteret_assets.geo.footprints import Footprints, footprints, is_geometry, wkb
from rasteret_assets.geo.geoparquet import GeometryForm
from tests.rig.extension_types import geoarrow_types

PLAIN = GeometryForm(encoding=None, crs=None)
HOLED = Polygon(box(0, 0, 10, 10).exterior, [box(2, 2, 3, 3).exterior.coords[::-1]])
TWO = MultiPolygon([box(0, 0, 1, 1), HOLED])
SHAPES = [box(1, 2, 3, 4), HOLED]

Writer = Callable[[Sequence[shapely.Geometry | None]], pa.Array]


def exact_wkt(shape: shapely.Geometry) -> str:
    return shapely.to_wkt(shape, rounding_precision=-1)


def as_bytes(kind: pa.DataType) -> Writer:
    return lambda shapes: pa.array([None if s is None else shapely.to_wkb(s) for s in shapes], kind)


def as_text(write: Callable[[shapely.Geometry], str], kind: pa.DataType) -> Writer:
    return lambda shapes: pa.array([None if s is None else write(s) for s in shapes], kind)


WRITERS: dict[str, Writer] = {
    "binary": as_bytes(pa.binary()),
    "large_binary": as_bytes(pa.large_binary()),
    "binary_view": as_bytes(pa.binary_view()),
    "WKT": as_text(exact_wkt, pa.string()),
    "EWKT": as_text(lambda s: "SRID=4326; " + exact_wkt(s), pa.large_string()),
    "GeoJSON": as_text(lambda s: "\n" + shapely.to_geojson(s), pa.string()),
    "hexadecimal": as_text(lambda s: shapely.to_wkb(s, hex=True), pa.string_view()),
    "dictionary": lambda shapes: as_text(exact_wkt, pa.string())(shapes).dictionary_encode(),
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_every_form_of_bytes_and_text_gives_the_same_shapes(write: Writer) -> None:
    shapes = [*SHAPES, None, TWO, Point(5, 6)]
    column = write(shapes)
    assert is_geometry(pa.field("geometry", column.type))
    found = footprints(column, PLAIN)
    assert [None if s is None else exact_wkt(s) for s in found.geometries] == [
        None if s is None else exact_wkt(s) for s in shapes
    ]
    assert found.missing.tolist() == [False, False, True, False, False]
    assert found.sound.tolist() == [True, True, False, True, True]


def lists(values: pa.Array, *offsets: np.ndarray) -> pa.Array:
    for level in offsets:
        values = pa.ListArray.from_arrays(pa.array(level, pa.int32()), values)
    return values


def separated(points: np.ndarray) -> pa.Array:
    return pa.StructArray.from_arrays([points[:, 0], points[:, 1]], ["x", "y"])


def interleaved(points: np.ndarray) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(points.ravel()), points.shape[1])


NATIVE = {
    "point": [Point(1, 2), Point(3, 4)],
    "linestring": [shapely.LineString([(0, 0), (1, 1)]), shapely.LineString([(2, 2), (3, 1)])],
    "polygon": SHAPES,
    "multipoint": [shapely.MultiPoint([(0, 0), (1, 1)]), shapely.MultiPoint([(5, 5)])],
    "multilinestring": [shapely.MultiLineString([[(0, 0), (1, 1)], [(2, 2), (3, 3)]])],
    "multipolygon": [TWO, MultiPolygon([box(3, 3, 4, 4)])],
}


@pytest.mark.parametrize("coordinates", [separated, interleaved])
@pytest.mark.parametrize(("encoding", "shapes"), NATIVE.items(), ids=NATIVE)
def test_native_encodings_give_the_shapes_they_were_made_of(
    encoding: str,
    shapes: list[shapely.Geometry],
    coordinates: Callable[[np.ndarray], pa.Array],
) -> None:
    _, points, offsets = shapely.to_ragged_array(shapes)
    column = lists(coordinates(points), *(offsets or ()))
    assert is_geometry(pa.field("geometry", column.type))
    found = footprints(column, GeometryForm(encoding=encoding, crs=None))
    assert shapely.equals_exact(found.geometries, np.array(shapes, object)).all()


def test_shapely_reads_interleaved_coordinates_where_they_lie(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[np.ndarray] = []
    build = shapely.from_ragged_array

    def watched(kind: Any, points: np.ndarray, *offsets: Any) -> object:  # noqa: ANN401  # shapely's
        read.append(points)
        return build(kind, points, *offsets)

    monkeypatch.setattr(shapely, "from_ragged_array", watched)
    _, points, offsets = shapely.to_ragged_array(SHAPES)
    column = lists(interleaved(points), *offsets)
    found = footprints(column, GeometryForm(encoding="polygon", crs=None))
    assert shapely.equals_exact(found.geometries, np.array(SHAPES, object)).all()
    lies = np.frombuffer(column.values.values.values.buffers()[1])
    assert np.shares_memory(read[0], lies)


def test_native_rows_may_be_null_sliced_or_hold_a_broken_ring() -> None:
    square = [{"x": x, "y": y} for x, y in box(0, 0, 1, 1).exterior.coords]
    kind = pa.list_(pa.list_(pa.struct([("x", pa.float64()), ("y", pa.float64())])))
    rows = [[square], None, [square[:2]], [square[:4]], [], [square]]
    column = pa.array([None, *rows], kind).slice(1)
    found = footprints(column, PLAIN)
    assert found.missing.tolist() == [False, True, False, False, True, False]
    assert found.undecodable.tolist() == [False, False, True, True, False, False]
    assert found.geometries[5].equals(box(0, 0, 1, 1))


@pytest.fixture
def registered() -> Iterator[None]:
    with geoarrow_types(known=True):
        yield


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("make", [geoarrow.as_wkb, geoarrow.as_geoarrow, geoarrow.as_wkt])
def test_registered_extension_types_are_seen_through(
    make: Callable[[pa.Array], pa.ExtensionArray],
) -> None:
    extended = make(geoarrow.as_wkb(pa.array([s.wkb for s in SHAPES], pa.binary())))
    assert is_geometry(pa.field("geometry", extended.type))
    found = footprints(extended.storage, PLAIN)
    assert [s.wkt for s in found.geometries] == [s.wkt for s in SHAPES]


def rows_of(*values: bytes | None) -> Footprints:
    return footprints(pa.array(values, pa.binary()), PLAIN)


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"\x01",
        b"not wkb at all",
        box(0, 0, 1, 1).wkb[:-4],
        b"\x01\x03\x00\x00\x00\xff\xff\xff\xff",
    ],
    ids=["empty", "short", "words", "cut off", "four billion rings"],
)
def test_broken_wkb_is_told_apart_from_the_rows_around_it(broken: bytes) -> None:
    found = rows_of(box(0, 0, 1, 1).wkb, broken, None)
    assert found.undecodable.tolist() == [False, True, False]
    assert found.sound.tolist() == [True, False, False]


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_a_coordinate_that_is_not_finite_is_seen(number: float) -> None:
    ring = struct.pack("<BIII8d", 1, 3, 1, 4, 0, 0, number, 0, 1, 1, 0, 0)
    found = rows_of(ring, box(0, 0, 1, 1).wkb)
    assert found.unfinite.tolist() == [True, False]
    assert found.sound.tolist() == [False, True]


def test_empty_geometries_are_missing() -> None:
    found = rows_of(Polygon().wkb, MultiPolygon().wkb, None)
    assert found.missing.all()
    assert not found.undecodable.any()


def test_projected_coordinates_without_a_crs_lie_outside() -> None:
    found = rows_of(box(500_000, 5_494_000, 506_000, 5_500_000).wkb, box(0, 95, 1, 96).wkb)
    assert found.outside.all()


def test_half_a_pixel_over_the_edge_of_the_world_is_brought_back() -> None:
    found = rows_of(box(-180.00138889, -90.0001, -179.00138889, -89).wkb)
    assert found.sound.all()
    west, south, east, north = found.geometries[0].bounds
    assert (west, south, east, north) == (-180, -90, 180, -89)


def test_another_crs_is_transformed_as_pyproj_does() -> None:
    shape = box(500_000, 5_494_000, 506_000, 5_500_000)
    crs = pyproj.CRS("EPSG:32633").to_json()
    found = footprints(pa.array([shape.wkb, None]), GeometryForm(encoding="wkb", crs=crs))
    to = pyproj.Transformer.from_crs("EPSG:32633", "EPSG:4326", always_xy=True)
    wanted = [to.transform(x, y) for x, y in shape.exterior.coords]
    assert np.allclose(found.geometries[0].exterior.coords, wanted, rtol=0, atol=1e-12)
    assert found.sound.tolist() == [True, False]


def test_a_projected_footprint_over_the_antimeridian_is_cut_there() -> None:
    shape = box(780_000, 0, 890_000, 100_000)  # UTM 60: 179.5 to -179.5
    found = footprints(pa.array([shape.wkb]), GeometryForm(encoding="wkb", crs="EPSG:32660"))
    parts = sorted(found.geometries[0].geoms, key=lambda part: part.bounds[0])
    assert [part.bounds[0] < 0 for part in parts] == [True, False]
    assert parts[0].bounds[0] == -180
    assert parts[1].bounds[2] == 180


def test_z_is_kept_and_written_as_iso_wkb() -> None:
    shape = Polygon([(0, 0, 7), (1, 0, 8), (1, 1, 9)])
    ewkb = shapely.to_wkb(shape, flavor="extended", include_srid=True, byte_order=0)
    written = wkb(footprints(pa.array([ewkb, None]), PLAIN).geometries)
    assert written.to_pylist() == [shapely.to_wkb(shape, flavor="iso", byte_order=1), None]


corners = st.tuples(
    st.floats(-179, 178), st.floats(-89, 88), st.floats(0.001, 1), st.floats(0.001, 1)
)


@given(st.lists(st.none() | corners, max_size=20), st.sampled_from(list(WRITERS.values())))
def test_what_is_written_reads_back(
    boxes: list[tuple[float, float, float, float] | None], write: Writer
) -> None:
    shapes = [None if b is None else box(b[0], b[1], b[0] + b[2], b[1] + b[3]) for b in boxes]
    found = footprints(write(shapes), PLAIN)
    back = shapely.from_wkb(wkb(found.geometries).to_pylist())
    for shape, one in zip(shapes, back, strict=True):
        assert shape is one is None or shapely.equals_exact(shape, one, 1e-9)


@pytest.mark.parametrize(
    "kind",
    [
        pa.float64(),
        pa.list_(pa.float64()),
        pa.struct([("lon", pa.float64()), ("lat", pa.float64())]),
        pa.map_(pa.string(), pa.string()),
    ],
    ids=str,
)
def test_other_types_are_no_geometry(kind: pa.DataType) -> None:
    assert not is_geometry(pa.field("geometry", kind))


def test_geojson_and_wkt_may_stand_in_one_column() -> None:
    values = [json.dumps({"type": "Point", "coordinates": [1, 2]}), "POINT (3 4)", "POINT (", "{}"]
    found = footprints(pa.array(values), PLAIN)
    assert found.undecodable.tolist() == [False, False, True, True]
    assert found.geometries[1].coords[0] == (3, 4)


def test_coordinates_that_cannot_be_transformed_are_seen() -> None:
    rows = [box(500_000, 0, 600_000, 1).wkb, box(-1e12, -1e12, 1e12, 1e12).wkb]
    found = footprints(pa.array(rows), GeometryForm(encoding="wkb", crs="EPSG:32633"))
    assert found.unfinite.tolist() == [False, True]
