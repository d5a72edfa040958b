"""What signing costs: the same headers from `s3://`, each request signed (SigV4) or none.

    .venv/bin/python -m benchmarks.signed [--rows 5000] [--turns 3]

The server looks at no signature; that they are right is a matter of tests.
"""

import argparse

from benchmarks.agree import check_agreement
from benchmarks.files import write_files
from benchmarks.headers import FILES, WORK
from benchmarks.server import serving
from benchmarks.table import BANDS, write_table
from benchmarks.turns import Contender, report, take_turns

_KEYS = {"AWS_ACCESS_KEY_ID": "benchmark", "AWS_SECRET_ACCESS_KEY": "not-a-secret"}


def main() -> None:
    """Measure, check that results agree, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000)
    parser.add_argument("--turns", type=int, default=3)
    given = parser.parse_args()
    measure(given.rows, given.turns)


def measure(rows: int, turns: int) -> None:
    """Measure both on a table of `rows` rows."""
    names = write_files(WORK / "files", FILES)
    with serving(WORK / "files", WORK / "nginx") as server:
        table = str(write_table(WORK / f"signed-{rows}.parquet", rows, "s3://bench", names))
        arguments = {"table": table, "enrich": "yes"}
        place = {"AWS_ENDPOINT_URL_S3": server.url, "AWS_REGION": "us-west-2"}
        ways = {"unsigned": {"AWS_NO_SIGN_REQUEST": "YES"}, "signed": _KEYS}
        contenders = [
            Contender(label=label, script="ours", arguments=arguments, environment={**place, **way})
            for label, way in ways.items()
        ]
        results = take_turns(contenders, turns, WORK / "workspace", server)
        check_agreement(WORK / "workspace", list(ways), BANDS)
    headers = {
        label: [one.of(rows * len(BANDS)) for one in runs] for label, runs in results.items()
    }
    report(f"{rows:,} rows x {len(BANDS)} bands over s3, median of {turns}", headers, "headers")


if __name__ == "__main__":
    main()
