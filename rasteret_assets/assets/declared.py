"""A collection as it is declared: what it is built from, and what Dagster does about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import dagster as dg

from rasteret_assets.assets.names import band_of, band_partition, identifier
from rasteret_assets.contract.spec import CollectionSpec
from rasteret_assets.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftSampling:
    """How files that change on their servers are looked for."""

    cron: str | None = None
    """When; only when asked for, if None."""
    files: int = 500
    """Files asked at a time, a HEAD request each."""
    per_host: int = 8
    """Of these, requests open at once to one host."""

    def __post_init__(self) -> None:
        for name, value in (("files", self.files), ("per_host", self.per_host)):
            if value < 1:
                msg = f"drift: {name} is {value}; it must be at least 1"
                raise ConfigError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredCollection:
    """One collection of a deployment."""

    spec: CollectionSpec
    description: str | None = None
    owners: tuple[str, ...] = ()
    """E-mail addresses, or `team:` and a name."""
    tags: Mapping[str, str] = field(default_factory=dict)
    pool: str | None = None
    """The pool that a chunk of enrichment takes a slot of: a server several collections share."""
    sensor_interval_s: int = 300
    """Seconds between two looks at the source."""
    sensor_quiet_s: float = 60
    """Seconds for which a file must not have changed before it is taken."""
    retry_cron: str | None = None
    """When headers that failed are asked for again; never, if None."""
    drift: DriftSampling | None = None
    """How files that change are looked for; not at all, if None."""
    max_set_aside: float | None = None
    """Share of the source's rows, 0 to 1, of which more stop a run; None only warns."""
    min_coverage: float | None = None
    """Share of a band's files, 0 to 1, whose headers there must be, or a run stops before the
    Collection; None only warns."""
    fresh_within_h: float | None = None
    """Hours within which the Collection should have been brought up to date; None: whenever."""

    def __post_init__(self) -> None:
        for field_name in ("max_set_aside", "min_coverage"):
            share = getattr(self, field_name)
            if share is not None and not 0 <= share <= 1:
                msg = f"collection {self.name}: {field_name} is {share}; it is a share, 0 to 1"
                raise ConfigError(msg)
        if self.fresh_within_h is not None and self.fresh_within_h <= 0:
            msg = f"collection {self.name}: fresh_within_h is {self.fresh_within_h}, not above 0"
            raise ConfigError(msg)
        if self.sensor_interval_s < 1:
            msg = (
                f"collection {self.spec.name}: sensor_interval_s is {self.sensor_interval_s}; "
                "it must be at least 1"
            )
            raise ConfigError(msg)
        if self.sensor_quiet_s < 0:
            msg = (
                f"collection {self.spec.name}: sensor_quiet_s is {self.sensor_quiet_s}; it must "
                "be at least 0"
            )
            raise ConfigError(msg)
        bands = self.spec.bands or ()
        if repeated := sorted({band for band in bands if bands.count(band) > 1}):
            msg = f"collection {self.spec.name}: bands {repeated} are declared more than once"
            raise ConfigError(msg)

    @property
    def name(self) -> str:
        """The collection's name."""
        return self.spec.name

    @property
    def group(self) -> str:
        """The group of its Dagster assets."""
        return identifier(self.spec.name)

    @property
    def finds_bands(self) -> bool:
        """Whether the bands to enrich are those that the records turn out to have."""
        return self.spec.enrich and self.spec.bands is None


def band_partitions(spec: CollectionSpec) -> dg.PartitionsDefinition[str]:
    """Return the partitions of the collection's headers, one per band.

    Declared bands are known when definitions load; others are registered with the instance
    once the records have been seen.
    """
    if spec.bands is None:
        return dg.DynamicPartitionsDefinition(name=dynamic_partitions_name(spec.name))
    return dg.StaticPartitionsDefinition([band_partition(band) for band in spec.bands])


def dynamic_partitions_name(name: str) -> str:
    """Return the name under which an instance keeps the bands found in a collection."""
    return f"{name}/bands"


def known_bands(spec: CollectionSpec, instance: dg.DagsterInstance) -> tuple[str, ...]:
    """Return the bands of the collection: declared, or registered with `instance` so far."""
    if spec.bands is not None:
        return spec.bands
    keys = instance.get_dynamic_partitions(dynamic_partitions_name(spec.name))
    return tuple(band_of(key) for key in keys)


def register_bands(
    spec: CollectionSpec, bands: tuple[str, ...], instance: dg.DagsterInstance
) -> None:
    """Make `bands` partitions of the collection's headers, if they are not declared."""
    if spec.bands is None:
        keys = [band_partition(band) for band in bands]
        instance.add_dynamic_partitions(dynamic_partitions_name(spec.name), keys)
