"""Hooks of the documentation site (`make docs`; properdocs.yml names this file).

The pages are written for a reader of the repository: they link to source files, which a site does not have. Those links become the
path of the file. The decisions enter the navigation by their titles.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Any, Final

_LINK: Final = re.compile(r"\[([^\]\n]+)\]\((\.\./[^)\s]+)\)")
_FENCE: Final = re.compile(r"^(```|~~~)", re.MULTILINE)


def on_config(config: Any) -> Any:
    """The decisions, newest last, as a section of the navigation."""
    folder = Path(config["docs_dir"]) / "decisions"
    entries = [{title_of(path): f"decisions/{path.name}"} for path in sorted(folder.glob("[0-9]*.md"))]
    config["nav"] = [*config["nav"], {"Decisions": entries}]
    return config


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links out of docs/ become the path of their file."""
    return without_source_links(markdown, page.file.src_uri)


def title_of(path: Path) -> str:
    """The first heading of a page."""
    return next(
        line.removeprefix("# ") for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("# ")
    )


def without_source_links(markdown: str, page: str) -> str:
    """The page with each link that leaves docs/ as its text and the path from the root of the repository.

    >>> without_source_links("See [the rules](../alerts/rules.yaml) and [rows](tables.md).", "alerts.md")
    'See the rules (`alerts/rules.yaml`) and [rows](tables.md).'
    >>> without_source_links("[SQL](../sql.md) of [`hub.py`](../../desk/web/hub.py)", "decisions/0001-x.md")
    '[SQL](../sql.md) of `desk/web/hub.py`'
    """
    parts = _FENCE.split(markdown)
    # Outside of fences: the text before the first, and every second text after it (each fence mark is a part of its own).
    for at in range(0, len(parts), 4):
        parts[at] = _LINK.sub(lambda match: _replaced(match, page), parts[at])
    return "".join(parts)


def _replaced(match: re.Match[str], page: str) -> str:
    text, target = match[1], match[2].partition("#")[0]
    found = list(PurePosixPath("docs", page).parent.parts)
    for part in PurePosixPath(target).parts:
        if part == "..":
            found.pop()
        else:
            found.append(part)
    if found[0] == "docs":
        return match[0]
    path = "/".join(found)
    named = text.strip("`").rpartition("/")[2] == PurePosixPath(path).name
    return f"`{path}`" if named else f"{text} (`{path}`)"
