"""Dagster's UI in a real browser: bands are materialized by hand, and what came of it is seen.

The pictures it takes are kept in .artefacts/; `make screenshots` makes those of the README.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Page, expect

from examples.demo_archive import MISSING, TABLE, generate
from examples.serve import serving
from tests.assets.browser import chromium, drawn_width, metadata, photograph
from tests.assets.projects import Project, own_project
from tests.assets.ui import Ui, dagster_dev, wait_until

GROUP = "locations/__repository__@rasteret_assets/asset-groups/demo"
RUN_S = 200
"""Seconds a run may take from the click that asks for it, on a busy machine."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(tmp_path_factory.mktemp("demo", numbered=False) / "archive").parent


@pytest.fixture
def demo(archive: Path) -> Iterator[Project]:
    """The demo as `make ui` has it, with all of its bands but two."""
    with serving(archive) as url:
        project = own_project(
            archive.parent,
            {
                "RASTERET_ASSETS_DEPLOYMENT": "local",
                "RASTERET_ASSETS_DEMO_TABLE": str(archive / TABLE),
                "RASTERET_ASSETS_DEMO_URL": url,
            },
        )
        run = project.materialize("group:demo", "--partition-range", "B11...blue")
        assert run.returncode == 0, run.stderr[-4000:]
        yield project


def test_a_band_is_materialized_and_its_metadata_checks_and_map_are_seen(
    demo: Project, archive: Path
) -> None:
    scene, band = MISSING
    rows = pq.read_metadata(archive / TABLE).num_rows
    headers = len(list(archive.glob(f"*/{band}.tif")))
    with dagster_dev(demo) as ui, chromium() as page:
        page.goto(f"{ui.url}/assets/demo/band_headers")
        page.get_by_role("button", name="Hide navigation").click()
        launch(page, ui, band)
        page.goto(f"{ui.url}/assets/demo/band_headers?view=checks")
        page.get_by_text("header_coverage").first.click()
        expect(page.locator("tr", has_text=scene).first).to_be_visible()
        photograph(page, "checks")

        page.goto(f"{ui.url}/{GROUP}")
        launch(page, ui, "B04")
        page.goto(f"{ui.url}/assets/demo/band_headers?view=partitions&partition={band}")
        expect(metadata(page, "dagster/partition_row_count")).to_have_text(str(rows))
        expect(metadata(page, "headers")).to_have_text(str(headers))
        expect(metadata(page, "coverage")).to_have_text(str(headers / rows))
        expect(metadata(page, "problems")).to_have_text(str(rows - headers))
        expect(metadata(page, "problem_examples")).to_contain_text(scene)
        photograph(page, "band")
        look_at_the_collection(page, ui, rows)
        look_at_the_graph(page, ui)


def launch(page: Page, ui: Ui, band: str) -> None:
    """Materialize one band of what the page shows, by its buttons, and see that succeed."""
    before = len(ui.runs())
    page.get_by_role("button", name=re.compile("Materialize")).click()
    dialog = page.get_by_role("dialog").filter(has_text="Partition selection")
    dialog.get_by_text("Select a partition").click()
    page.get_by_role("menuitem").filter(has_text=band).click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("menuitem")).to_have_count(0)
    dialog.get_by_role("button", name=re.compile("Launch")).click()
    expect(dialog).to_have_count(0)
    wait_until(lambda: len(ui.runs()) == before + 1, RUN_S, ui.runs)
    page.goto(f"{ui.url}/runs")
    done = page.get_by_text("Success", exact=True)
    expect(done).to_have_count(before + 1, timeout=RUN_S * 1000)
    assert ui.runs()[-1]["status"] == "SUCCESS"
    assert ui.runs()[-1]["tags"]["dagster/partition"] == band


def look_at_the_collection(page: Page, ui: Ui, rows: int) -> None:
    """See the Collection's rows, its bands' coverage, its checks, and its two pictures."""
    page.goto(f"{ui.url}/assets/demo/collection?view=checks")
    for check in ("bands_current", "geoparquet_valid", "readable", "records_complete"):
        expect(page.get_by_text(check).first).to_be_visible()
    expect(page.get_by_text("Succeeded", exact=True)).to_have_count(4)
    page.goto(f"{ui.url}/assets/demo/collection?view=events")
    expect(metadata(page, "dagster/row_count")).to_have_text(str(rows))
    for band in ("B04", "B08", "B11", "red", "green", "blue"):
        expect(metadata(page, "coverage")).to_contain_text(band)
    photograph(page, "collection")
    for label in ("quicklook", "footprints"):
        metadata(page, label).get_by_text("Show Markdown").click()
        picture = page.locator("img[src^='data:image/png']")
        assert drawn_width(picture) >= 300
        photograph(page, label)
        page.get_by_role("button", name="Close").click()
        expect(picture).to_have_count(0)


def look_at_the_graph(page: Page, ui: Ui) -> None:
    """See every stage of the collection in its group's graph."""
    page.goto(f"{ui.url}/{GROUP}")
    for stage in ("raw_table", "validated_table", "remapped_table", "band_headers", "collection"):
        expect(page.get_by_text(stage, exact=True).first).to_be_visible()
    photograph(page, "asset-graph")
