"""The symptoms of docs/runbook.md, and whether what a test provoked is what the page shows.

Each entry under "Incidents" begins with its heading in bold. The text that an operator sees is in code spans of the heading, or in
those after "Shown:". An ellipsis there stands for any text. A test that provokes a symptom calls `assert_shown` with words of
its heading; tests/docs/test_runbook.py finds these calls, and fails for a symptom without one.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

RUNBOOK: Final = Path(__file__).resolve().parents[1] / "docs" / "runbook.md"

_ENTRY: Final = re.compile(r"^\*\*(.+?)\*\*(.*?)(?=^\*\*|\Z)", re.MULTILINE | re.DOTALL)
_SPAN: Final = re.compile(r"`([^`]+)`")
_SHOWN: Final = re.compile(r"Shown: ((?:`[^`]+`(?:,? (?:or |and )?)?)+)")


@dataclass(frozen=True, slots=True)
class Symptom:
    """`heading` without its marks; `shown`: every text of it that is printed where the symptom is there."""

    heading: str
    shown: tuple[str, ...]

    def is_in(self, printed: str) -> bool:
        """Whether each of the texts stands in what was printed; white space counts as one blank."""
        plain = " ".join(printed.split())
        return all(_pattern(text).search(plain) for text in self.shown)


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*?".join(re.escape(part.strip()) for part in " ".join(text.split()).split("…")))


@cache
def symptoms() -> tuple[Symptom, ...]:
    """Every entry under "Incidents", in its order."""
    return parse(RUNBOOK.read_text(encoding="utf-8"))


def parse(page: str) -> tuple[Symptom, ...]:
    """The entries of a page."""
    incidents = page.partition("\n## Incidents\n")[2].partition("\n## ")[0]
    found = []
    for heading, body in _ENTRY.findall(incidents):
        spans = [span for span in _SPAN.findall(heading) if span != "status"]
        after = [span for spans in _SHOWN.findall(" ".join(body.split())) for span in _SPAN.findall(spans)]
        found.append(Symptom(" ".join(heading.replace("`", "").rstrip(".").split()), (*spans, *after)))
    return tuple(found)


def symptom(words: str) -> Symptom:
    """The one symptom whose heading contains these words."""
    [found] = [one for one in symptoms() if words in one.heading]
    return found


def assert_shown(words: str, printed: str) -> None:
    """What was printed contains what the runbook shows for the symptom."""
    one = symptom(words)
    assert one.is_in(printed), f"the runbook shows {one.shown} for {one.heading!r}; printed was:\n{printed}"


def status_text(state_dir: Path, environment: dict[str, str]) -> str:
    """What `counterpoise status` prints for these settings."""
    import os
    from unittest import mock

    from counterpoise.runtime.clock import SystemClock
    from counterpoise.settings.model import Settings
    from desk.cli.console import Console
    from desk.cli.status import render
    from desk.supervise.health import collect

    named = {name: value for name, value in environment.items() if name.startswith("COUNTERPOISE_")}
    with mock.patch.dict(os.environ, named | {"COUNTERPOISE_STATE_DIR": str(state_dir)}):
        settings = Settings.load()
    text = io.StringIO()
    Console(file=text, width=400, color_system=None).print(render(collect(settings, SystemClock())))
    return text.getvalue()
