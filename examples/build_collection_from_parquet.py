"""From a Parquet table of scenes to pixels, step by step.

    python examples/build_collection_from_parquet.py            # the demo archive, served here
    python examples/build_collection_from_parquet.py TABLE      # any table: a path or a URL
        [--name NAME] [--bands B04,B08] [--map yours=ours] [--where "eo:cloud_cover < 20"]
        [--area WEST,SOUTH,EAST,NORTH] [--workspace FOLDER]

Read it top to bottom: `main` is the five calls, the rest is the command line.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import rasteret_assets

HERE = Path(__file__).resolve().parents[1]
AREA = (77.55, 13.01, 77.58, 13.08)


def main() -> None:
    """Build, look, read."""
    options = parsed()
    with table_and_base(options.table) as (table, base_uri):
        # 1. Build. Rows are checked against the contract and set aside with a reason where they
        #    do not meet it; the header of every GeoTIFF is fetched once, in one request as a
        #    rule. A second call with the same arguments opens what is there.
        collection = rasteret_assets.build_from_table(
            table,
            options.name,
            enrich_cog=True,
            band_codes=options.bands,
            column_map=options.map,
            filter_expr=options.where,
            base_uri=base_uri,
            workspace_dir=options.workspace,
        )

        # 2. Look. What it holds, and what is wrong with the archive.
        print(collection.describe())
        for problem in collection.problems.slice(0, 5).to_pylist():
            print(f"  {problem['id']} {problem['band'] or ''}: {problem['code']}")

        # 3. Choose. Filters go down to the Parquet files; nothing is read yet.
        area = options.area
        some = collection.subset(bbox=area) if area else collection
        print(f"\n{len(some)} of {len(collection)} records touch the area {area}")
        if not area or not len(some):
            return

        # 4. Read pixels: only the tiles under the area, with no header request at all. Scenes that
        #    lack a band are invalid there, and told of in the attributes. A file that fails now
        #    stops the read; with on_error="skip" its scene would be left out, and told of as well.
        pixels = some.get_xarray(area, collection.bands[:2])
        print(f"\n{pixels}")

    # 5. It is Parquet: anything opens it.
    print(f"\nselect id, datetime from read_parquet('{collection.path}/*/*/*.parquet')")


@contextmanager
def table_and_base(table: str | None) -> Iterator[tuple[str, str | None]]:
    """Give the table to build from and what its hrefs count from; serve the demo meanwhile."""
    if table is not None:
        yield table, None
        return
    sys.path.insert(0, str(HERE))  # the demo is part of the checkout, not of the package
    from examples.demo_archive import generate  # noqa: PLC0415  # see the line above
    from examples.home import ARCHIVE, served_archive  # noqa: PLC0415

    items = generate(ARCHIVE)
    with served_archive() as url:
        yield str(items), url


def parsed() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", nargs="?", help="Parquet: a path, folder, glob or URL")
    parser.add_argument("--name", help="keep the Collection under this name")
    parser.add_argument("--bands", type=lambda text: text.split(","), help="default: all GeoTIFFs")
    parser.add_argument("--map", type=mapping, action="append", default=[], metavar="yours=ours")
    parser.add_argument("--where", help="CQL2 text in the table's column names")
    parser.add_argument("--area", type=box, metavar="WEST,SOUTH,EAST,NORTH")
    parser.add_argument("--workspace", help="default: ~/rasteret_workspace")
    options = parser.parse_args()
    options.map = dict(options.map)
    if options.table is None and options.area is None:
        options.area = AREA
    return options


def mapping(text: str) -> tuple[str, str]:
    """Return `yours=ours` as a pair."""
    yours, _, ours = text.partition("=")
    return yours, ours


def box(text: str) -> tuple[float, ...]:
    """Return four numbers."""
    return tuple(float(part) for part in text.split(","))


if __name__ == "__main__":
    main()
