"""Every query of every dashboard on the embedded engine, with its variables filled in; every document against Grafana's schema."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.metrics.specs.metric_registry import SPECS
from counterpoise.runtime.prometheus import exposition
from counterpoise.runtime.service_metrics import GAUGES
from desk.grafana.dashboards import DASHBOARDS, files
from desk.grafana.panels import CLICKHOUSE, COLUMNS, PROMETHEUS
from desk.web.score_metrics import Scores, families

VERIFIES = [
    (
        "Grafana",
        "dashboard schema",
        "by shape",
        "our dashboards against the schema of its SDK; every query on the engine",
    ),
]

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "deploy" / "grafana"
FROM, TO = "2023-07-20", "2023-08-20"
"""The sample's blocks and alerts lie between these days."""


def documents() -> dict[str, dict[str, Any]]:
    return {
        path.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("dashboards/*.json"))
    }


DOCUMENTS = documents()


def test_the_files_are_what_the_code_makes() -> None:
    assert {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("dashboards/*.json")} == files()
    assert {dashboard.name for dashboard in DASHBOARDS} >= {"desk", "alerts", "line"}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_grafana_knows_every_field(name: str) -> None:
    """The SDK drops what its schema does not have, so a document that survives it whole has no such field."""
    document = DOCUMENTS[name]
    read = json.loads(json.dumps(Dashboard.from_json(document), cls=JSONEncoder))
    lost = [path for path, value in leaves(document) if (path, value) not in set_of(read)]
    assert lost == []


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}")
    elif isinstance(value, list) and value:
        for place, inner in enumerate(value):
            yield from leaves(inner, f"{path}[{place}]")
    else:
        yield path, json.dumps(value)


def set_of(document: Any) -> set[tuple[str, str]]:
    return set(leaves(document))


def filled(text: str, values: dict[str, str]) -> str:
    """A query as Grafana's ClickHouse data source sends it: its macros and the dashboard's variables written out."""
    text = re.sub(r"\$__timeInterval\(([^)]+)\)", r"toStartOfInterval(toDateTime(\1), INTERVAL 3600 second)", text)
    text = re.sub(r"\$__timeFilter\(([^)]+)\)", rf"\1 >= toDateTime('{FROM}') AND \1 <= toDateTime('{TO}')", text)
    text = re.sub(r"\$__dateFilter\(([^)]+)\)", rf"\1 >= toDate('{FROM}') AND \1 <= toDate('{TO}')", text)
    for name, value in values.items():
        text = re.sub(rf"\$(?:{name}\b|\{{{name}\}})", value, text)
    assert "$" not in text, text
    return text


def choices(document: dict[str, Any], ch: ClickHouse) -> Iterator[dict[str, str]]:
    """Every combination of the variables, as a person can choose it; queried ones are listed by their own query."""
    fixed = {v["name"]: v["query"].split(",") for v in document["templating"]["list"] if v["type"] == "custom"}
    queried = [v for v in document["templating"]["list"] if v["type"] == "query"]
    for values in itertools.product(*fixed.values()):
        chosen = dict(zip(fixed, values, strict=True))
        listed: dict[str, list[str]] = {}
        for variable in queried:
            first = {name: found[0] for name, found in listed.items() if found}
            asked = filled(variable["query"], chosen | first | {"chain": "bitcoin"})
            rows = ch.query(asked) if variable["datasource"] == CLICKHOUSE else []
            listed[variable["name"]] = [str(value) for (value,) in rows] or [variable["current"]["value"]]
        for more in itertools.product(*(found[:2] for found in listed.values())):
            yield chosen | dict(zip(listed, more, strict=True))


def queries(kind: str) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (name, panel["title"], target)
        for name, document in DOCUMENTS.items()
        for panel in document["panels"]
        for target in panel["targets"]
        if target["datasource"]["type"] == kind
    ]


SQL = queries("grafana-clickhouse-datasource")
EMPTY = {"Asymmetry L by treatment", "Asymmetry now", "Open alerts"}
"""The sample has no AI side, and its alerts are closed."""


@pytest.fixture(scope="module")
def chosen(sample: ClickHouse) -> dict[str, list[dict[str, str]]]:
    """What a person can choose on each dashboard."""
    return {name: list(choices(document, sample)) for name, document in DOCUMENTS.items()}


@pytest.mark.parametrize(("name", "title", "target"), SQL, ids=[f"{name}-{title}" for name, title, _ in SQL])
def test_a_query_answers_for_every_choice(
    sample: ClickHouse, chosen: dict[str, list[dict[str, str]]], name: str, title: str, target: dict[str, Any]
) -> None:
    rows = runs = 0
    # A query without one of the variables is the same for each of its choices.
    for sql in dict.fromkeys(filled(target["rawSql"], values) for values in chosen[name]):
        heads: list[tuple[str, str]] = []
        for names, columns in sample.stream(sql):
            heads = heads or names
            rows += len(columns[0]) if columns else 0
        runs += 1
        assert heads
        if target["queryType"] == "timeseries":
            assert heads[0][0] == "time" and heads[0][1].startswith("DateTime"), heads
            assert target["format"] == 0
    assert runs
    assert (rows > 0) != (title in EMPTY), rows


