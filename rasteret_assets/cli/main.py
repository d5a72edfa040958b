"""Arguments in, exit code out: 0 done, 1 failed, 2 misused."""

import argparse
import json
import sys
from collections.abc import Sequence

from rasteret_assets.cli.commands import delete, import_table, info, list_collections
from rasteret_assets.contract.settings import FetchSettings, Retry
from rasteret_assets.errors import ConfigError, RasteretAssetsError

FAILED, MISUSED, INTERRUPTED = 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; results on stdout, talk on stderr."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except ConfigError as error:
        return _fail(options, error, MISUSED)
    except RasteretAssetsError as error:
        return _fail(options, error, FAILED)
    except KeyboardInterrupt:
        print("interrupted; what is done is kept, the same command goes on", file=sys.stderr)  # noqa: T201
        return INTERRUPTED


def _fail(options: argparse.Namespace, error: RasteretAssetsError, code: int) -> int:
    if options.json:
        print(json.dumps({"error": type(error).__name__, "message": str(error)}))  # noqa: T201
    else:
        print(f"rasteret-assets: {error}", file=sys.stderr)  # noqa: T201
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rasteret-assets", description="Keep GeoTIFF archives one query away."
    )
    rooms = parser.add_subparsers(required=True, metavar="COMMAND")
    collections = rooms.add_parser("collections", help="build, look at and remove Collections")
    commands = collections.add_subparsers(required=True, metavar="COMMAND")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--workspace",
        metavar="DIR",
        help="folder or URL; default $RASTERET_WORKSPACE, else ~/rasteret_workspace",
    )
    common.add_argument("--json", action="store_true", help="one JSON value on stdout")
    _import_parser(
        commands.add_parser("import", parents=[common], help="build one from a record table")
    )
    shown = commands.add_parser("list", parents=[common], help="the Collections of the workspace")
    shown.set_defaults(run=list_collections)
    told = commands.add_parser("info", parents=[common], help="what a Collection holds")
    told.add_argument("name", metavar="NAME", help="its name, folder or URL")
    told.set_defaults(run=info)
    gone = commands.add_parser(
        "delete", parents=[common], help="remove a Collection and its stages"
    )
    gone.add_argument("name", metavar="NAME")
    gone.add_argument("--yes", action="store_true", help="do not ask")
    gone.set_defaults(run=delete)
    return parser


def _import_parser(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="letters, digits, '.', '_' and '-'")
    parser.add_argument(
        "--record-table",
        metavar="URI",
        action="append",
        required=True,
        help="Parquet file, folder, glob or URL; may be given several times",
    )
    parser.add_argument("--filter", metavar="CQL2", help="e.g. 'eo:cloud_cover < 20'")
    parser.add_argument("--columns", metavar="A,B,…", type=_names, help="source columns to keep")
    parser.add_argument(
        "--map",
        metavar="YOURS=OURS",
        action="append",
        default=[],
        type=_pair,
        help="e.g. scene_id=id; may be given several times",
    )
    parser.add_argument("--enrich", action="store_true", help="fetch the header of every GeoTIFF")
    parser.add_argument("--bands", metavar="A,B,…", type=_names, help="asset keys to enrich")
    parser.add_argument("--base-uri", metavar="URI", help="what relative hrefs resolve against")
    parser.add_argument(
        "--sign", metavar="NAME", help="signer of hrefs that need it, e.g. planetary-computer"
    )
    parser.add_argument(
        "--max-concurrent",
        metavar="N",
        type=int,
        default=None,
        help=f"requests open at once (default: {FetchSettings().max_concurrent})",
    )
    parser.add_argument(
        "--retry",
        choices=[policy.value for policy in Retry],
        default=Retry.HEALABLE.value,
        help="with --update: which failed headers are asked for again (default: %(default)s)",
    )
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--update", action="store_true", help="do only the work that is new")
    again.add_argument("--force", action="store_true", help="build anew, headers included")
    parser.set_defaults(run=import_table)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _pair(text: str) -> tuple[str, str]:
    yours, found, ours = text.partition("=")
    if not (yours and found and ours):
        msg = f"{text!r} is not YOURS=OURS"
        raise argparse.ArgumentTypeError(msg)
    return yours, ours
