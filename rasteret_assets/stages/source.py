"""Faults of a source table as a whole, found from its schema before a row is read."""

import difflib
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

import pyarrow as pa

from rasteret_assets.contract.columns import SOURCE_ROW
from rasteret_assets.contract.spec import CollectionSpec
from rasteret_assets.errors import TableError
from rasteret_assets.geo.footprints import is_geometry
from rasteret_assets.geo.geoparquet import storage_of
from rasteret_assets.stages.assets import is_assets
from rasteret_assets.stages.columns import CANONICAL, passing
from rasteret_assets.stages.ids import is_id
from rasteret_assets.stages.times import is_time

_OTHER_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "id": ("scene_id", "item_id", "stac_id", "identifier", "granule_id", "product_id", "name"),
    "datetime": ("acquired", "acquisition_date", "timestamp", "date", "time", "sensing_time"),
    "geometry": ("geom", "footprint", "wkb_geometry", "the_geom", "wkb", "shape", "polygon"),
    "assets": ("hrefs", "files", "urls", "links", "bands", "asset"),
}
"""What these columns are called elsewhere, the likelier first."""

_TYPE_WIDTH: Final = 60
"""Characters of a type that a message shows."""

_EXPECTED: Final[Mapping[str, tuple[Callable[[pa.Field], bool], str]]] = {
    "id": (is_id, "text or whole numbers"),
    "datetime": (is_time, "timestamps, dates, ISO 8601 text or whole numbers since 1970"),
    "start_datetime": (is_time, "timestamps, dates, ISO 8601 text or whole numbers since 1970"),
    "geometry": (is_geometry, "WKB, WKT, GeoJSON text or GeoArrow lists"),
    "assets": (is_assets, "structs, maps or lists of assets by key, or JSON text"),
}


def check_source(schema: pa.Schema, spec: CollectionSpec, source: str) -> None:
    """Check that the table at `source` can be read through `spec`.

    Parameters
    ----------
    schema
        All columns of the source, or those that `columns` keeps.

    Raises
    ------
    TableError
        If a required column is missing or can never hold what it should; if `columns` or
        `column_map` name columns that are not there; if `columns` leaves out a
        required column; if two columns come to bear one name. It says which columns exist,
        and the likely mapping.
    """
    names = [name for name in schema.names if name != SOURCE_ROW]
    _check_repeats(names, source)
    _check_named(names, spec, source)
    kept = [name for name in names if spec.columns is None or name in spec.columns]
    _check_clashes(schema, kept, spec, source)
    _check_required(schema, kept, spec, source)


def _check_repeats(names: list[str], source: str) -> None:
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        msg = f"{source}: the table has several columns named {repeated}; names must be unique"
        raise TableError(msg)


def _check_named(names: list[str], spec: CollectionSpec, source: str) -> None:
    kept = spec.columns
    if kept is not None and (dropped := [name for name in spec.column_map if name not in kept]):
        msg = f"{source}: column_map names {dropped}, which columns={list(kept)} leaves out"
        raise TableError(msg)
    asked = {"column_map": list(spec.column_map), "columns": list(spec.columns or ())}
    for argument, wanted in asked.items():
        if absent := [name for name in wanted if name not in names]:
            near = {name: difflib.get_close_matches(name, names, n=1) for name in absent}
            meant = "".join(
                f"; for {name!r}, {found[0]!r}?" for name, found in near.items() if found
            )
            msg = f"{source}: {argument} names {absent}, not among the columns {names}{meant}"
            raise TableError(msg)


def _check_clashes(schema: pa.Schema, kept: list[str], spec: CollectionSpec, source: str) -> None:
    columns = pa.schema([schema.field(name) for name in kept])
    through = passing(columns, spec)
    bearers: dict[str, list[str]] = {}
    for name in kept:
        final = through.get(name, spec.column_map.get(name, name))
        bearers.setdefault(final, []).append(name)
    for final, sources in bearers.items():
        if len(sources) > 1:
            extra = next(name for name in sources if name not in spec.column_map or final == name)
            msg = (
                f"{source}: columns {sources} would all be {final!r}; give one of them another "
                f"name, as in column_map={{'{extra}': '{extra}_other'}}, or leave it out of columns"
            )
            raise TableError(msg)


def _check_required(schema: pa.Schema, kept: list[str], spec: CollectionSpec, source: str) -> None:
    found = {spec.column_map.get(name, name): name for name in kept}
    missing = [name for name in ("id", "geometry", "assets") if name not in found]
    if "datetime" not in found and "start_datetime" not in found:
        missing.insert(min(1, len(missing)), "datetime")
    if missing:
        raise TableError(_missing_message(missing, schema, kept, spec, source))
    for canonical, (fits, expected) in _EXPECTED.items():
        name = found.get(canonical)
        if name is not None and not fits(schema.field(name)):
            said = name if name == canonical else f"{name} (mapped to {canonical})"
            msg = (
                f"{source}: column {said} is {_short(schema.field(name))}; {canonical} has to be "
                f"{expected}. The columns are {kept}; map another one with column_map"
            )
            raise TableError(msg)


def _missing_message(
    missing: list[str], schema: pa.Schema, kept: list[str], spec: CollectionSpec, source: str
) -> str:
    all_names = {spec.column_map.get(name, name): name for name in schema.names}
    if dropped := [all_names[name] for name in missing if name in all_names]:
        return f"{source}: columns={list(spec.columns or ())} leaves out {dropped}; add them"
    likely = {}
    for name in missing:
        free = [one for one in kept if one not in spec.column_map and one not in likely]
        guess = _guess(name, [one for one in free if one not in CANONICAL], schema)
        if guess is not None:
            likely[guess] = name
    mapping = likely or {"yours": missing[0]}
    hint = "; likely" if likely else "; map your names with"
    kept_out = "" if spec.columns is None else f", after columns={list(spec.columns)} chose"
    return f"{source}: no column {missing} among {kept}{kept_out}{hint} column_map={mapping}"


def _guess(canonical: str, names: list[str], schema: pa.Schema) -> str | None:
    """Return the column that most likely is meant, judged by name and possible type."""
    fits, _ = _EXPECTED[canonical]
    able = {name.lower(): name for name in names if fits(schema.field(name))}
    synonyms = _OTHER_NAMES[canonical]
    for synonym in synonyms:
        if synonym in able:
            return able[synonym]
    for wanted in (canonical, *synonyms):
        if close := difflib.get_close_matches(wanted, list(able), n=1, cutoff=0.75):
            return able[close[0]]
    return None


def _short(field: pa.Field) -> str:
    text = str(storage_of(field))
    return text if len(text) <= _TYPE_WIDTH else text[:_TYPE_WIDTH] + "…"
