"""What is written from the metric specs: SQL under `sql/`, and the table of metrics in docs/methodology.md.

`python -m counterpoise.clickhouse.generate` writes it (`make generate`); with `--check` it names what is not current and returns 1.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from counterpoise.clickhouse.concentration_sql import MARK, generated_files
from counterpoise.clickhouse.sql_files import sql_root
from counterpoise.metrics.spec import MetricSpec
from counterpoise.metrics.specs.registry import SPECS

METHODOLOGY: Final = Path(__file__).resolve().parents[2] / "docs" / "methodology.md"
BEGIN: Final = "<!-- metrics: written by `make generate` -->"
END: Final = "<!-- metrics end -->"


def metrics_table(specs: Mapping[str, MetricSpec] = SPECS) -> str:
    """One row a metric, as Markdown."""
    rows = ["| column | what | formula | range | undefined | reference |", "|---|---|---|---|---|---|"]
    rows += [
        "| "
        + " | ".join(
            (f"`{spec.name}`", spec.comment, spec.formula, str(spec.range), spec.undefined, spec.reference)
        ).replace("|cᵢ", "\\|cᵢ")
        + " |"
        for spec in specs.values()
    ]
    return "\n".join(rows)


def methodology(text: str, specs: Mapping[str, MetricSpec] = SPECS) -> str:
    """The page with its table of metrics replaced; ValueError where the marks are missing."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    if not rest or not tail:
        raise ValueError(f"{METHODOLOGY} lacks the lines {BEGIN} and {END}")
    return f"{head}{BEGIN}\n{metrics_table(specs)}\n{END}{tail}"


def generated() -> dict[Path, str]:
    """Every generated file with its text."""
    files = {sql_root() / name: text for name, text in generated_files().items()}
    return files | {METHODOLOGY: methodology(METHODOLOGY.read_text(encoding="utf-8"))}


def stale() -> list[Path]:
    """Generated files that differ from what the specs say, and files that bear the mark without being generated any more."""
    wanted = generated()
    differs = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    marked = [path for folder in ("tables", "views") for path in (sql_root() / folder).glob("*.sql")]
    return differs + [p for p in marked if p not in wanted and p.read_text(encoding="utf-8").startswith(MARK)]


def main(arguments: list[str]) -> int:
    """Write all; with `--check` write nothing and return 1 where something is not current."""
    found = stale()
    if arguments == ["--check"]:
        for path in found:
            sys.stderr.write(f"{path} is not what the metric specs say: run `make generate`\n")
        return 1 if found else 0
    wanted = generated()
    for path in found:
        if path in wanted:
            path.write_text(wanted[path], encoding="utf-8")
        else:
            path.unlink()
        sys.stdout.write(f"wrote {path}\n" if path in wanted else f"removed {path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
