"""What each command does, given its parsed arguments."""

import json
import sys
from argparse import Namespace
from collections.abc import Mapping

from rasteret_assets.api import build_from_table, load
from rasteret_assets.cli.progress import progress_bar
from rasteret_assets.errors import ConfigError, RasteretAssetsError, WorkspaceError
from rasteret_assets.storage import Workspace


def import_table(options: Namespace) -> int:
    """Build a Collection, or bring it up to date, and say what it holds."""
    with progress_bar(quiet=options.json) as report:
        collection = build_from_table(
            options.record_table,
            options.name,
            filter_expr=options.filter,
            columns=options.columns,
            column_map=dict(options.map),
            enrich_cog=options.enrich,
            band_codes=options.bands,
            max_concurrent=options.max_concurrent,
            force=options.force,
            update=options.update,
            workspace_dir=options.workspace,
            base_uri=options.base_uri,
            sign=options.sign,
            retry=options.retry,
            report=report,
        )
    _show(options, collection.summary(), str(collection.describe()))
    return 0


def list_collections(options: Namespace) -> int:
    """List the Collections of the workspace, a line each."""
    workspace = Workspace(options.workspace)
    found = [_listed(name, options.workspace) for name in workspace.names()]
    text = "\n".join(line for line, _ in found) or f"no Collection in {workspace.root}"
    _show(options, [summary for _, summary in found], text)
    return 0


def _listed(name: str, workspace: str | None) -> tuple[str, Mapping[str, object]]:
    """Return what `list` says of one Collection, as a line and as JSON; of a damaged one, why."""
    try:
        one = load(name, workspace_dir=workspace)
        line = f"{name}  {len(one):,} records  {len(one.bands)} bands  {one.path}"
        return line, one.summary()
    except RasteretAssetsError as error:
        summary = {"name": name, "error": type(error).__name__, "message": str(error)}
        return f"{name}  cannot be opened: {error}", summary


def info(options: Namespace) -> int:
    """Say what one Collection holds."""
    collection = load(options.name, workspace_dir=options.workspace)
    _show(options, collection.summary(), str(collection.describe()))
    return 0


def delete(options: Namespace) -> int:
    """Remove a Collection and the stages behind it."""
    workspace = Workspace(options.workspace)
    if not workspace.has(options.name):
        msg = f"no collection {options.name} in {workspace.root}; there are {workspace.names()}"
        raise WorkspaceError(msg)
    if not options.yes:
        if not sys.stdin.isatty():
            msg = f"delete {options.name}: nobody to ask here; add --yes"
            raise ConfigError(msg)
        if not _agreed(f"delete {options.name} in {workspace.root}? [y/N] "):
            return 1
    workspace.delete(options.name)
    _show(options, {"deleted": options.name}, f"deleted {options.name}")
    return 0


def _agreed(question: str) -> bool:
    """Whether the answer is yes; the end of input (Ctrl-D) is none, and so is no."""
    try:
        return input(question).strip().lower() == "y"
    except EOFError:
        print()  # noqa: T201  # the question's line is open still
        return False


def _show(options: Namespace, value: object, text: str) -> None:
    print(json.dumps(value, default=str) if options.json else text)  # noqa: T201
