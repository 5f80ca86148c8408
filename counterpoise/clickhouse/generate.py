"""What follows from a file that somebody wrote: SQL and the table of metrics from the metric specs, the grants of
`sql/recipes/services.sql` from the tables, the list of named queries in docs/sql.md, and docs/settings.md.

`python -m counterpoise.clickhouse.generate` writes it (`make generate`); with `--check` it names what is not current and returns 1.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from counterpoise.clickhouse.concentration_sql import MARK, generated_files
from counterpoise.clickhouse.named_queries import NamedQuery, named_queries
from counterpoise.clickhouse.schema import table_writers
from counterpoise.clickhouse.sql_files import sql_files, sql_root
from counterpoise.metrics.spec import MetricSpec
from counterpoise.metrics.specs.registry import SPECS
from counterpoise.settings.reference import reference

DOCS: Final = Path(__file__).resolve().parents[2] / "docs"

_GRANT_SELECT: Final = re.compile(r"^GRANT SELECT ON counterpoise\.\* TO counterpoise_(\w+);\n", re.MULTILINE)
_GRANT_INSERT: Final = re.compile(r"^GRANT INSERT ON counterpoise\.\w+ TO counterpoise_\w+;\n", re.MULTILINE)


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


def queries_table(queries: Iterable[NamedQuery]) -> str:
    """One row a named query, as Markdown."""
    cells = [(query.name, query.description.replace("|", "\\|")) for query in queries]
    return "\n".join(["| name | answers |", "|---|---|", *(f"| `{name}` | {answers} |" for name, answers in cells)])


def with_part(text: str, part: str, content: str) -> str:
    """A page with what stands between the marks of `part` replaced; ValueError where they are missing."""
    begin, end = f"<!-- {part}: written by `make generate` -->", f"<!-- {part} end -->"
    head, _, rest = text.partition(begin)
    _, _, tail = rest.partition(end)
    if not rest or not tail:
        raise ValueError(f"the page lacks the lines {begin} and {end}")
    return f"{head}{begin}\n{content}\n{end}{tail}"


def with_grants(text: str, writers: Mapping[str, Iterable[str]]) -> str:
    """The recipe of services with the right to INSERT of each, in the order of the tables' names."""

    def granted(match: re.Match[str]) -> str:
        tables = sorted(table for table, names in writers.items() if match[1] in names)
        return match[0] + "".join(
            f"GRANT INSERT ON counterpoise.{table} TO counterpoise_{match[1]};\n" for table in tables
        )

    return _GRANT_SELECT.sub(granted, _GRANT_INSERT.sub("", text))


def generated() -> dict[Path, str]:
    """Every generated file with its text."""
    methodology, queries, services = DOCS / "methodology.md", DOCS / "sql.md", sql_root() / "recipes" / "services.sql"
    files = {sql_root() / name: text for name, text in generated_files().items()}
    tables = {path.stem: path.read_text(encoding="utf-8") for path in sql_files("tables")}
    tables |= {path.stem: text for path, text in files.items() if path.parent.name == "tables"}
    return files | {
        methodology: with_part(methodology.read_text(encoding="utf-8"), "metrics", metrics_table()),
        queries: with_part(queries.read_text(encoding="utf-8"), "queries", queries_table(named_queries().values())),
        services: with_grants(services.read_text(encoding="utf-8"), table_writers(tables)),
        DOCS / "settings.md": reference(),
    }


def stale() -> list[Path]:
    """Generated files that differ from what they follow from, and files that bear the mark without being generated any more."""
    wanted = generated()
    differs = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    marked = [path for folder in ("tables", "views") for path in (sql_root() / folder).glob("*.sql")]
    return differs + [p for p in marked if p not in wanted and p.read_text(encoding="utf-8").startswith(MARK)]


def main(arguments: list[str]) -> int:
    """Write all; with `--check` write nothing and return 1 where something is not current."""
    found = stale()
    if arguments == ["--check"]:
        for path in found:
            sys.stderr.write(f"{path} is not what follows from the files that it is made from: run `make generate`\n")
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
