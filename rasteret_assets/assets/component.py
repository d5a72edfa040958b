"""The component that declares a collection in YAML."""

import os
from pathlib import Path

import dagster as dg
from pydantic import Field

from rasteret_assets.assets.collection_defs import build_collection_defs
from rasteret_assets.assets.declared import DeclaredCollection, DriftSampling
from rasteret_assets.assets.scaffold import CollectionScaffolder
from rasteret_assets.contract.spec import CollectionSpec
from rasteret_assets.errors import ConfigError
from rasteret_assets.fetch import check_signer
from rasteret_assets.stages import parse_filter

_DRIFT = DriftSampling()


class DriftAttributes(dg.Model, dg.Resolvable):
    """How files that change on their servers are looked for."""

    cron: str | None = Field(
        default=_DRIFT.cron,
        description="When; if not given, only when the job is started by hand.",
        examples=["0 3 * * *"],
    )
    files: int = Field(
        default=_DRIFT.files, description="Files asked at a time, a HEAD request each."
    )
    per_host: int = Field(
        default=_DRIFT.per_host, description="Of these, requests open at once to one host."
    )


@dg.scaffold_with(CollectionScaffolder)
class RecordTableCollection(dg.Component, dg.Model, dg.Resolvable):
    """A Collection built from a Parquet table of scenes, kept current.

    Gives the Dagster assets `{name}/raw_table`, `validated_table`, `remapped_table`,
    `band_headers` (partitioned by band) and `collection`, in one group; jobs to update it and
    to try failed headers again; a sensor that watches the source. The project's resources
    must have `workspace`, `enrichment` and `summaries`.
    """

    name: str = Field(
        description="What the Collection is called: letters, digits, '.', '_' and '-'.",
        examples=["sentinel-2"],
    )
    source: str | list[str] = Field(
        description="Parquet with a row per scene: a file, folder or glob, local (relative paths "
        "count from the project's folder), s3:// or gs://; or an https:// file; or several.",
        examples=["s3://bucket/items/", ["a.parquet", "b.parquet"]],
    )
    filter: str | None = Field(
        default=None,
        description="Rows to take, as CQL2 text in the source's column names.",
        examples=['"eo:cloud_cover" < 20'],
    )
    columns: list[str] | None = Field(
        default=None, description="Source columns to take; all, if not given."
    )
    column_map: dict[str, str] = Field(
        default_factory=dict,
        description="The source's column names to id, datetime, geometry, assets.",
        examples=[{"scene_id": "id", "acquired": "datetime"}],
    )
    enrich: bool = Field(
        default=True, description="Whether the headers of the GeoTIFFs are fetched at all."
    )
    bands: list[str] | None = Field(
        default=None,
        description="Asset keys to enrich. Without them every asset that is a GeoTIFF is taken; "
        "bands are then found by a first run, and enriched by a second.",
        examples=[["B04", "B08"]],
    )
    base_uri: str | None = Field(
        default=None,
        description="What relative hrefs resolve against; their table's folder, if not given.",
    )
    sign: str | None = Field(
        default=None,
        description="Name of the signer that the hrefs need; its package must be installed.",
        examples=["planetary-computer"],
    )
    description: str | None = Field(default=None, description="Shown in the UI.")
    owners: list[str] = Field(
        default_factory=list,
        description="E-mail addresses, or team:NAME.",
        examples=[["team:imagery"]],
    )
    tags: dict[str, str] = Field(
        default_factory=dict, description="Tags of all the collection's Dagster assets."
    )
    pool: str | None = Field(
        default=None,
        description="Pool that each chunk of enrichment takes a slot of: a server that several "
        "collections share.",
    )
    sensor_interval_s: int = Field(
        default=300, description="Seconds between two looks at the source, once the sensor is on."
    )
    sensor_quiet_s: float = Field(
        default=60,
        description="Seconds for which a file must not have changed before the sensor has it "
        "taken, so that nothing is taken half written.",
    )
    retry_cron: str | None = Field(
        default=None,
        description="When headers that failed are asked for again, if that may help.",
        examples=["0 6 * * *"],
    )
    drift: DriftAttributes | None = Field(
        default=None,
        description="How files that change on their servers are looked for: a sample at a time, "
        "on a schedule of its own.",
        examples=[{"cron": "0 3 * * *", "files": 500, "per_host": 8}],
    )
    max_set_aside: float | None = Field(
        default=None,
        description="Share of the source's rows that may be set aside, 0 to 1; more stop the run.",
        examples=[0.01],
    )
    min_coverage: float | None = Field(
        default=None,
        description="Share of each band's files whose headers there must be, 0 to 1; fewer stop "
        "the run before the Collection.",
        examples=[0.95],
    )
    fresh_within_h: float | None = Field(
        default=None,
        description="Hours after which a Collection that was not brought up to date is shown as "
        "stale.",
        examples=[24],
    )

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
            sensor_interval_s=self.sensor_interval_s,
            sensor_quiet_s=self.sensor_quiet_s,
            retry_cron=self.retry_cron,
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
            raise ConfigError(msg)
        return CollectionSpec(
            name=self.name,
            sources=tuple(_absolute(source, project_root) for source in sources),
            filter_expr=None if self.filter is None else parse_filter(self.filter),
            columns=None if self.columns is None else tuple(self.columns),
            column_map=self.column_map,
            bands=None if self.bands is None else tuple(self.bands),
            enrich=self.enrich,
            base_uri=self.base_uri,
            sign=None if self.sign is None else check_signer(self.sign),
        )


def _absolute(source: str, project_root: Path) -> str:
    if "://" in source:
        return source
    return os.path.abspath(project_root / os.path.expanduser(source))  # noqa: PTH100, PTH111  # as build_from_table does it, so that both name a file alike
