"""Headers to structs, many at a time; and from one band to another without the file."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rasteret_assets.contract.bands import BAND_METADATA
from rasteret_assets.tiff import FileIdentity, Header, band_structs, derive_band
from tests.rig.flavours import FLAVOURS, write_flavour
from tests.rig.headers import parse, struct_of
from tests.rig.tiff_builder import build, changed, image


@pytest.fixture(scope="module")
def headers(tmp_path_factory: pytest.TempPathFactory) -> list[Header]:
    folder = tmp_path_factory.mktemp("flavours")
    return [parse(write_flavour(flavour, folder).read_bytes()) for flavour in FLAVOURS]


def _files(count: int) -> list[FileIdentity]:
    return [
        FileIdentity(href=f"https://x/{at}.tif", etag=f'"{at}"', last_modified="now", size=at)
        for at in range(count)
    ]


def test_many_headers_at_once_are_the_same_as_one_by_one(headers: list[Header]) -> None:
    structs = band_structs(headers, [FileIdentity(href="x.tif")] * len(headers), [None] * 248)
    structs.validate(full=True)
    assert structs.type == BAND_METADATA
    for header, struct in zip(headers, structs.to_pylist(), strict=True):
        assert repr(struct) == repr(struct_of(header))  # as text, since nan != nan


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_rows_keep_their_order_and_missing_ones_are_null(
    headers: list[Header], data: st.DataObject
) -> None:
    rows = data.draw(st.lists(st.none() | st.integers(0, len(headers) - 1), max_size=12))
    some = [None if row is None else headers[row] for row in rows]
    bands = [
        None if header is None else data.draw(st.none() | st.just(header.image.planes - 1))
        for header in some
    ]
    structs = band_structs(some, _files(len(rows)), bands)
    structs.validate(full=True)
    expected = [
        None if header is None else struct_of(header, band)
        for header, band in zip(some, bands, strict=True)
    ]
    for at, (ours, alone) in enumerate(zip(structs.to_pylist(), expected, strict=True)):
        if alone is None:
            assert ours is None
            continue
        alone |= {"href": f"https://x/{at}.tif", "etag": f'"{at}"'}
        alone |= {"last_modified": "now", "file_size": at}
        assert repr(ours) == repr(alone)


def test_no_rows_are_an_empty_array() -> None:
    assert band_structs([], [], []).type == BAND_METADATA
    assert band_structs([None, None], [None, None], [None, None]).null_count == 2


def test_a_file_without_an_identity_has_none(headers: list[Header]) -> None:
    (struct,) = band_structs(headers[:1], [None], [None]).to_pylist()
    assert struct["href"] is struct["etag"] is struct["file_size"] is None


def test_a_lone_sample_is_band_0_and_several_are_no_band(headers: list[Header]) -> None:
    for header in headers:
        single = header.image.samples_per_pixel == 1
        assert struct_of(header)["band_index"] == (0 if single else None)


def test_facts_of_a_band_are_null_for_the_file_as_a_whole(tmp_path: Path) -> None:
    flavour = next(flavour for flavour in FLAVOURS if flavour.name == "band_facts")
    header = parse(write_flavour(flavour, tmp_path).read_bytes())
    whole, second = struct_of(header), struct_of(header, 1)
    for field in ("scale", "offset", "unit", "description", "statistics", "color_interpretation"):
        assert whole[field] is None
    assert (second["scale"], second["unit"]) == (2.0, "K")
    assert second["statistics"] == {"minimum": 1, "maximum": 9, "mean": 4.5, "stddev": 1.25}


@pytest.mark.parametrize("kind", [">u2", ">f4", "uint16", "float16"])
def test_big_endian_numbers_carry_their_order_in_dtype(kind: str, headers: list[Header]) -> None:
    names = {
        ">u2": "uint16_deflate_p2_big",
        ">f4": "float32_deflate_p3_big",
        "uint16": "uint16_deflate_p2_little",
        "float16": "float16_p1_little",
    }
    at = [flavour.name for flavour in FLAVOURS].index(names[kind])
    assert struct_of(headers[at])["dtype"] == kind


def test_packed_bits_and_lerc_know_no_byte_order() -> None:
    for tag, value in ((258, 12), (259, 34887)):
        entries = changed(changed(image(), 258, values=[16]), tag, values=[value])
        assert struct_of(parse(build(entries, order=">")))["dtype"] == "uint16"


def test_a_derived_band_equals_the_one_from_the_header(headers: list[Header]) -> None:
    """Every band from every other, and from and to the file as a whole."""
    rows = [
        (header, first, wanted)
        for header in headers
        for first in (None, *range(header.image.samples_per_pixel))
        for wanted in (None, *range(header.image.samples_per_pixel))
    ]
    every, firsts, wanted = (list(column) for column in zip(*rows, strict=True))
    files = _files(len(rows))
    derived = derive_band(band_structs(every, files, firsts), pa.array(wanted, pa.int32()))
    expected = band_structs(every, files, wanted)
    derived.validate(full=True)
    pairs = zip(rows, derived.to_pylist(), expected.to_pylist(), strict=True)
    for (header, first, band), ours, theirs in pairs:
        if header.image.planes > 1 and first != band:
            assert ours is None
        else:
            assert repr(ours) == repr(theirs)


@pytest.mark.parametrize("wanted", [-1, 3, 1 << 20])
def test_a_band_the_file_does_not_have_is_null(wanted: int, headers: list[Header]) -> None:
    at = [flavour.name for flavour in FLAVOURS].index("rgb_pixel")
    structs = band_structs([headers[at]], _files(1), [0])
    assert derive_band(structs, wanted).to_pylist() == [None]


def test_bands_are_derived_row_by_row(headers: list[Header]) -> None:
    chosen = [header for header in headers if header.image.planes == 1] * 2
    structs = band_structs(
        [*chosen, None], [FileIdentity(href="x.tif")] * (len(chosen) + 1), [0] * (len(chosen) + 1)
    )
    wanted = [at % 4 for at in range(len(chosen))]
    derived = derive_band(structs, pa.array([*wanted, 0], pa.int32()))
    derived.validate(full=True)
    assert derived.type == BAND_METADATA
    found = derived.to_pylist()
    assert found[-1] is None
    for header, band, struct in zip(chosen, wanted, found[:-1], strict=True):
        if band < header.image.samples_per_pixel:
            assert repr(struct) == repr(struct_of(header, band))
        else:
            assert struct is None


def test_a_slice_of_structs_is_derived_like_the_whole(headers: list[Header]) -> None:
    structs = band_structs(headers, _files(len(headers)), [0] * len(headers))
    whole = derive_band(structs, 0)
    part = derive_band(structs[100:140], 0)
    assert repr(part.to_pylist()) == repr(whole[100:140].to_pylist())


def test_the_offsets_of_a_million_tiles_are_joined_as_they_are() -> None:
    entries = image(16 * 500, 16 * 500, 16, tiles=250_000)
    header = parse(build(entries))
    structs = band_structs([header] * 4, _files(4), [None] * 4)
    offsets = structs.field("tile_offsets")
    assert np.array_equal(np.unique(offsets.flatten().to_numpy()), [4])
    assert len(offsets.flatten()) == 1_000_000
