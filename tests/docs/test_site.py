"""The documentation site: each page has a place in its navigation, and links to source files become paths."""

from __future__ import annotations

import doctest
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def hooks() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_site_script", ROOT / "scripts" / "docs_site.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pages_of(navigation: Any) -> list[str]:
    """Every page that a navigation names, in its order."""
    if isinstance(navigation, str):
        return [navigation]
    parts = navigation.values() if isinstance(navigation, dict) else navigation
    return [page for part in parts for page in pages_of(part)]


def test_every_page_is_in_the_navigation_once() -> None:
    document = yaml.safe_load((ROOT / "properdocs.yml").read_text(encoding="utf-8"))
    assert sorted(pages_of(document["nav"])) == sorted(path.name for path in (ROOT / "docs").glob("*.md"))


def test_the_start_page_links_to_every_other() -> None:
    start = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"index.md", "demo.md"}
    assert {page for page in pages if f"({page})" not in start} == set()


def test_links_to_source_files_become_paths(hooks: ModuleType) -> None:
    assert doctest.testmod(hooks).failed == 0
    fenced = "```sh\n[x](../a.py)\n```\n[y](../a.py)\n```\n[z](../b.py)\n```\n"
    assert (
        hooks.without_source_links(fenced, "x.md") == "```sh\n[x](../a.py)\n```\ny (`a.py`)\n```\n[z](../b.py)\n```\n"
    )
    assert hooks.title_of(ROOT / "docs" / "decisions" / "0031-the-outbox-is-the-rows.md")
