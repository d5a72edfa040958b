"""Stages in and out of a workspace, for Dagster: lazily opened tables, commits by manifest."""

import time
from collections.abc import Mapping

import dagster as dg
from pydantic import Field, PrivateAttr

from rasteret_assets.assets.looks import quicklook
from rasteret_assets.assets.metadata import collection_metadata, stage_metadata
from rasteret_assets.assets.names import COLLECTION, HEADERS, band_of, band_partition
from rasteret_assets.assets.next_step import telling_next_step
from rasteret_assets.assets.outputs import CollectionPlan, StagePlan
from rasteret_assets.assets.unchanged import STATE, state_of, told_before
from rasteret_assets.collection import Collection, open_collection
from rasteret_assets.contract.settings import BuildSettings
from rasteret_assets.pipeline.build import committed, replanned
from rasteret_assets.storage import StageTable, Workspace
from rasteret_assets.storage.stage_store import GRACE_S

_BUILD = BuildSettings()


class WorkspaceIOManager(dg.ConfigurableIOManager):
    """Keeps the stages of declared collections in a workspace, each state a manifest.

    A Dagster asset `{name}/{stage}` returns a plan, or one per band; it is carried out from the
    newest state and committed as a whole. A run that is overtaken by another plans anew.
    Inputs are opened, not read: `StageTable` for a stage, a mapping of them by band for
    `band_headers`, and for `collection` the `Collection` that `rasteret_assets.load` gives.

    To configure it for a deployment, write a subclass with other defaults: run config that
    sets some fields then leaves the others as they are.
    """

    root: str | None = Field(
        default=None,
        description="Folder or URL (s3://…, gs://…) of the workspace. Without it, what "
        "RASTERET_WORKSPACE says when the run starts, else ~/rasteret_workspace.",
    )
    batch_rows: int = Field(
        default=_BUILD.batch_rows, description="Records read, validated and remapped at once."
    )
    batch_bytes: int = Field(
        default=_BUILD.batch_bytes,
        description="Decoded bytes of one batch or row group, at most.",
    )
    file_bytes: int = Field(
        default=_BUILD.file_bytes,
        description="Decoded bytes of one file of the Collection, about.",
    )

    grace_h: float = Field(
        default=GRACE_S / 3600,
        description="Hours that replaced states of a stage stay for whoever still reads them; "
        "longer than any run takes.",
    )

    _instance: dg.DagsterInstance | None = PrivateAttr(default=None)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Remember whose run this is: its event log knows what was said of a state before."""
        self._instance = context.instance

    def workspace(self) -> Workspace:
        """Return the workspace."""
        return Workspace(self.root, self.build_settings())

    def build_settings(self) -> BuildSettings:
        """Return how large batches, row groups and files get.

        Raises
        ------
        ConfigError
            If a value is out of its range.
        """
        return BuildSettings(
            batch_rows=self.batch_rows, batch_bytes=self.batch_bytes, file_bytes=self.file_bytes
        )

    def handle_output(
        self, context: dg.OutputContext, obj: StagePlan | CollectionPlan | Mapping[str, StagePlan]
    ) -> None:
        """Carry out and commit what an asset has planned.

        Raises
        ------
        CommitConflictError
            If other runs keep committing first.
        """
        if self._instance is None:  # no run: called by hand
            self._carry_out(context, obj)
            return
        with telling_next_step(*context.asset_key.path):
            self._carry_out(context, obj)

    def _carry_out(
        self, context: dg.OutputContext, obj: StagePlan | CollectionPlan | Mapping[str, StagePlan]
    ) -> None:
        name, stage = context.asset_key.path
        if isinstance(obj, CollectionPlan):
            self._commit_collection(context, name, obj)
        elif isinstance(obj, StagePlan):
            self._commit_stage(context, name, stage, obj)
        else:
            for key in context.asset_partition_keys:
                band = band_of(key)
                store = self.workspace().stage(name, HEADERS, band)
                committed(store, obj[band].plan, obj[band].check)
                store.sweep(self.grace_h * 3600)

    def load_input(
        self, context: dg.InputContext
    ) -> StageTable | dict[str, StageTable] | Collection:
        """Open what the upstream asset has committed last, whichever run that was."""
        name, stage = context.asset_key.path
        workspace = self.workspace()
        if stage == COLLECTION:
            return open_collection(workspace.collection(name))
        if stage != HEADERS:
            return workspace.stage(name, stage).open()
        wanted = set(context.asset_partition_keys) if context.has_asset_partitions else set()
        return {
            band: workspace.stage(name, HEADERS, band).open()
            for band in workspace.bands(name)
            if not wanted or band_partition(band) in wanted
        }

    def _commit_stage(
        self, context: dg.OutputContext, name: str, stage: str, planned: StagePlan
    ) -> None:
        began = time.monotonic()
        store = self.workspace().stage(name, stage)
        manifest = committed(store, planned.plan, planned.check)
        planned.committed(manifest)
        store.sweep(self.grace_h * 3600)
        seconds = time.monotonic() - began
        state = state_of(store.url, manifest, planned.rows_in)
        told = self._told_before(context, state) or {
            **stage_metadata(store.open(manifest), planned.rows_in, seconds),
            **planned.columns(manifest.schema),
            STATE: dg.MetadataValue.text(state),
        }
        context.add_output_metadata({**told, "seconds": round(seconds, 3)})

    def _commit_collection(
        self, context: dg.OutputContext, name: str, planned: CollectionPlan
    ) -> None:
        began = time.monotonic()
        store = self.workspace().collection(name)
        manifest = replanned(lambda: store.commit(planned.plan(store.latest())))
        store.sweep(self.grace_h * 3600)
        seconds = time.monotonic() - began
        state = state_of(store.url, manifest, planned.rows_in)
        told = self._told_before(context, state)
        if told is None:
            workspace = self.workspace()
            headers = {
                band: workspace.stage(name, HEADERS, band).open().manifest.fragments
                for band in workspace.bands(name)
            }
            found = collection_metadata(
                store, manifest, headers, rows_in=planned.rows_in, seconds=seconds
            )
            told = {
                **found,
                **planned.columns(manifest.schema),
                **({} if planned.look is None else quicklook(store, planned.look)),
                STATE: dg.MetadataValue.text(state),
            }
        context.add_output_metadata({**told, "seconds": round(seconds, 3)})

    def _told_before(
        self, context: dg.OutputContext, state: str
    ) -> Mapping[str, dg.MetadataValue] | None:
        if self._instance is None:  # no run: handle_output was called by hand
            return None
        return told_before(self._instance, context.asset_key, state)
