"""No Markdown page of the repository points at a file or heading that is not there."""

import subprocess
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.anchors import anchors_plugin

from tests.conftest import ROOT


def tracked(*patterns: str) -> list[Path]:
    """Files git knows of, or would: untracked ones that are not ignored count too."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return sorted({ROOT / line for line in said.stdout.splitlines() if (ROOT / line).is_file()})


PAGES = tracked("*.md")


@cache
def tokens(page: Path) -> list[Token]:
    markdown = MarkdownIt("commonmark").enable("table").use(anchors_plugin, max_level=6)
    top = markdown.parse(page.read_text())
    return [*top, *(child for token in top for child in token.children or [])]


def anchors(page: Path) -> set[str]:
    return {str(token.attrs["id"]) for token in tokens(page) if "id" in token.attrs}


def links(page: Path) -> list[str]:
    found = (token.attrs.get("href") or token.attrs.get("src") for token in tokens(page))
    return [str(link) for link in found if link]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_within_the_repository_lead_somewhere(page: Path) -> None:
    dead = []
    for link in links(page):
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        if not target.exists() or not target.is_relative_to(ROOT):
            dead.append(f"{link}: no such file")
        elif parts.fragment and (
            target.suffix != ".md" or unquote(parts.fragment) not in anchors(target)
        ):
            dead.append(f"{link}: no such heading")
    assert dead == []


def test_a_dead_link_would_be_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# The `one` heading\n\n[a](gone.md) ![b](gone.png) [c](#the-one-heading)\n")
    assert links(page) == ["gone.md", "gone.png", "#the-one-heading"]
    assert anchors(page) == {"the-one-heading"}
