"""What follows from a file that somebody wrote: SQL and the table of metrics from the metric specs, the views of detectors from
their tracks, the grants of `sql/recipes/services.sql` from the tables, docs/settings.md, variable_names.txt, docs/rules.schema.json,
docs/schemas, the topics of docs/topics.md, the signals of docs/rules.md, and the dashboards of deploy/grafana.

`make generate` writes it, with the pages that need more than the kernel (`scripts/generate.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from alerts.rules.rules_schema import schema_text
from alerts.signals.signal import Signal
from alerts.signals.specs.signal_registry import SIGNALS
from counterpoise.clickhouse.concentration_sql import WRITTEN, generated_files
from counterpoise.clickhouse.detector_sql import detector_files
from counterpoise.clickhouse.schema import table_writers
from counterpoise.clickhouse.sql_files import sql_files, sql_root
from counterpoise.contracts import topic_schemas
from counterpoise.contracts.topics import TOPICS
from counterpoise.metrics.spec import MetricSpec
from counterpoise.metrics.specs.metric_registry import SPECS
from counterpoise.runtime.service_metrics import GAUGES, LATENCIES
from desk.grafana.dashboards import files as files_of_grafana
from desk.settings_reference import reference, variable_names
from desk.strange_variables import NAMES

DOCS: Final = Path(__file__).resolve().parents[1] / "docs"
GRAFANA: Final = DOCS.parent / "deploy" / "grafana" / "dashboards"

_GRANT_SELECT: Final = re.compile(r"^GRANT SELECT ON counterpoise\.\* TO counterpoise_(\w+);\n", re.MULTILINE)
_GRANT_INSERT: Final = re.compile(r"^GRANT INSERT ON counterpoise\.\w+ TO counterpoise_\w+;\n", re.MULTILINE)


def metrics_table(specs: Mapping[str, MetricSpec] = SPECS) -> str:
    """One row per metric, as Markdown."""
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


def signals_table(signals: Mapping[str, Signal] = SIGNALS) -> str:
    """One row per signal that is no metric, as Markdown."""
    rows = ["| signal | what | range |", "|---|---|---|"]
    rows += [
        f"| `{signal.name}`{' with `pool`' if signal.per_pool else ''} | {signal.comment} | {signal.range} |"
        for signal in signals.values()
        if signal.metric is None
    ]
    return "\n".join(rows)


def with_part(text: str, part: str, content: str) -> str:
    """A page with what stands between the marks of `part` replaced; ValueError where they are missing."""
    begin, end = f"<!-- {part}: written by `make generate` -->", f"<!-- {part} end -->"
    head, _, rest = text.partition(begin)
    _, _, tail = rest.partition(end)
    if not rest or not tail:
        raise ValueError(f"the page lacks the lines {begin} and {end}")
    return f"{head}{begin}\n{content}\n{end}{tail}"


def gauges_table() -> str:
    """The numbers of services that `/metrics` has, for the runbook."""
    rows = (f"| `counterpoise_{metric}` | `{name}` | {text} |" for name, (metric, text) in GAUGES.items())
    return "\n".join(["| Metric | in `status --json` | Meaning |", "|---|---|---|", *rows])


def steps_table() -> str:
    """The steps of a live block whose latency `/metrics` has, for the runbook."""
    rows = (
        f"| `{step}` | {service} | {text} |" for service, steps in LATENCIES.items() for step, text in steps.items()
    )
    return "\n".join(["| `step` | service | Time |", "|---|---|---|", *rows])


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
    methodology, services = DOCS / "methodology.md", sql_root() / "recipes" / "services.sql"
    runbook, topics = DOCS / "runbook.md", DOCS / "topics.md"
    rules = DOCS / "rules.md"
    files = {sql_root() / name: text for name, text in (generated_files() | detector_files()).items()}
    tables = {path.stem: path.read_text(encoding="utf-8") for path in sql_files("tables")}
    tables |= {path.stem: text for path, text in files.items() if path.parent.name == "tables"}
    return files | {
        methodology: with_part(methodology.read_text(encoding="utf-8"), "metrics", metrics_table()),
        rules: with_part(rules.read_text(encoding="utf-8"), "signals", signals_table()),
        services: with_grants(services.read_text(encoding="utf-8"), table_writers(tables)),
        runbook: with_part(
            with_part(runbook.read_text(encoding="utf-8"), "gauges", gauges_table()), "steps", steps_table()
        ),
        DOCS / "settings.md": reference(),
        NAMES: variable_names(),
        DOCS / "rules.schema.json": schema_text(),
        topics: with_part(topics.read_text(encoding="utf-8"), "topics", topic_schemas.topics_table()),
        **{DOCS / "schemas" / f"{topic.name}.schema.json": topic_schemas.schema_text(topic) for topic in TOPICS},
        **{GRAFANA / name: text for name, text in files_of_grafana().items()},
    }


def stale(wanted: Mapping[Path, str]) -> list[Path]:
    """Files that differ from what they follow from, and files that bear the mark without being generated any more."""
    differs = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    marked = [path for folder in ("tables", "views") for path in (sql_root() / folder).glob("*.sql")]
    return differs + [p for p in marked if p not in wanted and p.read_text(encoding="utf-8").startswith(WRITTEN)]
