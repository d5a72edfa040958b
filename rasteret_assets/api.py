"""What users call: build a Collection from a table, or open one."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow.compute as pc

from rasteret_assets.collection import Collection, as_collection, merge, open_collection
from rasteret_assets.collection.temporary import TemporaryFolder
from rasteret_assets.contract.settings import BuildSettings, FetchSettings, Retry
from rasteret_assets.contract.spec import CollectionSpec
from rasteret_assets.contract.tables import Report
from rasteret_assets.errors import ConfigError, SourceError, TableError
from rasteret_assets.fetch import HrefSigner, signer_of
from rasteret_assets.pipeline import build
from rasteret_assets.stages import parse_filter
from rasteret_assets.storage import Workspace

__all__ = ["as_collection", "build_from_table", "load", "merge"]

_UNNAMED = "collection"


def build_from_table(  # noqa: PLR0913  # one keyword per decision, all optional
    uri: str | Path | Sequence[str | Path],
    name: str | None = None,
    *,
    filter_expr: pc.Expression | str | None = None,
    columns: Sequence[str] | None = None,
    column_map: Mapping[str, str] | None = None,
    enrich_cog: bool = False,
    band_codes: Sequence[str] | None = None,
    max_concurrent: int | None = None,
    force: bool = False,
    update: bool = False,
    workspace_dir: str | Path | None = None,
    base_uri: str | None = None,
    sign: HrefSigner | str | None = None,
    retry: Retry | str = Retry.HEALABLE,
    fetch: FetchSettings | None = None,
    settings: BuildSettings | None = None,
    report: Report | None = None,
) -> Collection:
    """Return the Collection of a record table, built where it is not there yet.

    Parameters
    ----------
    uri
        Parquet with a row per scene: a file, folder or glob, local, `s3://`, `gs://` or (single
        files) `https://`; or several of them.
    name
        Where the Collection is kept: `{workspace_dir}/{name}_records/`. A second call with the
        same arguments opens it without the network. Without a name it lasts as long as the
        returned object.
    filter_expr
        Rows to take, in the source's column names: an Arrow expression, or CQL2 text such as
        `"eo:cloud_cover < 20"`. Pushed down to the scan, as are `columns`.
    columns
        Source columns to take; all by default.
    column_map
        Your column names to ours: `{"scene_id": "id"}`.
    enrich_cog
        Fetch the header of every GeoTIFF, one range request each as a rule.
    band_codes
        Asset keys to enrich; every asset that is a GeoTIFF by default.
    max_concurrent
        Range requests open at once; 300 by default, or what `fetch` says.
    force
        Build anew what is there, headers included.
    update
        Bring what is there up to date, doing only work that is new.
    workspace_dir
        A folder or URL; `RASTERET_WORKSPACE`, else `~/rasteret_workspace`, by default.
    base_uri
        What relative hrefs resolve against; the table's own folder by default.
    sign
        Signs hrefs that cannot be read as they are: the name of a signer, such as
        "planetary-computer", which the Collection then remembers, or an object with the methods
        of `HrefSigner`. Signatures are never written down.
    retry
        With `update`: which headers that failed before are asked for again.
    fetch, settings
        Limits beyond `max_concurrent`; see `FetchSettings` and `BuildSettings`. Given together,
        `max_concurrent` goes before that of `fetch`.
    report
        Called with a `Progress` now and then while headers are fetched.

    Raises
    ------
    ConfigError
        If an argument is wrong, or a Collection of that name was built from other ones.
    SourceError
        If the table is missing or unreadable.
    TableError
        If the table lacks a required column, or not one of its rows is usable.
    """
    if force and update:
        msg = "force=True builds anew, update=True only what is new; choose one"
        raise ConfigError(msg)
    if band_codes is not None and not enrich_cog:
        msg = "band_codes are the bands to enrich; add enrich_cog=True, or leave them out"
        raise ConfigError(msg)
    policy, limits = _policy(retry), _limits(fetch, max_concurrent)
    signs = () if sign is None else (sign,)
    signer = signer_of(signs)
    spec = CollectionSpec(
        name=_UNNAMED if name is None else name,
        sources=_sources(uri),
        filter_expr=_filter(filter_expr),
        columns=_names("columns", columns),
        column_map=dict(column_map or {}),
        bands=_names("band_codes", band_codes),
        enrich=enrich_cog,
        base_uri=base_uri,
        sign=sign if isinstance(sign, str) else None,
    )
    folder = TemporaryFolder() if name is None else None
    workspace = Workspace(workspace_dir if folder is None else folder.path, settings)
    if force or update or not _is_there(spec, workspace):
        new = not workspace.has(spec.name)
        try:
            build(
                spec,
                workspace,
                fetch=limits,
                settings=workspace.settings,
                retry=policy,
                fresh=force,
                signer=signer,
                report=report,
            )
        except (ConfigError, SourceError, TableError):
            if new and not workspace.is_committed(spec.name):
                # The arguments were wrong: nothing half-made stays behind. What has a state,
                # another process has built meanwhile.
                workspace.delete(spec.name)
            raise
    return open_collection(workspace.collection(spec.name), keeps=folder, signs=signs)


def load(
    name_or_path: str | Path,
    *,
    workspace_dir: str | Path | None = None,
    sign: HrefSigner | str | None = None,
) -> Collection:
    """Return a Collection: by its name in the workspace, or by its folder, file or URL.

    Parameters
    ----------
    sign
        Signs hrefs that cannot be read as they are, as for `build_from_table`; by default the
        signer by whose name it was built.

    Raises
    ------
    WorkspaceError
        If there is none; the message names those there are.
    ConfigError
        If `sign` is no signer.
    """
    signs = () if sign is None else (sign,)
    signer_of(signs)
    return open_collection(Workspace(workspace_dir).find(str(name_or_path)), signs=signs)


def _sources(uri: str | Path | Sequence[str | Path]) -> tuple[str, ...]:
    uris = [uri] if isinstance(uri, str | Path) else uri
    if any(not str(one).strip() for one in uris):
        msg = "a source is blank; name a Parquet file, folder, glob or URL"
        raise ConfigError(msg, field="source")
    return tuple(
        str(one) if "://" in str(one) else os.path.abspath(os.path.expanduser(one))  # noqa: PTH100, PTH111  # Path would swallow a glob's meaning on some systems
        for one in uris
    )


def _names(argument: str, names: Sequence[str] | None) -> tuple[str, ...] | None:
    if isinstance(names, str):  # a sequence too, of its letters
        msg = f"{argument} is the text {names!r}; give a list, such as {argument}=[{names!r}]"
        raise ConfigError(msg)
    return None if names is None else tuple(names)


def _filter(given: pc.Expression | str | None) -> pc.Expression | None:
    if isinstance(given, str):
        return parse_filter(given)
    if given is None or isinstance(given, pc.Expression):
        return given
    msg = (
        f"filter_expr is {given!r}; give a pyarrow.compute expression, or CQL2 text such as "
        '"eo:cloud_cover < 20"'
    )
    raise ConfigError(msg, field="filter_expr")


def _policy(retry: Retry | str) -> Retry:
    try:
        return Retry(retry)
    except ValueError as error:
        msg = f"retry is {retry!r}; choose one of {', '.join(Retry)}"
        raise ConfigError(msg) from error


def _limits(fetch: FetchSettings | None, max_concurrent: int | None) -> FetchSettings:
    """Return `fetch` with `max_concurrent` requests, all to one host unless `fetch` limits that."""
    limits = FetchSettings() if fetch is None else fetch
    if max_concurrent is None:
        return limits
    is_limited = limits.max_per_host < limits.max_concurrent
    per_host = limits.max_per_host if is_limited else max_concurrent
    return replace(limits, max_concurrent=max_concurrent, max_per_host=per_host)


def _is_there(spec: CollectionSpec, workspace: Workspace) -> bool:
    """Return whether the Collection was built, and from these very arguments.

    Raises
    ------
    ConfigError
        If it was built from others, naming each difference.
    """
    manifest = workspace.collection(spec.name).latest()
    if manifest is None:
        return False
    before, now = manifest.metadata["spec"], spec.described()
    changed = [key for key, value in now.items() if before.get(key) != value]
    differences = [
        f"{key}: {before.get(key)!r} then, {now[key]!r} now"
        for key in changed
        if key not in ("filter", "filter_digest", "sign")
    ]
    if "filter_digest" in changed:  # the text of two filters may be the same, shortened
        differences.append(f"filter: {before.get('filter')} then, {now['filter']} now")
    if differences:
        msg = (
            f"collection {spec.name} was built from other arguments ({'; '.join(differences)}); "
            "update=True brings it up to date by the new work only, force=True builds it anew, "
            "another name keeps both"
        )
        raise ConfigError(msg)
    return True
