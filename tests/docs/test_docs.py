"""What exists is written down: commands, settings, metrics, tables, queries, rule types, crash points' services, links."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from alerts.rules.rule_types import RULE_TYPES
from counterpoise.clickhouse.sql_files import sql_files
from counterpoise.metrics.specs.metric_registry import SPECS
from desk.cli.lazy_group import load
from desk.cli.root import ENTRIES
from desk.settings_reference import reference

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)

LINKED = [*PAGES, ROOT / "CHANGELOG.md"]
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")
"""A link within the repository: its file, empty for the page itself, and its heading."""


def headings(page: Path) -> set[str]:
    """The names by which links reach the headings of a page: small letters, without punctuation, spaces as hyphens."""
    text = re.sub(r"(?ms)^ *```.*?^ *```", "", page.read_text(encoding="utf-8"))
    titles = re.findall(r"(?m)^#+ +(.+?) *$", text)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def commands() -> list[str]:
    """Every command as a person types it."""
    found = []
    for name, entry in ENTRIES.items():
        command = load(name, entry)
        if isinstance(command, click.Group) or hasattr(command, "commands"):
            found += [f"{name} {sub}" for sub in command.commands]
        else:
            found.append(name)
    return found


@pytest.mark.parametrize("command", commands())
def test_every_command_is_in_the_docs(command: str) -> None:
    assert f"counterpoise {command}" in TEXT, f"no page mentions `counterpoise {command}`"


def test_the_settings_reference_is_current() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert page == reference(), "run `make generate`"


@pytest.mark.parametrize("rule_type", sorted(RULE_TYPES))
def test_every_rule_type_is_in_the_rules_page(rule_type: str) -> None:
    assert f"`{rule_type}`" in (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("query", sorted(path.stem for path in (ROOT / "sql" / "queries").glob("*.sql")))
def test_every_named_query_is_in_the_docs(query: str) -> None:
    assert query in TEXT


@pytest.mark.parametrize("page", ["methodology.md", "tables.md"])
@pytest.mark.parametrize("metric", SPECS)
def test_every_metric_is_in_the_docs(metric: str, page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert re.search(rf"(?m)^\| `?{metric}`? \|", text), f"{page} has no row of {metric}: run `make generate`"


@pytest.mark.parametrize("page", LINKED, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target, heading in LINK.findall(page.read_text(encoding="utf-8")):
        found = page.parent / target if target else page
        assert found.exists(), f"{page.name} links to {target}, which is not there"
        if heading and found.suffix == ".md":
            assert heading in headings(found), f"{page.name} links to {target}#{heading}, and no heading has this name"


def test_migrations_are_packaged_in_order() -> None:
    numbers = [path.name[:4] for path in sql_files("migrations")]
    assert numbers == sorted(set(numbers))


def test_commands_of_the_readme_exist() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in re.findall(r"(?m)^ +(?:\.venv/bin/)?counterpoise ([a-z]+)", readme):
        assert name in ENTRIES


def test_decisions_are_numbered_once() -> None:
    numbers = [path.name[:4] for path in (ROOT / "docs" / "decisions").glob("*.md")]
    assert len(numbers) == len(set(numbers))
