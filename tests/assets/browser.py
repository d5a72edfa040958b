"""Debian's Chromium, driven by Playwright, and the pictures it takes."""

import io
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Error, Locator, Page, ViewportSize, expect, sync_playwright

from tests.conftest import ROOT, require

PICTURES_VARIABLE = "RASTERET_ASSETS_SCREENSHOTS"
"""Names the folder that `make screenshots` writes to."""
ANSWERS_MS = 90_000
"""Milliseconds that a page may take to show what it should, on a busy machine."""
_SIZE = ViewportSize(width=1280, height=800)
_STILL_MS = 1_000
"""Milliseconds without a change after which a page is thought to be complete."""
_COLOURS = 256
_ARGUMENTS = (
    "--no-sandbox",  # tests may run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_NO_INVITATION = "localStorage.setItem('communityNux', '1')"
"""Dagster asks newcomers to sign up, over whatever they wanted to see."""


@contextmanager
def chromium() -> Iterator[Page]:
    """Start Chromium meanwhile; gives a page whose waits are patient.

    What it shows when a test fails is kept beside the other pictures, as failed.png.
    """
    found = shutil.which("chromium")
    require(found is not None, "no chromium; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(_ARGUMENTS))
        page = browser.new_page(viewport=_SIZE)
        page.set_default_timeout(ANSWERS_MS)
        expect.set_options(timeout=ANSWERS_MS)
        page.add_init_script(_NO_INVITATION)
        try:
            yield page
        except (AssertionError, Error):
            page.screenshot(path=_folder() / "failed.png")
            raise
        finally:
            browser.close()


def photograph(page: Page, name: str) -> Path:
    """Write what the page shows, once nothing on it is still loading; return the PNG's path."""
    for sign in (page.locator("[class*=pinner]"), page.get_by_text("Loading")):
        expect(sign.filter(visible=True)).to_have_count(0)
    seen = Image.open(io.BytesIO(_still(page))).convert("RGB")
    path = _folder() / f"{name}.png"
    seen.quantize(_COLOURS, Image.Quantize.MEDIANCUT).save(path, optimize=True)
    return path


def metadata(page: Page, label: str) -> Locator:
    """Return the value beside `label` in a table of metadata."""
    name = page.locator("td:first-child").get_by_text(label, exact=True)
    return page.locator("tr", has=name).last.locator("> td").nth(1)


def drawn_width(picture: Locator) -> int:
    """Return how many pixels wide an image is, 0 if the browser could not draw it."""
    picture.evaluate("image => image.decode()")
    return int(picture.evaluate("image => image.naturalWidth"))


def _folder() -> Path:
    folder = Path(os.environ.get(PICTURES_VARIABLE, ROOT / ".artefacts"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _still(page: Page) -> bytes:
    """Return a screenshot that the next one, a little later, is equal to."""
    ends = time.monotonic() + ANSWERS_MS / 1000
    seen = page.screenshot()
    while True:
        page.wait_for_timeout(_STILL_MS)
        if (again := page.screenshot()) == seen:
            return seen
        assert time.monotonic() < ends, "the page does not come to rest"
        seen = again
