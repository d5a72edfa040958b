"""GDAL_METADATA: facts per band, and texts meant to do harm."""

import tracemalloc
import xml.etree.ElementTree as ET
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rasteret_assets.tiff.gdal_metadata import facts_of_band, metadata_facts
from tests.rig.headers import parse, struct_of
from tests.rig.tiff_builder import build, changed, image, text


def _item(value: str, sample: str = "0", role: str = "description") -> str:
    return f'<Item name="X" sample="{sample}" role="{role}">{value}</Item>'


def _xml(*items: str) -> str:
    return f"<GDALMetadata>{''.join(items)}</GDALMetadata>"


def test_facts_go_to_the_band_they_belong_to() -> None:
    said = _xml(
        _item("2.5", "1", "scale"),
        _item("-3", "1", "offset"),
        _item("m/s", "0", "unittype"),
        _item("NIR", "2", "colorinterp"),
        '<Item name="STATISTICS_MEAN" sample="2">4.5</Item>',
        '<Item name="STATISTICS_MEAN">99</Item>',
        '<Item name="OVR_RESAMPLING_ALG">AVERAGE</Item>',
    )
    assert facts_of_band(said, 1).scale == 2.5
    assert facts_of_band(said, 1).offset == -3
    assert facts_of_band(said, 0).unit == "m/s"
    assert facts_of_band(said, 2).color_interpretation == "nir"
    assert facts_of_band(said, 2).statistics == {
        "minimum": None,
        "maximum": None,
        "mean": 4.5,
        "stddev": None,
    }
    assert facts_of_band(said, 0).statistics is None
    assert facts_of_band(said, 3) == facts_of_band(None, 0) == facts_of_band(said, None)


BOMBS = {
    "entities": '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>' + _xml(_item("&b;")),
    "billion_laughs": "<!DOCTYPE x ["
    + "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(9))
    + '<!ENTITY e0 "ha">]>'
    + _xml(_item("&e9;")),
    "outside": '<!DOCTYPE x SYSTEM "file:///etc/hostname">' + _xml(_item("x")),
    "external": '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>' + _xml(_item("&a;")),
    "deep": "<a>" * 50_000,
    "cut": _xml(_item("x"))[:-5],
    "empty": "",
    "text": "no XML at all",
    "bad_reference": _xml(_item("&nothing;")),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_text_that_is_no_metadata_is_noted_and_does_no_harm(name: str) -> None:
    begin = perf_counter()
    tracemalloc.start()
    found = metadata_facts(BOMBS[name])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not found.bands
    assert found.notes[0].startswith("GDAL_METADATA not understood")
    assert perf_counter() - begin < 1
    assert peak < 8 << 20


@pytest.mark.parametrize(
    "item",
    [
        _item("1", "x", "scale"),
        _item("1", "-1", "scale"),
        _item("1", "999999999999999999999999", "scale"),
        _item("1", "²", "scale"),
        _item("twice", "0", "scale"),
        _item("1", "0", "nothing"),
        '<Other name="X" sample="0" role="scale">1</Other>',
    ],
    ids=["letter", "negative", "huge", "superscript", "word", "role", "element"],
)
def test_items_that_say_nothing_clear_are_passed_over(item: str) -> None:
    assert facts_of_band(_xml(item), 0).scale is None


def test_the_first_of_two_counts_and_empty_words_are_none() -> None:
    said = _xml(_item("1", "0", "scale"), _item("2", "0", "scale"), _item("", "0"))
    assert facts_of_band(said, 0).scale == 1
    assert facts_of_band(said, 0).description is None


@given(words=st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1))
def test_any_words_come_back_as_they_were(words: str) -> None:
    root = ET.Element("GDALMetadata")
    item = ET.SubElement(root, "Item", name="D", sample="0", role="description")
    escaped = words.replace("&", "&amp;").replace("<", "&lt;")  # GDAL escapes twice
    item.text = escaped
    assert facts_of_band(ET.tostring(root, "unicode"), 0).description == words


def test_notes_and_text_reach_the_struct() -> None:
    entries = [*changed(image(), 277, values=[2]), text(42112, BOMBS["entities"])]
    struct = struct_of(parse(build(entries)), 1)
    assert struct["gdal_metadata"] == BOMBS["entities"]
    assert any("GDAL_METADATA not understood" in note for note in struct["notes"])
    assert struct["scale"] is None
