"""All measurements, one after another: `make bench`.

    .venv/bin/python -m benchmarks [--long]

Some minutes; with --long, an hour: 50,000 rows for rasteret too, a million rows for memory,
and patches against TorchGeo.
"""

import argparse

from benchmarks import (
    areas,
    headers,
    imports,
    local,
    memory,
    nochange,
    orchestration,
    points,
    shared,
    signed,
    tables,
    torchgeo,
    workers,
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", action="store_true")
    long = parser.parse_args().long
    tables.measure(50_000, 5)
    headers.measure(1_000, 5, ["ours", "rasteret", "GDAL", "bare", "bare uvloop"])
    if long:
        headers.measure(50_000, 1, ["ours", "rasteret", "GDAL"])
    headers.measure(50_000, 3, ["ours", "bare", "bare uvloop"])
    signed.measure(5_000, 3)
    shared.measure(5_000, 3)
    workers.measure(20_000, 3)
    imports.measure(9)
    for bands in (["B04"], ["B04", "B08"]):
        areas.measure(bands, 5, ["ours", "rasteret", "GDAL", "floor"])
    points.measure(5)
    points.measure_gaps(3)
    local.measure(9)
    if long:  # it installs PyTorch
        torchgeo.measure(256, 3, 0)
        torchgeo.measure(256, 3, 2)
        orchestration.measure(100_000, 3)
        nochange.measure(1_000_000, 100, 3)
    memory.measure([100_000, 1_000_000] if long else [20_000, 100_000])


if __name__ == "__main__":
    main()