ALL_CHAINS = {"firing now", "open now", "Steps of alerts by state"}
"""They count alerts of every chain, on a dashboard without a variable for it."""


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_panel_is_of_the_chosen_chain_or_names_each(sample: ClickHouse, name: str) -> None:
    """A table or metric with a chain is filtered by the dashboard's variable. Without one, each row or line names its chain."""
    with_chain = "SELECT DISTINCT table FROM system.columns WHERE database = currentDatabase() AND name = 'chain'"
    named = {str(table) for (table,) in sample.query(with_chain)}
    named |= {family.name for family in families(ONE_ROW_EACH) for one in family.samples if "chain" in one.labels}
    named |= {"counterpoise_published_height", "counterpoise_last_height"}
    chosen = {variable["name"] for variable in DOCUMENTS[name]["templating"]["list"]}
    seen = 0
    for panel in DOCUMENTS[name]["panels"]:
        for target in panel["targets"]:
            text = target.get("rawSql") or target["expr"]
            words = set(re.findall(r"\w+", text))
            if not words & named:
                continue
            seen += 1
            if "chain" in chosen:
                assert "$chain" in text, panel["title"]
            elif panel["title"] not in ALL_CHAINS:
                assert "chain" in words or "{{chain}}" in target["legendFormat"], panel["title"]
    assert seen


ONE_ROW_EACH = Scores(
    [
        dict.fromkeys(SPECS, 0.5)
        | {"chain": "bitcoin", "view": "raw", "window_blocks": 144, "height": 1, "unknown": 0, "n": 1}
        | {"time": datetime(2023, 8, 1, tzinfo=UTC)}
    ],
    [{"rule_id": "a", "chain": "bitcoin", "state": "firing", "alerts": 1}],
    [
        dict.fromkeys(("l_dropped", "l_one_owner", "l_spread", "low", "high", "ai_age_days"), 0.5)
        | {"series": "s", "list_id": "l", "chain": "bitcoin", "view": "raw", "knowledge": "live", "level": "none"}
    ],
)
"""One row of each kind, for the labels of every family."""


def test_a_reader_may_run_every_query(sample: ClickHouse, clickhouse: Any) -> None:
    from counterpoise.clickhouse.client import connect

    with connect(clickhouse.reader_target, sample.database) as reader:
        for name, _, target in SQL:
            reader.query(filled(target["rawSql"], next(choices(DOCUMENTS[name], sample))))


def test_prometheus_has_every_metric_that_is_asked_for() -> None:
    snapshot = {
        "service": "streams",
        "healthy": True,
        "started_at": 1.0,
        "last_progress_at": 1.0,
        "waiting_since": 1.0,
        "waiting_on": "kafka",
        "counters": {"events": 1},
        "info": {"chains": {"bitcoin": dict.fromkeys(GAUGES, 1)}},
        "latencies": [],
    }
    known = set(re.findall(r"^(counterpoise_\w+)\{", exposition(snapshot).decode(), flags=re.MULTILINE))
    known |= {family.name for family in families(Scores([], [], []))}
    asked = queries("prometheus")
    assert len(asked) >= 10
    for _, _, target in asked:
        names = set(re.findall(r"\bcounterpoise_\w+", target["expr"]))
        assert names and names <= known, names - known
        assert target["expr"].count("(") == target["expr"].count(")")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_panels_fit_beside_each_other(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DOCUMENTS[name]["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= COLUMNS and not cells & taken
        assert panel["description"].endswith("."), panel["title"]
        taken |= cells


def test_provisioning_names_the_sources_and_the_folder_that_compose_mounts() -> None:
    sources = yaml.safe_load((FOLDER / "provisioning/datasources/counterpoise.yml").read_text(encoding="utf-8"))
    found = [{"type": source["type"], "uid": source["uid"]} for source in sources["datasources"]]
    assert found == [CLICKHOUSE, PROMETHEUS]
    [provider] = yaml.safe_load((FOLDER / "provisioning/dashboards/counterpoise.yml").read_text(encoding="utf-8"))[
        "providers"
    ]
    compose = yaml.safe_load((ROOT / "deploy/grafana.yml").read_text(encoding="utf-8"))
    grafana, prometheus = compose["services"]["grafana"], compose["services"]["prometheus"]
    assert f"./deploy/grafana/dashboards:{provider['options']['path']}:ro" in grafana["volumes"]
    for service in (grafana, prometheus):
        assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+\.\d+", service["image"])
        for volume in service["volumes"]:
            if volume.startswith("./"):
                assert (ROOT / volume.split(":")[0]).exists(), volume
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    secret = sources["datasources"][0]["secureJsonData"]["password"]
    assert secret.removeprefix("$__file{/run/secrets/").removesuffix("}") in grafana["secrets"]


def test_prometheus_scrapes_the_port_of_each_service() -> None:
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text(encoding="utf-8"))
    [job] = config["scrape_configs"]
    assert job["job_name"] == "counterpoise"
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    compose = yaml.safe_load((ROOT / "deploy/grafana.yml").read_text(encoding="utf-8"))["services"]
    targets = dict(target.split(":") for target in job["static_configs"][0]["targets"])
    assert targets.keys() == {name for name, service in services.items() if service.get("command", [""])[0] == "run"}
    for name, port in targets.items():
        assert services[name]["environment"][f"COUNTERPOISE_HEALTH__{name.upper()}_PORT"] == port
        assert compose[name]["environment"]["COUNTERPOISE_HEALTH__HOST"] == "0.0.0.0"  # noqa: S104 - within compose's network
