"""Headers that lie, loop or ask for too much: typed problems, quickly and in little memory."""

from collections.abc import Callable
from struct import pack

import pytest

from rasteret_assets.errors import ProblemCode, TiffError
from rasteret_assets.tiff import Header, HeaderBytes, Need, check_band_index, parse_header
from tests.rig.headers import BUDGET, code_of, parse, struct_of
from tests.rig.tiff_builder import (
    ASCII,
    DOUBLE,
    FLOAT,
    LONG,
    LONG8,
    RATIONAL,
    SHORT,
    Entry,
    build,
    changed,
    image,
    text,
    without,
)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"II",
        b"XX*\0" + bytes(60),
        b"II*\0"[::-1] + bytes(60),
        b"MM*\0" + bytes(60),
        b"II,\0" + bytes(60),
        b"<!DOCTYPE html>" + bytes(60),
        b"\xff\xd8\xff\xe0" + bytes(60),
        b"\x89PNG\r\n\x1a\n" + bytes(60),
    ],
    ids=["empty", "two_bytes", "order", "reversed", "mixed", "version", "html", "jpeg", "png"],
)
def test_what_is_no_tiff_is_said_to_be_none(data: bytes) -> None:
    assert code_of(data) is ProblemCode.NOT_TIFF


CORRUPT: dict[str, Callable[[], bytes]] = {
    "no_width": lambda: build(without(image(), 256)),
    "no_height": lambda: build(without(image(), 257)),
    "zero_width": lambda: build(changed(image(), 256, values=[0])),
    "tile_width_0": lambda: build(changed(image(), 322, values=[0])),
    "both_tile_sides_0": lambda: build(changed(changed(image(), 322, values=[0]), 323, values=[0])),
    "no_tile_size": lambda: build(without(image(), 322, 323)),
    "one_tile_where_4_are_needed": lambda: build(image(tiles=1)),
    "no_offsets": lambda: build(without(image(), 324)),
    "no_byte_counts_of_compressed": lambda: build(without(changed(image(), 259, values=[8]), 325)),
    "offsets_as_text": lambda: build(changed(image(), 324, kind=ASCII, values=[65] * 16)),
    "offsets_as_floats": lambda: build(changed(image(), 324, kind=FLOAT, values=[8.0] * 4)),
    "width_as_text": lambda: build(changed(image(), 256, kind=ASCII, values=b"64\0")),
    "width_as_float": lambda: build(changed(image(), 256, kind=FLOAT, values=[64.0])),
    "width_twice": lambda: build(changed(image(), 256, kind=SHORT, values=[64, 64])),
    "width_without_value": lambda: build(changed(image(), 256, values=[])),
    "negative_height": lambda: build(changed(image(), 257, kind=9, values=[-64])),
    "no_samples": lambda: build(changed(image(), 277, values=[0])),
    "planar_3": lambda: build(changed(image(), 284, kind=SHORT, values=[3])),
    "bits_0": lambda: build(changed(image(), 258, values=[0])),
    "bits_as_text": lambda: build(changed(image(), 258, kind=ASCII, values=b"8888888\0")),
    "photometric_over_short": lambda: build(changed(image(), 262, kind=LONG, values=[1 << 31])),
    "negative_predictor": lambda: build(changed(image(), 317, kind=9, values=[-2])),
    "extra_samples_over_short": lambda: build(
        changed(changed(image(), 277, values=[2]), 338, kind=LONG, values=[1 << 31])
    ),
    "palette_over_short": lambda: build(
        changed(changed(image(), 262, values=[3]), 320, kind=LONG, values=[1 << 16] * 768)
    ),
    "strips_of_0_rows": lambda: build(
        [
            *without(image(), 322, 323, 324, 325),
            Entry(tag=273, kind=LONG, values=[8]),
            Entry(tag=278, kind=LONG, values=[0]),
            Entry(tag=279, kind=LONG, values=[8]),
        ]
    ),
    "geokeys_as_text": lambda: build([*image(), Entry(tag=34735, kind=ASCII, values=[1] * 16)]),
    "scale_as_text": lambda: build([*image(), text(33550, "10, 10, 0 and more of it")]),
    "loop": lambda: build(image(), image(subfile_type=1), links={1: 8}),
    "loop_to_itself": lambda: build(image(), links={0: 8}),
    "loop_of_sub_ifds": lambda: build([*image(), Entry(tag=330, kind=LONG, values=[8])]),
    "empty_directory": lambda: build([]),
    "first_directory_at_0": lambda: build(image(), first=0),
    "first_directory_in_header": lambda: build(image(), first=4),
    "big_tiff_of_4_byte_offsets": lambda: pack("<2sHHHQ", b"II", 43, 4, 0, 16) + bytes(100),
    "big_tiff_reserved": lambda: pack("<2sHHHQ", b"II", 43, 8, 7, 16) + bytes(100),
    "offset_over_2_to_63": lambda: build(
        changed(image(), 324, kind=LONG8, values=[1 << 63] * 4), big_tiff=True
    ),
    "count_over_2_to_63": lambda: build(
        changed(image(), 325, kind=LONG8, values=[(1 << 64) - 1] * 4), big_tiff=True
    ),
}


