"""Columns in the UI: what each means, and which columns of earlier stages it is made from."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import dagster as dg
import pyarrow as pa

from rasteret_assets.assets.names import HEADERS, RAW, REMAPPED, VALIDATED, stage_key
from rasteret_assets.contract.bands import BAND_SUFFIX
from rasteret_assets.contract.columns import SOURCE_FILE, SOURCE_ROW
from rasteret_assets.contract.spec import CollectionSpec
from rasteret_assets.stages.columns import CANONICAL, passing, source_columns

Metadata = dict[str, Any]
Told = Callable[[pa.Schema], Metadata]
"""Given the columns of a stage, what the UI shows of them."""

_MEANT: Final = {
    "id": "What the record is called; unique within its collection in one source file.",
    "datetime": "When the scene was taken, UTC; the start of its range where that is all there is.",
    "geometry": "The footprint: ISO WKB in longitude and latitude (OGC:CRS84).",
    "assets": "The record's files by key, each with its href and what else the asset says.",
    "bbox": "Bounds of the geometry in degrees; west is greater than east across the antimeridian.",
    "start_datetime": "When the acquisition began.",
    "collection": "The STAC collection that the record belongs to.",
    SOURCE_FILE: "The source file that the record came from.",
    SOURCE_ROW: "The record's number within its source file, from 0.",
    "proj:epsg": "EPSG number of the scene's CRS: the source's word, else the first band's.",
    "crs": "CRS of the scene: EPSG:... or WKT2.",
}
_OF_HEADERS: Final = {
    "header": "What the file's header says: size, tiles, CRS, transform; null if it was not had.",
    "href": "Where the file is, resolved.",
    "file_key": "Which version of the file the record means: file:checksum or file:size.",
    "band_index": "Which sample of the file is the band, from 0; null means the file as a whole.",
    "code": "Why there is no header.",
    "detail": "The same in words.",
    "attempts": "How often the file was asked for, earlier runs included.",
    "tried_at": "When it was asked for last.",
}
_AS_IS: Final = "As in the source."


def raw_columns(spec: CollectionSpec) -> Told:
    """Return what is told of `raw_table`'s columns: nothing is upstream of it here."""
    return lambda schema: {"dagster/column_schema": table_schema(schema, _source_words(spec))}


def validated_columns(spec: CollectionSpec) -> Told:
    """Return what is told of `validated_table`'s columns: each is that of `raw_table`."""
    return lambda schema: {
        "dagster/column_schema": table_schema(schema, _source_words(spec)),
        **_lineage({name: [(_key(spec, RAW), name)] for name in schema.names}),
    }


def remapped_columns(spec: CollectionSpec, validated: pa.Schema) -> Told:
    """Return what is told of `remapped_table`'s columns, made from those of `validated`."""
    upstream = _key(spec, VALIDATED)

    def told(schema: pa.Schema) -> Metadata:
        made = {
            name: [(upstream, one) for one in names if one is not None]
            for name, names in _made_from(spec, validated).items()
            if name in schema.names
        }
        return {"dagster/column_schema": table_schema(schema, _canonical), **_lineage(made)}

    return told


def header_columns(spec: CollectionSpec, schema: pa.Schema) -> Metadata:
    """Return what is told of `band_headers`' columns."""
    assets = [(_key(spec, REMAPPED), "assets")]
    words: Callable[[str], str] = lambda name: _OF_HEADERS.get(name, _AS_IS)  # noqa: E731
    return {
        "dagster/column_schema": table_schema(schema, words),
        **_lineage(dict.fromkeys(schema.names, assets)),
    }


def collection_columns(spec: CollectionSpec, bands: Sequence[str]) -> Told:
    """Return what is told of the Collection's columns: records and headers side by side."""
    remapped, headers = _key(spec, REMAPPED), _key(spec, HEADERS)
    of_bands = {f"{band}{BAND_SUFFIX}": band for band in bands}

    def told(schema: pa.Schema) -> Metadata:
        made = {
            name: [(headers, "header")] if name in of_bands else [(remapped, name)]
            for name in schema.names
            if name not in (SOURCE_FILE, "proj:epsg", "crs")
        }
        if bands:  # the source's word, else the first band's
            for name in {"proj:epsg", "crs"} & set(schema.names):
                made[name] = [(headers, "header")]
        return {"dagster/column_schema": table_schema(schema, _canonical), **_lineage(made)}

    return told


def table_schema(schema: pa.Schema, words: Callable[[str], str]) -> dg.TableSchema:
    """Return `schema` as the UI shows it, with `words` for each column."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=field.name,
                type=_shortened(str(field.type)),
                description=words(field.name),
                constraints=dg.TableColumnConstraints(nullable=field.nullable),
            )
            for field in schema
        ]
    )


def _canonical(name: str) -> str:
    if name.endswith(BAND_SUFFIX):
        band = name.removesuffix(BAND_SUFFIX)
        return f"Header of the file of {band}; null where it could not be had: see the problems."
    return _MEANT.get(name, _AS_IS)


def _source_words(spec: CollectionSpec) -> Callable[[str], str]:
    def words(name: str) -> str:
        if name == SOURCE_ROW:
            return _MEANT[name]
        becomes = spec.column_map.get(name, name)
        if becomes not in CANONICAL:
            return _AS_IS
        return f"{_AS_IS} Becomes {becomes}: {_MEANT[becomes]}"

    return words


def _made_from(spec: CollectionSpec, validated: pa.Schema) -> Mapping[str, Sequence[str | None]]:
    """Return each remapped column with the source columns it is made from."""
    columns = source_columns(validated.names, spec)
    rest = validated.remove(validated.get_field_index(SOURCE_ROW))
    return {
        "id": [columns.id],
        "datetime": [columns.datetime, columns.start_datetime],
        "geometry": [columns.geometry, columns.bbox],  # a box may say where a footprint is cut
        "assets": [columns.assets],
        "bbox": [columns.geometry, columns.bbox],
        **{kept: [name] for name, kept in passing(rest, spec).items()},
        SOURCE_ROW: [SOURCE_ROW],
    }


def _key(spec: CollectionSpec, stage: str) -> dg.AssetKey:
    return stage_key(spec.name, stage)


def _lineage(made: Mapping[str, Sequence[tuple[dg.AssetKey, str]]]) -> Metadata:
    deps = {
        name: [dg.TableColumnDep(asset_key=key, column_name=column) for key, column in sources]
        for name, sources in made.items()
        if sources
    }
    return {"dagster/column_lineage": dg.TableColumnLineage(deps_by_column=deps)}


def _shortened(text: str, most: int = 200) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
