"""One source file among several that cannot be read, in Dagster's runs."""

from dataclasses import replace
from pathlib import Path

from rasteret_assets import build_from_table, load
from tests.assets.conftest import BANDS, Archive
from tests.assets.runs import Deployment, declared

FACTS = ["source_file", "source_row", "id", "band", "code", "detail"]


def test_a_run_goes_on_and_keeps_what_the_file_gave_before_as_python_does(
    deployment: Deployment, archive: Archive
) -> None:
    several = declared("demo", archive.folder, bands=BANDS)
    ours = replace(deployment, declared=several)
    archive.add(4, 7, "more.parquet")
    new = archive.folder / "new.parquet"
    new.write_bytes(b"PAR1 half written")

    assert ours.run(bands=BANDS).success

    first = load("demo", workspace_dir=ours.root)
    assert len(first) == 7
    assert first.problems["code"].to_pylist() == ["source_unreadable"]

    archive.gets()
    archive.add(7, 9, "new.parquet")
    (archive.folder / "more.parquet").write_bytes(b"")
    assert ours.run(bands=BANDS).success

    second = load("demo", workspace_dir=ours.root)
    assert len(second) == 9
    assert archive.gets() == 2 * len(BANDS)
    (problem,) = second.problems.to_pylist()
    assert Path(problem["source_file"]).name == "more.parquet"
    before = second.problems.select(FACTS)

    theirs = build_from_table(
        archive.folder,
        "demo",
        enrich_cog=True,
        band_codes=BANDS,
        workspace_dir=ours.root,
        update=True,
    )
    assert len(theirs) == 9
    assert theirs.problems.select(FACTS).equals(before)
    assert archive.gets() == 0

    archive.add(4, 7, "more.parquet")
    assert ours.run(bands=BANDS).success
    mended = load("demo", workspace_dir=ours.root)
    assert len(mended) == 9
    assert mended.problems.num_rows == 0


def test_a_run_over_files_of_which_none_can_be_read_fails_and_changes_nothing(
    deployment: Deployment, archive: Archive
) -> None:
    assert deployment.run(bands=BANDS).success
    (archive.folder / "items.parquet").write_bytes(b"")
    assert not deployment.run(bands=BANDS).success
    assert len(load("demo", workspace_dir=deployment.root)) == 4
