"""What things are called in Dagster: one name for each, and different ones for different things.

Dagster's identifiers (groups, ops, jobs, sensors) are made of letters, digits and `_`; names of
collections may hold `-` and `.` too. Asset keys take all of these, partition keys nearly any
text.
"""

import re
from typing import Final
from urllib.parse import quote, unquote

import dagster as dg

RAW: Final = "raw_table"
VALIDATED: Final = "validated_table"
REMAPPED: Final = "remapped_table"
HEADERS: Final = "band_headers"
COLLECTION: Final = "collection"

_WORDS: Final = {"-": "_dash_", ".": "_dot_", "_": "_under_"}
_ESCAPED: Final = re.compile("_(?:dash|dot|under)_")


def identifier(name: str) -> str:
    """Return the identifier that stands for a collection's name, and for no other's.

    A name that is an identifier already is its own, unless it looks like an escaped one.

    Examples
    --------
    >>> identifier("sentinel_2"), identifier("maxar-opendata"), identifier("c2.l2")
    ('sentinel_2', 'maxar_dash_opendata', 'c2_dot_l2')
    >>> identifier("maxar_dash_opendata")
    'maxar_under_dash_opendata'
    """
    text = ""
    for character in reversed(name):
        if character == "_" and not _ESCAPED.match("_" + text):
            text = "_" + text
        else:
            text = _WORDS.get(character, character) + text
    return text


def stage_key(name: str, stage: str) -> dg.AssetKey:
    """Return the asset key of one stage of the collection `name`."""
    return dg.AssetKey([name, stage])


def op_name(name: str, part: str) -> str:
    """Return the name of the op, graph, job or sensor that is `part` of the collection `name`."""
    return f"{identifier(name)}__{part}"


def band_partition(band: str) -> str:
    """Return the partition key of a band: the asset key itself, wherever Dagster can bear it.

    `...` stands for a range, and control characters are refused; white space at the ends and
    `,`, `|`, `[`, `]` have a meaning on command lines and in the UI. Those are
    percent-encoded, and with them `%`.

    Examples
    --------
    >>> band_partition("B04"), band_partition("eo:red"), band_partition("50%..")
    ('B04', 'eo:red', '50%25%2E%2E')
    """
    text = _TO_ENCODE.sub(lambda found: _percent(found[0]), band)
    return text or "%"


def band_of(partition: str) -> str:
    """Return the band whose partition key is `partition`."""
    return "" if partition == "%" else unquote(partition)


# A dot beside another, or at an end, could become part of the "..." of a range.
_TO_ENCODE: Final = re.compile(r"[%,|\[\]\x00-\x1f\x7f]|^\s|\s$|^\.|\.$|\.(?=\.)|(?<=\.)\.")


def _percent(character: str) -> str:
    return quote(character, safe="") if character != "." else "%2E"
