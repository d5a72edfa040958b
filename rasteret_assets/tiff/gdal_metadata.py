"""GDAL_METADATA: what GDAL says of each band in an XML text (GDAL, GTiff driver)."""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final
from xml.parsers import expat
from xml.sax.saxutils import unescape

_CACHED_LENGTH: Final = 1 << 14
_SAMPLE: Final = re.compile("[0-9]{1,5}")
_QUOTES: Final = {"&quot;": '"', "&apos;": "'"}
_ROLES: Final = {
    "scale": "scale",
    "offset": "offset",
    "unittype": "unit",
    "description": "description",
    "colorinterp": "color_interpretation",
}
_STATISTICS: Final = {
    "STATISTICS_MINIMUM": "minimum",
    "STATISTICS_MAXIMUM": "maximum",
    "STATISTICS_MEAN": "mean",
    "STATISTICS_STDDEV": "stddev",
}
_NUMBERS: Final = frozenset({"scale", "offset", *_STATISTICS.values()})


@dataclass(frozen=True, slots=True, kw_only=True)
class BandFacts:
    """What the metadata says of one band; None where it says nothing."""

    scale: float | None = None
    offset: float | None = None
    unit: str | None = None
    description: str | None = None
    color_interpretation: str | None = None
    """GDAL's word, lower case."""
    minimum: float | None = None
    maximum: float | None = None
    mean: float | None = None
    stddev: float | None = None

    @property
    def statistics(self) -> dict[str, float | None] | None:
        """The four statistics, or None if there are none."""
        given = {name: getattr(self, name) for name in _STATISTICS.values()}
        return None if all(value is None for value in given.values()) else given


FACT_FIELDS: Final = ("scale", "offset", "unit", "description", "statistics")
"""Attributes of `BandFacts` that are fields of the index under the same name."""

_NO_FACTS: Final = BandFacts()


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataFacts:
    """What a whole metadata text says."""

    bands: dict[int, BandFacts] = field(default_factory=dict)
    """By band index; bands of which nothing is said are left out."""
    notes: tuple[str, ...] = ()


class _RefusedError(ValueError):
    """The text declares a document type, and so possibly entities."""


class _Items:
    """Collects the text of `<Item>` elements that belong to one sample."""

    def __init__(self) -> None:
        self.found: dict[int, dict[str, str]] = {}
        self._into: tuple[int, str] | None = None
        self._text: list[str] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._into, self._text = None, []
        sample = attributes.get("sample", "")
        fact = _ROLES.get(attributes.get("role", "")) or _STATISTICS.get(attributes.get("name", ""))
        if name == "Item" and fact and _SAMPLE.fullmatch(sample):
            self._into = int(sample), fact

    def text(self, text: str) -> None:
        if self._into is not None:
            self._text.append(text)

    def end(self, _name: str) -> None:
        if self._into is not None:
            sample, fact = self._into
            said = unescape("".join(self._text), _QUOTES)  # GDAL escapes twice
            self.found.setdefault(sample, {}).setdefault(fact, said)
            self._into = None


def _refuse(*_declared: object) -> None:
    msg = "a document type declaration, which GDAL never writes"
    raise _RefusedError(msg)


def metadata_facts(text: str) -> MetadataFacts:
    """Return what `text` says of each band; what cannot be read becomes a note.

    Entities are never expanded: a text that declares a document type is not read at all.

    Examples
    --------
    >>> text = '<GDALMetadata><Item name="S" sample="0" role="scale">2</Item></GDALMetadata>'
    >>> metadata_facts(text).bands[0].scale
    2.0
    """
    return _cached(text) if len(text) <= _CACHED_LENGTH else _read(text)


def facts_of_band(text: str | None, band_index: int | None) -> BandFacts:
    """Return what a file's metadata text, if any, says of one band; of all bands nothing."""
    if text is None or band_index is None:
        return _NO_FACTS
    return metadata_facts(text).bands.get(band_index, _NO_FACTS)


def _read(text: str) -> MetadataFacts:
    items = _Items()
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse
    parser.StartElementHandler = items.start
    parser.CharacterDataHandler = items.text
    parser.EndElementHandler = items.end
    try:
        parser.Parse(text, True)  # noqa: FBT003  # expat takes no keywords
    except (expat.ExpatError, _RefusedError, UnicodeError) as error:
        return MetadataFacts(notes=(f"GDAL_METADATA not understood: {error}",))
    return MetadataFacts(bands={sample: _facts(said) for sample, said in items.found.items()})


_cached = lru_cache(maxsize=1024)(_read)


def _facts(said: dict[str, str]) -> BandFacts:
    numbers = {name: _number(text) for name, text in said.items() if name in _NUMBERS}
    words = {name: text for name, text in said.items() if name not in _NUMBERS and text}
    color = words.pop("color_interpretation", None)
    return BandFacts(
        **numbers,
        unit=words.get("unit"),
        description=words.get("description"),
        color_interpretation=None if color is None else color.lower(),
    )


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
