"""The table of docs/clients.md: its rows, and writing them from what a run found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.clients.programs import PROGRAMS, STEPS

FILE: Final = Path(__file__).parents[2] / "docs" / "clients.md"
BEGIN: Final = "<!-- The run writes this table: make test-clients. -->"
END: Final = "<!-- End of the table. -->"
_REFUSED: Final = "refused"

Found = dict[str, dict[str, dict[str, str]]]
"""Client to user to step: `yes`, `refused` (as it must be for the user), or `no`."""


def rows(found: Found, old: Mapping[str, str]) -> list[str]:
    """The table's lines. A client that did not run keeps its `old` line, or says so."""
    header = ["Client", "Version", "Protocol", *STEPS]
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    for name, program in PROGRAMS.items():
        if name not in found:
            lines.append(old.get(name, f"| {name} | | {program.protocol} |" + " not run |" * len(STEPS)))
            continue
        cells = [_cell([found[name][user].get(step, "no") for user in sorted(found[name])]) for step in STEPS]
        lines.append("| " + " | ".join([name, program.version(), program.protocol, *cells]) + " |")
    return lines


def _cell(outcomes: list[str]) -> str:
    if "no" in outcomes:
        return "no"
    return "yes" if _REFUSED not in outcomes else "yes; readers are refused"


def write(found: Found) -> None:
    text = FILE.read_text()
    before, _, rest = text.partition(BEGIN)
    table, _, after = rest.partition(END)
    old = {line.split("|")[1].strip(): line for line in table.splitlines() if line.startswith("| ")}
    FILE.write_text("\n".join([before + BEGIN, "", *rows(found, old), "", END + after]))