@pytest.mark.parametrize("name", CORRUPT)
def test_contradictions_are_corrupt(name: str) -> None:
    assert code_of(CORRUPT[name]()) is ProblemCode.CORRUPT


TRUNCATED: dict[str, Callable[[], bytes]] = {
    "directory_beyond_the_end": lambda: build(image(), first=5_000_000),
    "next_directory_beyond_the_end": lambda: build(image(), links={0: 5_000_000}),
    "array_beyond_the_end": lambda: build(changed(image(), 324, offset=5_000_000, count=4)),
    "tile_beyond_the_end": lambda: build(changed(image(), 324, values=[5_000_000] * 4)),
    "tile_ending_beyond_the_end": lambda: build(changed(image(), 325, values=[5_000_000] * 4)),
    "sum_beyond_the_end": lambda: build(
        changed(
            changed(image(), 324, kind=LONG8, values=[(1 << 63) - 1] * 4),
            325,
            kind=LONG8,
            values=[(1 << 63) - 1] * 4,
        ),
        big_tiff=True,
    ),
    "cut_in_the_table": lambda: build(image())[:100],
    "cut_in_the_values": lambda: build(image())[:-4],
    "cut_in_the_header": lambda: build(image())[:6],
    "sub_ifd_beyond_the_end": lambda: build(
        [*image(), Entry(tag=330, kind=LONG, values=[5_000_000])]
    ),
}


@pytest.mark.parametrize("name", TRUNCATED)
def test_what_lies_beyond_the_end_is_truncated(name: str) -> None:
    assert code_of(TRUNCATED[name]()) is ProblemCode.TRUNCATED


def test_a_width_over_int32_is_unsupported() -> None:
    data = build(changed(image(), 256, values=[(1 << 32) - 1]))
    assert code_of(data) is ProblemCode.UNSUPPORTED


@pytest.mark.parametrize(
    ("tag", "values"),
    [(258, [8, 8, 16]), (339, [1, 2, 1])],
    ids=["bits", "format"],
)
def test_samples_that_differ_are_unsupported(tag: int, values: list[int]) -> None:
    entries = changed(image(), 277, values=[3])
    assert code_of(build(changed(entries, tag, kind=SHORT, values=values))) is (
        ProblemCode.UNSUPPORTED
    )


TOLERATED: dict[str, Callable[[], list[Entry]]] = {
    "unknown_type": lambda: [*image(), Entry(tag=50000, kind=99, values=[1])],
    "unknown_tag_of_gigabytes": lambda: [
        *image(),
        Entry(tag=50000, kind=DOUBLE, count=1 << 29, offset=8),
    ],
    "rational_by_zero": lambda: [*image(), Entry(tag=282, kind=RATIONAL, values=[1, 0])],
    "icc_profile": lambda: [*image(), Entry(tag=34675, kind=7, values=[1] * 99)],
    "nodata_inf": lambda: [*image(), text(42113, "-inf")],
    "wide_counts_of_short": lambda: changed(image(), 325, kind=SHORT, values=[4] * 4),
    "wide_offsets_in_classic": lambda: changed(image(), 324, kind=LONG8, values=[4] * 4),
    "sparse": lambda: changed(changed(image(), 324, values=[0] * 4), 325, values=[0] * 4),
    "strip_tags_for_tiles": lambda: [
        *without(image(), 324, 325),
        Entry(tag=273, kind=LONG, values=[4] * 4),
        Entry(tag=279, kind=LONG, values=[4] * 4),
    ],
}


@pytest.mark.parametrize("name", TOLERATED)
@pytest.mark.parametrize("order", ["<", ">"])
def test_what_is_odd_but_clear_is_read(name: str, order: str) -> None:
    entries = sorted(TOLERATED[name](), key=lambda entry: entry.tag)
    struct = struct_of(parse(build(entries, order=order)))
    assert struct["image_width"] == 64
    assert len(struct["tile_offsets"]) == len(struct["tile_byte_counts"]) == 4


