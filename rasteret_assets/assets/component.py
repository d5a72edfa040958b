"""The component that declares a collection in YAML."""

import os
from pathlib import Path
from typing import Self

import dagster as dg
import pyarrow.compute as pc
from pydantic import BaseModel

from rasteret_assets.assets.attributes import (
    NAME,
    DriftAttributes,
    LimitAttributes,
    attribute,
    located,
)
from rasteret_assets.assets.collection_defs import build_collection_defs
from rasteret_assets.assets.declared import CollectionLimits, DeclaredCollection, DriftSampling
from rasteret_assets.assets.scaffold import CollectionScaffolder
from rasteret_assets.contract.spec import CollectionSpec
from rasteret_assets.errors import ConfigError
from rasteret_assets.fetch import check_signer
from rasteret_assets.stages import parse_filter


@dg.scaffold_with(CollectionScaffolder)
class RecordTableCollection(dg.Component, dg.Model, dg.Resolvable):
    """A Collection built from a Parquet table of scenes, kept current.

    Gives the Dagster assets `{name}/raw_table`, `validated_table`, `remapped_table`,
    `band_headers` (partitioned by band) and `collection`, in one group; jobs to update it and
    to try failed headers again; a sensor that watches the source. The project's resources
    must have `workspace`, `enrichment`, `object_storage` and `summaries`.
    """

    name: str = attribute(
        "What the Collection is called: letters, digits, '.', '_' and '-'.",
        examples=["sentinel-2"],
        pattern=NAME,
    )
    source: str | list[str] = attribute(
        "Parquet with a row per scene: a file, folder or glob, local (relative paths count from "
        "the project's folder), s3:// or gs://; or an https:// file; or several.",
        examples=["s3://bucket/items/", ["a.parquet", "b.parquet"]],
        minItems=1,
    )
    filter: str | None = attribute(
        "Rows to take, as CQL2 text in the source's column names.",
        default=None,
        examples=['"eo:cloud_cover" < 20'],
    )
    columns: list[str] | None = attribute(
        "Source columns to take; all, if not given.", default=None, minItems=1
    )
    column_map: dict[str, str] = attribute(
        "The source's column names to id, datetime, geometry, assets.",
        default={},
        examples=[{"scene_id": "id", "acquired": "datetime"}],
    )
    enrich: bool = attribute(
        "Whether the headers of the GeoTIFFs are fetched at all.", default=True
    )
    bands: list[str] | None = attribute(
        "Asset keys to enrich. Without them every asset that is a GeoTIFF is taken; bands are "
        "then found by a first run, and enriched by a second.",
        default=None,
        examples=[["B04", "B08"]],
        minItems=1,
        uniqueItems=True,
    )
    base_uri: str | None = attribute(
        "What relative hrefs resolve against; their table's folder, if not given.", default=None
    )
    sign: str | None = attribute(
        "Name of the signer that the hrefs need; its package must be installed.",
        default=None,
        examples=["planetary-computer"],
    )
    description: str | None = attribute("Shown in the UI.", default=None)
    owners: list[str] = attribute(
        "E-mail addresses, or team:NAME.", default=[], examples=[["team:imagery"]]
    )
    tags: dict[str, str] = attribute("Tags of all the collection's Dagster assets.", default={})
    pool: str | None = attribute(
        "Pool that each chunk of enrichment takes a slot of: a server that several collections "
        "share.",
        default=None,
    )
    limits: LimitAttributes | None = attribute(
        "How its files are fetched, where that differs from the deployment's enrichment resource.",
        default=None,
        examples=[{"max_concurrent": 32, "request_timeout_s": 60}],
    )
    sensor_interval_s: int = attribute(
        "Seconds between two looks at the source, once the sensor is on.", default=300, minimum=1
    )
    sensor_quiet_s: float = attribute(
        "Seconds for which a file must not have changed before the sensor has it taken, so that "
        "nothing is taken half written.",
        default=60,
        minimum=0,
    )
    update_cron: str | None = attribute(
        "When the source is taken in, whether or not it is known to have changed: for sources "
        "that cannot be watched.",
        default=None,
        examples=["0 4 * * *"],
    )
    retry_cron: str | None = attribute(
        "When headers that failed are asked for again, if that may help.",
        default=None,
        examples=["0 6 * * *"],
    )
    retry_rounds: int | None = attribute(
        "Runs that ask for a header that fails, the first one included, before the schedule "
        "leaves it alone; without it, never.",
        default=None,
        examples=[10],
        minimum=1,
    )
    drift: DriftAttributes | None = attribute(
        "How files that change on their servers are looked for: a sample at a time, on a "
        "schedule of its own.",
        default=None,
        examples=[{"cron": "0 3 * * *", "files": 500, "per_host": 8}],
    )
    max_set_aside: float | None = attribute(
        "Share of the source's rows that may be set aside, 0 to 1; more stop the run.",
        default=None,
        examples=[0.01],
        minimum=0,
        maximum=1,
    )
    min_coverage: float | dict[str, float] | None = attribute(
        "Share of each band's files whose headers there must be, 0 to 1; fewer stop the run "
        "before the Collection. One for every band, or by band: bands not named only warn.",
        default=None,
        examples=[0.95, {"B04": 0.99, "B08": 0.9}],
        minimum=0,
        maximum=1,
    )
    fresh_within_h: float | None = attribute(
        "Hours after which a Collection that was not brought up to date is shown as stale.",
        default=None,
        examples=[24],
        exclusiveMinimum=0,
    )

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> Self:
        """Return the component that a file declares.

        Raises
        ------
        ConfigError
            If an attribute has a value that cannot be meant; names the file, line and attribute.
        """
        component = super().load(attributes, context)
        with located(context):
            component.declared(context.project_root)
        return component

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Return the definitions of the collection.

        Raises
        ------
        ConfigError
            If an attribute has a value that cannot be meant.
        """
        return build_collection_defs(self.declared(context.project_root))

    def declared(self, project_root: Path) -> DeclaredCollection:
        """Return what is declared, as plain values.

        Raises
        ------
        ConfigError
            If an attribute has a value that cannot be meant.
        """
        return DeclaredCollection(
            spec=self._spec(project_root),
            description=self.description,
            owners=tuple(self.owners),
            tags=self.tags,
            pool=self.pool,
            limits=CollectionLimits(**({} if self.limits is None else self.limits.model_dump())),
            sensor_interval_s=self.sensor_interval_s,
            sensor_quiet_s=self.sensor_quiet_s,
            update_cron=self.update_cron,
            retry_cron=self.retry_cron,
            retry_rounds=self.retry_rounds,
            drift=None if self.drift is None else DriftSampling(**self.drift.model_dump()),
            max_set_aside=self.max_set_aside,
            min_coverage=self.min_coverage,
            fresh_within_h=self.fresh_within_h,
        )

    def _spec(self, project_root: Path) -> CollectionSpec:
        sources = [self.source] if isinstance(self.source, str) else self.source
        if self.bands is not None and not self.enrich:
            msg = (
                f"collection {self.name}: bands are those to enrich, but enrich is false; leave "
                "out one of them"
            )
            raise ConfigError(msg, field="bands")
        return CollectionSpec(
            name=self.name,
            sources=tuple(_absolute(source, project_root) for source in sources),
            filter_expr=None if self.filter is None else _parsed(self.filter),
            columns=None if self.columns is None else tuple(self.columns),
            column_map=self.column_map,
            bands=None if self.bands is None else tuple(self.bands),
            enrich=self.enrich,
            base_uri=self.base_uri,
            sign=None if self.sign is None else _known(self.sign),
        )


def _parsed(text: str) -> pc.Expression:
    try:
        return parse_filter(text)
    except ConfigError as error:
        raise ConfigError(str(error), field="filter") from error


def _known(signer: str) -> str:
    try:
        return check_signer(signer)
    except ConfigError as error:
        raise ConfigError(str(error), field="sign") from error


def _absolute(source: str, project_root: Path) -> str:
    if "://" in source:
        return source
    return os.path.abspath(project_root / os.path.expanduser(source))  # noqa: PTH100, PTH111  # as build_from_table does it, so that both name a file alike
