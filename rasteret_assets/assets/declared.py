"""A collection as it is declared: what it is built from, and what Dagster does about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NoReturn

import dagster as dg

from rasteret_assets.assets.names import band_of, band_partition, identifier
from rasteret_assets.contract.settings import BuildSettings, FetchSettings, HeaderBudget
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
                raise ConfigError(msg, field="drift")


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionLimits:
    """How a collection's files are fetched, where that differs from the rest of a deployment.

    What is None is as the deployment has it.
    """

    max_concurrent: int | None = None
    """Range requests one chunk of work has open at once; never more than the deployment says."""
    max_per_host: int | None = None
    """The same to one host; never more than the deployment says."""
    connect_timeout_s: float | None = None
    request_timeout_s: float | None = None
    max_attempts: int | None = None
    retry_budget_s: float | None = None
    first_read_bytes: int | None = None
    first_read_bytes_max: int | None = None
    requester_pays: bool | None = None
    chunk_headers: int | None = None
    budget: Mapping[str, int] = field(default_factory=dict)
    """Fields of `HeaderBudget`: what one file's header may cost."""

    def __post_init__(self) -> None:
        unknown = sorted(set(self.budget) - set(HeaderBudget.__slots__))
        if unknown:
            msg = f"limits: budget has no {unknown}; it has {sorted(HeaderBudget.__slots__)}"
            raise ConfigError(msg, field="limits")
        try:
            self.fetch_settings(FetchSettings())
            self.build_settings(BuildSettings())
        except ConfigError as error:
            msg = f"limits: {error}"
            raise ConfigError(msg, field="limits") from error

    def fetch_settings(self, given: FetchSettings) -> FetchSettings:
        """Return the deployment's settings, as far as they hold for the collection."""
        own = {name: getattr(self, name) for name in _PATIENCE}
        capped = {
            name: getattr(given, name)
            if getattr(self, name) is None
            else min(getattr(given, name), getattr(self, name))
            for name in ("max_concurrent", "max_per_host")
        }
        return replace(
            given,
            **capped,
            **{name: value for name, value in own.items() if value is not None},
            budget=replace(given.budget, **self.budget),
        )

    def build_settings(self, given: BuildSettings) -> BuildSettings:
        """Return the deployment's settings with the collection's own size of a chunk."""
        if self.chunk_headers is None:
            return given
        return replace(given, chunk_headers=self.chunk_headers)


_PATIENCE: Final = (
    "connect_timeout_s",
    "request_timeout_s",
    "max_attempts",
    "retry_budget_s",
    "first_read_bytes",
    "first_read_bytes_max",
    "requester_pays",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredCollection:
    """One collection of a deployment."""

    spec: CollectionSpec
    description: str | None = None
    owners: tuple[str, ...] = ()
    """E-mail addresses, or `team:` and a name."""
    tags: Mapping[str, str] = field(default_factory=dict)
    limits: CollectionLimits = field(default_factory=CollectionLimits)
    pool: str | None = None
    """The pool that a chunk of enrichment takes a slot of: a server several collections share."""
    sensor_interval_s: int = 300
    """Seconds between two looks at the source."""
    sensor_quiet_s: float = 60
    """Seconds for which a file must not have changed before it is taken."""
    update_cron: str | None = None
    """When the source is taken in, whatever sensors say; never, if None."""
    retry_cron: str | None = None
    """When headers that failed are asked for again; never, if None."""
    retry_rounds: int | None = None
    """Runs that ask for a header, the first one included, before that schedule leaves it alone;
    None: it never does."""
    drift: DriftSampling | None = None
    """How files that change are looked for; not at all, if None."""
    max_set_aside: float | None = None
    """Share of the source's rows, 0 to 1, of which more stop a run; None only warns."""
    min_coverage: float | Mapping[str, float] | None = None
    """Share of a band's files, 0 to 1, whose headers there must be, or a run stops before the
    Collection; one for every band, or by band. None, and a band that is not named, only warns."""
    fresh_within_h: float | None = None
    """Hours within which the Collection should have been brought up to date; None: whenever."""

    def __post_init__(self) -> None:
        least = self.min_coverage
        for name, shares in {
            "max_set_aside": [self.max_set_aside],
            "min_coverage": least.values() if isinstance(least, Mapping) else [least],
        }.items():
            if any(share is not None and not 0 <= share <= 1 for share in shares):
                self._refuse(name, "it is a share, 0 to 1")
        if isinstance(least, Mapping) and (
            unknown := sorted(set(least) - set(self.spec.bands or least))
        ):
            self._refuse("min_coverage", f"bands has no {unknown}")
        for name, least_of, sound in (
            ("fresh_within_h", "above 0", self.fresh_within_h is None or self.fresh_within_h > 0),
            ("retry_rounds", "at least 1", self.retry_rounds is None or self.retry_rounds >= 1),
            ("sensor_interval_s", "at least 1", self.sensor_interval_s >= 1),
            ("sensor_quiet_s", "at least 0", self.sensor_quiet_s >= 0),
        ):
            if not sound:
                self._refuse(name, f"it must be {least_of}")
        bands = self.spec.bands or ()
        if repeated := sorted({band for band in bands if bands.count(band) > 1}):
            msg = f"collection {self.spec.name}: bands {repeated} are declared more than once"
            raise ConfigError(msg, field="bands")
        for name in ("update_cron", "retry_cron"):
            if getattr(self, name) is not None:
                self._check_cron(name)

    def _refuse(self, name: str, why: str) -> NoReturn:
        msg = f"collection {self.name}: {name} is {getattr(self, name)}; {why}"
        raise ConfigError(msg, field=name)

    def _check_cron(self, name: str) -> None:
        try:
            dg.ScheduleDefinition(
                name="any", job_name="any", cron_schedule=str(getattr(self, name))
            )
        except dg.DagsterInvalidDefinitionError:
            self._refuse(name, "cron has five fields, such as '0 6 * * *'")

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