NOTED: dict[str, tuple[Callable[[], bytes], str]] = {
    "twice": (
        lambda: build([*image()[:2], Entry(tag=256, kind=LONG, values=[99]), *image()[2:]]),
        "tag 256 is given more than once",
    ),
    "too_many_offsets": (lambda: build(image(tiles=6)), "tag 324"),
    "further_image": (lambda: build(image(), image(32, 32, tiles=1)), "a further image"),
    "odd_mask": (lambda: build(image(), image(32, 32, tiles=1, subfile_type=4)), "mask"),
    "odd_mask_of_overview": (
        lambda: build(image(), image(32, 32, tiles=1, subfile_type=5)),
        "mask of a reduced image",
    ),
    "second_mask": (
        lambda: build(image(), image(subfile_type=4), image(subfile_type=4)),
        "mask",
    ),
    "second_mask_of_overview": (
        lambda: build(image(), *(image(32, 32, tiles=1, subfile_type=kind) for kind in (1, 5, 5))),
        "mask of a reduced image",
    ),
    "overview_of_other_samples": (
        lambda: build(image(), changed(image(32, 32, tiles=1, subfile_type=1), 277, values=[3])),
        "does not fit",
    ),
    "larger_overview": (
        lambda: build(image(), image(96, 96, tiles=9, subfile_type=1)),
        "does not fit",
    ),
    "thumbnail_first": (
        lambda: build(image(32, 32, tiles=1), image()),
        "not its largest",
    ),
    "no_tiepoint": (
        lambda: build([*image(), Entry(tag=33550, kind=DOUBLE, values=[1, 1, 0])]),
        "without a tiepoint",
    ),
    "no_byte_counts": (lambda: build(without(image(), 325), gap=2000), "byte counts"),
}


@pytest.mark.parametrize("name", NOTED)
def test_what_is_passed_over_is_noted(name: str) -> None:
    make, said = NOTED[name]
    struct = struct_of(parse(make()))
    assert (struct["image_width"], len(struct["tile_offsets"])) == (64, 4)
    assert any(said in note for note in struct["notes"])


def test_a_tile_may_end_where_the_file_does_and_not_a_byte_later() -> None:
    size = len(build(image()))
    fits = changed(image(), 325, values=[4, 4, 4, size - 4])
    assert parse(build(fits)).byte_counts.tolist() == [4, 4, 4, size - 4]
    assert code_of(build(changed(image(), 325, values=[4, 4, 4, size - 3]))) is (
        ProblemCode.TRUNCATED
    )


@pytest.mark.parametrize("planes", [1, 2])
def test_byte_counts_left_out_are_those_of_whole_strips_and_the_last_ones_rows(planes: int) -> None:
    entries = changed(without(image(40, 50), 322, 323, 324, 325), 277, values=[planes])
    entries += [
        Entry(tag=273, kind=LONG, values=[4] * 2 * planes),
        Entry(tag=278, kind=LONG, values=[32]),
        Entry(tag=284, kind=SHORT, values=[2]),
    ]
    entries.sort(key=lambda entry: entry.tag)
    header = parse(build(entries, gap=2000))
    assert header.byte_counts.tolist() == [40 * 32, 40 * 18] * planes


def test_a_color_map_counts_only_for_palette_images() -> None:
    entries = changed(image(), 320, kind=SHORT, values=list(range(768)))
    assert struct_of(parse(build(entries)))["palette"] is None
    colored = struct_of(parse(build(changed(entries, 262, values=[3]))))
    assert colored["palette"] == list(range(768))
    assert colored["color_interpretation"] == "palette"


def test_overviews_are_given_largest_first() -> None:
    below = [image(side, side, tiles=1, subfile_type=1) for side in (8, 32, 16)]
    struct = struct_of(parse(build(image(), *below)))
    assert [level["image_width"] for level in struct["overviews"]] == [32, 16, 8]


@pytest.mark.parametrize("subfile_type", [0, 1])
def test_images_below_the_full_one_are_its_overviews(subfile_type: int) -> None:
    main = build([*image(), Entry(tag=330, kind=LONG, values=[4000])])
    below = build(image(32, 32, tiles=1, subfile_type=subfile_type), gap=3992)
    data = main.ljust(4000, b"\0") + below[4000:]
    struct = struct_of(parse(data))
    assert struct["image_width"] == 64
    assert [level["image_width"] for level in struct["overviews"]] == [32]
    assert struct["notes"] is None


@pytest.mark.parametrize("band_index", [-1, 3, 1 << 40])
def test_a_band_index_out_of_range_is_a_typed_problem(band_index: int) -> None:
    header = parse(build(changed(image(), 277, values=[3])))
    check_band_index(header, None)
    check_band_index(header, 2)
    with pytest.raises(TiffError) as caught:
        check_band_index(header, band_index)
    assert caught.value.code is ProblemCode.BAND_INDEX_INVALID


def test_reading_again_after_a_problem_gives_the_problem_again() -> None:
    """Caches hold what was understood, never what was not."""
    data = CORRUPT["no_offsets"]()
    assert code_of(data) is code_of(data)
    assert isinstance(parse_header(HeaderBytes(), BUDGET), Need)
    assert isinstance(parse(build(image())), Header)
