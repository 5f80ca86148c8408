"""Parts of a Grafana dashboard as JSON values: targets, panels, variables. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

CLICKHOUSE: Final = {"type": "grafana-clickhouse-datasource", "uid": "counterpoise-clickhouse"}
PROMETHEUS: Final = {"type": "prometheus", "uid": "counterpoise-prometheus"}
SCHEMA_VERSION: Final = 39
COLUMNS: Final = 24
"""Width of a dashboard in Grafana's units."""

Json = dict[str, Any]


def sql(statement: str, *, table: bool = False, name: str = "A") -> Json:
    """A statement for the official ClickHouse data source: a table, or series with a time column."""
    return {
        "refId": name,
        "datasource": CLICKHOUSE,
        "editorType": "sql",
        "queryType": "table" if table else "timeseries",
        "format": 1 if table else 0,
        "rawSql": " ".join(statement.split()),
    }


def promql(expression: str, legend: str = "", *, name: str = "A", instant: bool = False) -> Json:
    """An expression for Prometheus."""
    return {
        "refId": name,
        "datasource": PROMETHEUS,
        "expr": expression,
        "legendFormat": legend or "__auto",
        "instant": instant,
        "range": not instant,
    }


@dataclass(frozen=True, slots=True)
class GrafanaPanel:
    """One panel. `width` and `height` are in Grafana's units; `line` is a threshold that is drawn or colours the value."""

    kind: str
    title: str
    about: str
    targets: Sequence[Json]
    width: int = 12
    height: int = 8
    unit: str = "short"
    decimals: int | None = None
    line: float | None = None

    def json(self, number: int, x: int, y: int) -> Json:
        """The panel at a place."""
        defaults: Json = {"unit": self.unit, "custom": {"lineWidth": 1, "fillOpacity": 0, "spanNulls": True}}
        if self.kind != "timeseries":
            del defaults["custom"]
        if self.decimals is not None:
            defaults["decimals"] = self.decimals
        if self.line is not None:
            steps = [{"color": "blue", "value": None}, {"color": "red", "value": self.line}]
            defaults["thresholds"] = {"mode": "absolute", "steps": steps}
            if self.kind == "timeseries":
                defaults["custom"]["thresholdsStyle"] = {"mode": "dashed"}
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.about,
            "datasource": self.targets[0]["datasource"],
            "gridPos": {"h": self.height, "w": self.width, "x": x, "y": y},
            "targets": list(self.targets),
            "fieldConfig": {"defaults": defaults, "overrides": []},
            "options": _options(self.kind),
        }


def _options(kind: str) -> Json:
    if kind == "stat":
        return {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "colorMode": "value"}
    if kind == "timeseries":
        return {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    return {"showHeader": True}


def choice(name: str, values: Iterable[object], first: object, label: str) -> Json:
    """A variable with a fixed list of values."""
    texts = [str(value) for value in values]
    options = [{"text": text, "value": text, "selected": text == str(first)} for text in texts]
    return {
        "type": "custom",
        "name": name,
        "label": label,
        "query": ",".join(texts),
        "current": {"text": str(first), "value": str(first), "selected": True},
        "options": options,
        "multi": False,
        "includeAll": False,
    }


def queried(name: str, statement: str, first: str, label: str) -> Json:
    """A variable whose values a statement lists."""
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": CLICKHOUSE,
        "query": " ".join(statement.split()),
        "current": {"text": first, "value": first, "selected": True},
        "refresh": 1,
        "sort": 0,
        "multi": False,
        "includeAll": False,
    }


def labelled(name: str, metric: str, first: str, label: str) -> Json:
    """A variable with the values that the label of its name has on a metric of Prometheus."""
    return queried(name, f"label_values({metric}, {name})", first, label) | {"datasource": PROMETHEUS}


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One dashboard; its file has its name."""

    name: str
    title: str
    about: str
    panels: Sequence[GrafanaPanel]
    variables: Sequence[Json] = ()
    begins: str = "now-30d"

    def json(self) -> Json:
        """The whole document; panels stand in rows from left to right."""
        return {
            "uid": f"counterpoise-{self.name}",
            "title": self.title,
            "description": self.about,
            "tags": ["counterpoise"],
            "timezone": "utc",
            "schemaVersion": SCHEMA_VERSION,
            "editable": True,
            "refresh": "30s",
            "time": {"from": self.begins, "to": "now"},
            "templating": {"list": list(self.variables)},
            "panels": _placed(self.panels),
        }

    def text(self) -> str:
        """The file."""
        return json.dumps(self.json(), indent=1, ensure_ascii=False) + "\n"


def _placed(panels: Sequence[GrafanaPanel]) -> list[Json]:
    placed: list[Json] = []
    x = y = tallest = 0
    for number, panel in enumerate(panels, 1):
        if x + panel.width > COLUMNS:
            x, y, tallest = 0, y + tallest, 0
        placed.append(panel.json(number, x, y))
        x, tallest = x + panel.width, max(tallest, panel.height)
    return placed
