"""Whether contenders came to the same result: what is counted after the clock stopped."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from benchmarks.turns import Turn

Found = dict[str, int | float]


def found_in(records: Path, bands: tuple[str, ...]) -> Found:
    """Return sums over a stored Collection that differ as soon as a header does."""
    table = ds.dataset(records, partitioning="hive", format="parquet").to_table(
        columns=[f"{band}_metadata" for band in bands]
    )
    found: Found = {"rows": table.num_rows}
    for name in table.column_names:
        structs = table[name].combine_chunks()
        found[f"{name}: headers"] = len(structs) - structs.null_count
        for member in ("tile_offsets", "tile_byte_counts", "transform"):
            numbers = pc.list_flatten(pc.struct_field(structs, member))
            found[f"{name}: {member}"] = pc.sum(numbers.cast(pa.float64())).as_py() or 0
        found[f"{name}: width"] = pc.sum(pc.struct_field(structs, "image_width")).as_py() or 0
    return found


def check_agreement(workspace: Path, labels: Sequence[str], bands: tuple[str, ...]) -> None:
    """Stop unless the Collections of all `labels` hold the same."""
    found = {label: found_in(workspace / label / "bench_records", bands) for label in labels}
    first, *rest = labels
    for label in rest:
        differing = {
            key: (value, found[label].get(key))
            for key, value in found[first].items()
            if found[label].get(key) != value
        }
        if differing:
            msg = f"{first} and {label} disagree: {differing}"
            raise SystemExit(msg)
    print(f"  all agree: {found[first]}")


def check_pixels(results: Mapping[str, Sequence[Turn]]) -> None:
    """Stop unless all runs of all contenders came to the same pixels: the `count` of a turn."""
    told = {label: sorted({turn.count for turn in turns}) for label, turns in results.items()}
    if len({count for counts in told.values() for count in counts}) > 1:
        msg = f"contenders disagree: {told}"
        raise SystemExit(msg)
    print("  all agree")
