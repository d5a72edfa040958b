"""Enrichment as a run does it: what its ops share."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from logging import Logger

from rasteret_assets.assets.declared import CollectionLimits, DeclaredCollection
from rasteret_assets.assets.outputs import StagePlan
from rasteret_assets.assets.progress import ProgressLog
from rasteret_assets.assets.resources import EnrichmentResource
from rasteret_assets.contract.settings import BuildSettings, FetchSettings
from rasteret_assets.contract.spec import CollectionSpec
from rasteret_assets.pipeline.assembling import header_updates
from rasteret_assets.pipeline.enrich import bands_of, enrich, grouped, header_plan
from rasteret_assets.pipeline.pieces import Piece, PieceDone
from rasteret_assets.pipeline.planning import HeaderPlan
from rasteret_assets.storage import Manifest, StageUpdate, Workspace

_STEPS = 100
"""Steps of one run, about, at most: Dagster stores a dozen events for each."""


def look_settings(
    declared: DeclaredCollection, resource: EnrichmentResource
) -> FetchSettings | None:
    """Return how to read the pixels of one record; None where none are to be read."""
    given = resource.look_settings()
    return None if given is None else declared.limits.fetch_settings(given)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembled:
    """The headers of a run's bands, ready to be committed."""

    plans: dict[str, StagePlan]
    """By band."""
    updates: dict[str, StageUpdate]
    """What they come to as things are now, by band."""
    done: tuple[PieceDone, ...]
    """What was fetched for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrichment:
    """One collection's enrichment under the resources of a run."""

    spec: CollectionSpec
    workspace: Workspace
    resource: EnrichmentResource
    log: Logger
    limits: CollectionLimits = field(default_factory=CollectionLimits)

    @property
    def _settings(self) -> BuildSettings:
        return self.limits.build_settings(self.resource.build_settings())

    def plan(self, bands: Sequence[str]) -> HeaderPlan:
        """Return what `bands` lack now.

        Raises
        ------
        ConfigError
            If a band is new, and no record has such an asset.
        """
        plan = header_plan(
            self.spec,
            self.workspace,
            bands,
            retry=self.resource.retry_policy(),
            fresh=self.resource.refetch,
            settings=self._settings,
            rounds=self.resource.retry_rounds,
        )
        if new := tuple(band for band, base in plan.bases.items() if base is None):
            bands_of(replace(self.spec, bands=new), plan.remapped)
        return plan

    def steps(self, plan: HeaderPlan) -> list[list[Piece]]:
        """Return the pieces of `plan` in groups, a step each; each piece is written by itself."""
        size = max(self._settings.chunk_headers, plan.total // _STEPS)
        return grouped(plan.pieces, replace(self._settings, chunk_headers=size))

    def fetch(self, pieces: Sequence[Piece]) -> list[PieceDone]:
        """Bring the headers of `pieces` to the workspace."""
        log = ProgressLog(self.log)
        fetch = self.limits.fetch_settings(self.resource.fetch_settings())
        done = enrich(
            self.spec, self.workspace, pieces, fetch=fetch, settings=self._settings, report=log
        )
        log.finished(done)
        return done

    def assemble(self, bands: Sequence[str], done: Sequence[PieceDone]) -> Assembled:
        """Return what each band's headers become.

        Where another run has changed the records or the headers since `done` was planned, what
        is lacking now is fetched here; `done` stays known either way.
        """
        plan = self.plan(bands)
        brought = {_files_of(one): one for one in done}
        left = [piece for piece in plan.pieces if _files(piece) not in brought]
        usable = [brought[_files(piece)] for piece in plan.pieces if _files(piece) in brought]
        fetched = self.fetch(left)
        updates = header_updates(self.spec, plan, [*usable, *fetched])
        known = (*done, *fetched)
        plans = {band: self._plan_of(band, update, known) for band, update in updates.items()}
        return Assembled(plans=plans, updates=updates, done=known)

    def _plan_of(self, band: str, update: StageUpdate, done: Sequence[PieceDone]) -> StagePlan:
        def plan(base: Manifest | None) -> StageUpdate:
            generation = 0 if base is None else base.generation
            if generation == update.base_generation:
                return update
            return self.assemble([band], done).updates[band]  # another run was first

        return StagePlan(plan=plan)


def _files(piece: Piece) -> frozenset[tuple[str, str]]:
    return frozenset(piece.files.items())


def _files_of(done: PieceDone) -> frozenset[tuple[str, str]]:
    return frozenset((band, found.file) for band, found in done.ranges.items())
